import type { Vxlan } from "../../../kernel/kernel.ts";
import { familyOf } from "../../../net/ip.ts";
import {
  type Actor,
  born,
  changeEnds,
  checkEnd,
  destroy,
  simDeviceOf,
  endOf,
  hideDevice,
  type Undo,
} from "../links.ts";
import { Refused, type Transmit } from "../state.ts";
import { deviceIn, sendOuter } from "../underlay.ts";
import { type SimObjectKind, untold } from "../object-kind.ts";

export const vxlan = {
  add(actor, object) {
    checkEnd(actor, object);
    const { kind, vni, port, local, remote } = object;
    const family = familyOf(local);
    if (family !== familyOf(remote))
      throw new Refused("EINVAL", "local and remote address are of different families");
    if (vni < 0 || vni >= 2 ** 24) throw new Refused("ERANGE", "a VNI has 24 bits");
    const key = deviceIn(actor.home, object);
    if (actor.machine.tunnels.has(key))
      throw new Refused("EEXIST", "a VXLAN device with the specified VNI already exists");
    const tunnel = { vni, port, family, underlay: actor.home, local, remote };
    const device = born(actor, object, { kind, tunnel, transmit });
    actor.machine.tunnels.set(key, device);
    return () => destroy(actor, device);
  },
  change(actor, object, from) {
    const undoRetarget = retarget(actor, object, from.name);
    try {
      const undoEnds = changeEnds(actor, object, from);
      return () => {
        undoEnds();
        undoRetarget();
      };
    } catch (error) {
      undoRetarget();
      throw error;
    }
  },
  remove: hideDevice,
  observe: (observer, view) =>
    untold(observer, view, "vxlan").flatMap((device) => {
      if (!device.tunnel) return [];
      const { vni, local, remote, port } = device.tunnel;
      return [{ kind: "vxlan", ...endOf(observer, device), vni, local, remote, port }];
    }),
  inTheWay: ({ machine, home }, object) => machine.tunnels.get(deviceIn(home, object)),
} as const satisfies SimObjectKind<Vxlan>;

/** Sends through the underlay of its host, to the tunnel end that accepts the packet. */
const transmit: Transmit = (journey, frame, { tunnel }) =>
  tunnel && sendOuter(journey, tunnel.underlay, { outer: tunnel, frame });

function retarget(actor: Actor, object: Vxlan, name: string): Undo {
  const { tunnel } = simDeviceOf(actor.find(object.netns), name);
  if (!tunnel) throw new Refused("EOPNOTSUPP", `${object.name} is not a VXLAN device`);
  if (tunnel.vni !== object.vni || tunnel.port !== object.port)
    throw new Refused("EOPNOTSUPP", "VNI and port of a VXLAN device cannot change");
  if (familyOf(object.local) !== tunnel.family || familyOf(object.remote) !== tunnel.family)
    throw new Refused("EOPNOTSUPP", "the address family of a VXLAN device cannot change");
  const before = { local: tunnel.local, remote: tunnel.remote };
  Object.assign(tunnel, { local: object.local, remote: object.remote });
  return () => Object.assign(tunnel, before);
}
