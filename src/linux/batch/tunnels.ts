/** The tunnel of a device that has the `wire` program, as a step of a batch: entries of the data path's maps. */
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

/** EEXIST if what would arrive is another device's that is there. */
export function demandFreeTunnel({ mark }: BatchTools, job: Job, task: WireTask, tunnel: Tunnel): void {
  const { place, datapath, wanted } = task;
  const holder = datapath.tunnels.arrival(tunnel);
  if (!holder || holder.ifindex === wanted.ifindex) return;
  const link = lookUp(place, holder.ifindex);
  if (!link || link.group === doomedGroup(mark.group)) return;
  const whose = `device ${link.name} (${link.alias ?? "without an owner"})`;
  throw refuseStep(job, "EEXIST", `VNI ${tunnel.vni} from ${tunnel.remote} is taken by ${whose}`);
}

/** What the fast path leaves of all tunnels on this port goes by this device from now on. */
export function shareDevice({ datapath, wanted }: WireTask, port: number): void {
  datapath.tunnels.share(port, wanted.ifindex);
}

/** In the place of the one that the device has. */
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

/** One that is not there is fine. */
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

/** Its device is gone: what would arrive for it is nobody's. */
export function forgetTunnel({ datapath, places }: BatchTools, tunnel: Tunnel): void {
  const maps = datapath();
  const arrival = maps.tunnels.arrival(tunnel);
  if (arrival && !lookUp(places.of("host"), arrival.ifindex)) maps.unbind(arrival.ifindex);
}

/** The way to another host may lead by another device than when its tunnels were made. */
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

/** Packets of the other end will come by the device that leads there. Where they come by another one they take the long way. */
function meetUplink(place: NetnsPlace, { datapath: { uplinks }, mark, remote }: Meeting): void {
  const index = place.socket.get(getRoute(remote), decodeRoute, NO_ROUTE)?.linkIndex;
  if (index === undefined || index === k.LOOPBACK_IFINDEX || uplinks.attached.has(index)) return;
  uplinks.attach(index, { isOurs: lookUp(place, index)?.group === mark.group });
}
