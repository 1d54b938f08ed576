/** Finds the holder of a name, a VNI or a UDP port that is needed. */
import { reason } from "../../errors/reasons.ts";
import type { OwnerMark, Vxlan } from "../../kernel/kernel.ts";
import { decodeLink, type Link } from "../netlink/link-decode.ts";
import { dumpLinks } from "../netlink/link.ts";
import type { NetnsPlace } from "../namespaces/place.ts";
import { doomedGroup } from "../batch/reaper.ts";
import type { Explanation } from "../batch/refuse.ts";

/** Describes the device that has the name. */
export function existingDevice(link: Link, mark: OwnerMark): string {
  return `device ${link.name} exists, ${ownerOf(link, mark)}`;
}

/** Describes the device in these namespaces that has the VNI of `tunnel`. */
export function existingVni(tunnel: Vxlan, places: readonly NetnsPlace[], mark: OwnerMark): string {
  for (const place of new Set(places)) {
    const links = place.socket.dump(dumpLinks({ kind: "vxlan" }), (message) => decodeLink(message));
    const holder = links.find(({ vxlan }) => vxlan?.vni === tunnel.vni && vxlan.port === tunnel.port);
    if (holder)
      return `VNI ${tunnel.vni} on port ${tunnel.port} is taken by device ${holder.name}, ${ownerOf(holder, mark)}`;
  }
  return `VNI ${tunnel.vni} on port ${tunnel.port} is taken by a device in another namespace`;
}

/** Explains why the shared tunnel device cannot get its port, which it needs exclusively. */
export function takenPort(port: number, host: NetnsPlace, mark: OwnerMark): Explanation {
  const links = host.socket.dump(dumpLinks({ kind: "vxlan" }), (message) => decodeLink(message));
  // Ignores Netloom's own devices: one may be under deletion.
  const own = [mark.group, doomedGroup(mark.group)];
  const holder = links.find(({ vxlan, group }) => vxlan?.port === port && !own.includes(group));
  const who = holder ? `the VXLAN device ${holder.name}, which is not ours` : "a program of this host";
  return {
    reason: `UDP port ${port} is taken by ${who}`,
    hint: "give the agents of all hosts another port: netloom agent --vxlan-port PORT; netloom doctor says who has this one",
    code: "FAILED_PRECONDITION",
    data: reason("UDP_PORT_TAKEN", { port: String(port) }),
  };
}

function ownerOf(link: Link, mark: OwnerMark): string {
  if (link.group === mark.group) return `one of ours (${link.alias ?? "without an owner"})`;
  return `which is not ours (${link.kind ?? "hardware"})`;
}
