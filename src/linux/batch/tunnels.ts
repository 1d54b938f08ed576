/** The tunnel of a device with the `wire` program, as a step of a batch: entries in the maps of the data path. */
import type { OwnerMark } from "../../kernel/kernel.ts";
import type { Tunnel } from "../../kernel/tunnel.ts";
import type { Datapath } from "../bpf/datapath.ts";
import type { NetnsPlace } from "../namespaces/place.ts";
import * as k from "../netlink/constants.ts";
import { decodeRoute, getRoute, NO_ROUTE } from "../netlink/route.ts";
import type { BatchTools } from "../object-kind.ts";
import { lookUp } from "./links.ts";
import { doomedGroup } from "./reaper.ts";
import { type Job, refuseStep } from "./refuse.ts";
import { direct, type WireTask } from "./wire-program.ts";

/** EEXIST if another existing device receives the packets of this tunnel. */
export function demandFreeTunnel({ mark }: BatchTools, job: Job, task: WireTask, tunnel: Tunnel): void {
  const { place, datapath, wanted } = task;
  const holder = datapath.tunnels.arrival(tunnel);
  if (!holder || holder.ifindex === wanted.ifindex) return;
  const link = lookUp(place, holder.ifindex);
  if (!link || link.group === doomedGroup(mark.group)) return;
  const whose = `device ${link.name} (${link.alias ?? "without an owner"})`;
  throw refuseStep(job, "EEXIST", `VNI ${tunnel.vni} from ${tunnel.remote} is taken by ${whose}`);
}

/** Makes this device the shared one of its port: it handles the packets that the fast path leaves. */
export function shareDevice({ datapath, wanted }: WireTask, port: number): void {
  datapath.tunnels.share(port, wanted.ifindex);
}

/** Opens the tunnel of a device, or replaces it. */
export function openTunnel(tools: BatchTools, { place, datapath, wanted }: WireTask, tunnel: Tunnel): void {
  const { ifindex } = wanted;
  direct(tools, place, () => {
    const before = datapath.tunnel(ifindex);
    datapath.openTunnel(ifindex, tunnel);
    return () => {
      if (before) datapath.openTunnel(ifindex, before);
      else datapath.closeTunnel(ifindex);
    };
  });
  place.run(() => meetUplink(place, { datapath, mark: tools.mark, remote: tunnel.remote }));
}

/** Closes the tunnel of a device, if there is one. */
export function closeTunnel(tools: BatchTools, place: NetnsPlace, ifindex: number): void {
  const datapath = tools.datapath();
  const before = datapath.tunnel(ifindex);
  direct(tools, place, () => {
    datapath.closeTunnel(ifindex);
    return () => {
      if (before) datapath.openTunnel(ifindex, before);
    };
  });
}

/** Removes the entry for arriving packets if their device is gone. */
export function forgetTunnel({ datapath, places }: BatchTools, tunnel: Tunnel): void {
  const maps = datapath();
  const arrival = maps.tunnels.arrival(tunnel);
  if (arrival && !lookUp(places.of("host"), arrival.ifindex)) maps.unbind(arrival.ifindex);
}

/** Attaches programs to new uplinks: routes to other hosts may have changed since their tunnels were opened. */
export function meetUplinks(host: NetnsPlace, datapath: Datapath, mark: OwnerMark): void {
  for (const ifindex of datapath.uplinks.attached)
    if (!lookUp(host, ifindex)) datapath.uplinks.detach(ifindex);
  host.run(() => {
    for (const remote of datapath.tunnels.remotes()) meetUplink(host, { datapath, mark, remote });
  });
}

interface Meeting {
  readonly datapath: Datapath;
  readonly mark: OwnerMark;
  readonly remote: string;
}

/**
 * Attaches the uplink program to the device of the route to `remote`, where its packets probably arrive. Packets that
 * arrive on another device take the slow path.
 */
function meetUplink(place: NetnsPlace, { datapath: { uplinks }, mark, remote }: Meeting): void {
  const index = place.socket.get(getRoute(remote), decodeRoute, NO_ROUTE)?.linkIndex;
  if (index === undefined || index === k.LOOPBACK_IFINDEX || uplinks.attached.has(index)) return;
  uplinks.attach(index, { isOurs: lookUp(place, index)?.group === mark.group });
}
