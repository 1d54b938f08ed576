/** KERNEL: a device in the workload's namespace, always one end of a veth pair. */
import type { LinkEnd, Netns } from "../../kernel/kernel.ts";
import { hostVethAlias, hostVethMac, hostVethName, workloadAlias } from "../../mechanisms/naming.ts";
import { workloadMac } from "../workload-mac.ts";
import { linkLocal } from "../../mechanisms/link-local.ts";
import type { KernelMechanism, Wire } from "../wire.ts";
import type { Side } from "../../mechanisms/side.ts";

/** The workload's end. */
export function workloadEnd(wire: Wire, side: Side, mechanism: KernelMechanism, mtuBytes: number): LinkEnd {
  return {
    netns: mechanism.netns,
    name: mechanism.interfaceName,
    mac: workloadMac(wire, side),
    mtuBytes,
    alias: workloadAlias(wire.connectionId, side),
    ...linkLocal(mtuBytes),
  };
}

/** The host's end, where the tunnel of a remote wire begins. */
export function hostEnd(wire: Wire, side: Side, mtuBytes: number): LinkEnd {
  return {
    netns: HOST,
    name: hostVethName(wire.connectionId, side),
    mac: hostVethMac(wire.connectionId, side),
    mtuBytes,
    alias: hostVethAlias(wire.connectionId, side),
  };
}

export const HOST: Netns = "host";
