/** The netlink message that adds, removes or replaces an object that is no device. */
import type { Address, Neighbor, Qdisc, Route, Rule } from "../kernel/kernel.ts";
import { deleteAddress, newAddress } from "./netlink/address.ts";
import { deleteNeighbor, newNeighbor, replaceNeighbor } from "./netlink/neighbor.ts";
import { deleteQdisc, replaceQdisc } from "./netlink/qdisc.ts";
import { deleteRoute, newRoute, replaceRoute } from "./netlink/route.ts";
import { deleteRule, newRule } from "./netlink/rule.ts";

/** What is one netlink message. */
export type Plain = Address | Route | Rule | Neighbor | Qdisc;

/** What an errno says when something is to be removed that is not there. */
export const ABSENT: readonly string[] = ["ESRCH", "ENOENT", "ENODEV", "EADDRNOTAVAIL"];

export interface Target {
  /** Index of the device; 0 for a rule. */
  readonly linkIndex: number;
  /** The owner mark. */
  readonly protocol: number;
}

export function addRequest(object: Plain, target: Target): Uint8Array {
  switch (object.kind) {
    case "address":
      return newAddress({ ...object, ...target });
    case "route":
      return newRoute({ ...object, ...target });
    case "rule":
      return newRule({ ...object, protocol: target.protocol });
    case "neighbor":
      return newNeighbor({ ...object, ...target });
    case "qdisc":
    default:
      return replaceQdisc({ shape: object.shape, linkIndex: target.linkIndex });
  }
}

export function removeRequest(object: Plain, target: Target): Uint8Array {
  switch (object.kind) {
    case "address":
      return deleteAddress({ ...object, ...target });
    case "route":
      return deleteRoute({ ...object, ...target });
    case "rule":
      return deleteRule({ ...object, protocol: target.protocol });
    case "neighbor":
      return deleteNeighbor({ address: object.address, linkIndex: target.linkIndex });
    case "qdisc":
    default:
      return deleteQdisc(target.linkIndex);
  }
}

/** `undefined` for what the kernel cannot replace in one step. */
export function replaceRequest(object: Plain, target: Target): Uint8Array | undefined {
  switch (object.kind) {
    case "route":
      return replaceRoute({ ...object, ...target });
    case "neighbor":
      return replaceNeighbor({ ...object, ...target });
    case "qdisc":
      return replaceQdisc({ shape: object.shape, linkIndex: target.linkIndex });
    case "address":
    case "rule":
    default:
      return undefined;
  }
}
