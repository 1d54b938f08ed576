/**
 * Turns notifications of routes, rules, neighbours and qdiscs into events about losses: of Netloom's objects, and of the
 * kernel's routes for Netloom's devices.
 */
import type { KernelEvent, Netns } from "../../kernel/kernel.ts";
import * as k from "../netlink/constants.ts";
import { type NetlinkMessage, readAttributes, Struct } from "../netlink/message-reader.ts";
import type { LinkEvents, Nsid } from "./link-events.ts";

export interface LossContext {
  readonly nsid: Nsid;
  readonly netns: Netns;
  /** The protocol number of the owner mark. */
  readonly protocol: number;
  readonly links: Pick<LinkEvents, "find">;
}

/** `undefined` if nothing is lost. Routes and rules of the host's own namespace are watched elsewhere (host-routes.ts). */
export function lossOf(context: LossContext, message: NetlinkMessage): KernelEvent | undefined {
  switch (message.type) {
    case k.RTM_NEWROUTE:
    case k.RTM_DELROUTE:
      return context.nsid === "own" ? undefined : lostRoute(context, message);
    case k.RTM_DELRULE:
      return context.nsid === "own" ? undefined : lostRule(context, message);
    case k.RTM_NEWNEIGH:
    case k.RTM_DELNEIGH:
      return lostNeighbor(context, message);
    case k.RTM_DELQDISC:
      return lostIngress(context, message);
    default:
      return undefined;
  }
}

function lostRoute(context: LossContext, message: NetlinkMessage): KernelEvent | undefined {
  const { netns, protocol } = context;
  const by = new Struct("route", message.body, 12).u8(5);
  // A replacement does not say which route was replaced: report only the namespace.
  if (message.type === k.RTM_NEWROUTE)
    return (message.flags & k.NLM_F_REPLACE) === 0 ? undefined : { type: "route", netns };
  const index = readAttributes("route", message.body, 12).u32(k.RTA_OIF);
  const device = index === undefined ? undefined : context.links.find(context.nsid, index);
  const isOurs = by === protocol || (by === k.RTPROT_KERNEL && device?.facts.isOurs !== false);
  if (!isOurs || device?.isDoomed === true) return undefined;
  return { type: "route", netns, ...(device && { link: device.name }) };
}

function lostRule({ netns, protocol }: LossContext, message: NetlinkMessage): KernelEvent | undefined {
  const by = readAttributes("rule", message.body, 12).u8(k.FRA_PROTOCOL);
  return by === protocol ? { type: "route", netns } : undefined;
}

function lostNeighbor(context: LossContext, message: NetlinkMessage): KernelEvent | undefined {
  const { nsid, netns, protocol, links } = context;
  const index = new Struct("neighbor", message.body, 12).i32(4);
  const by = readAttributes("neighbor", message.body, 12).u8(k.NDA_PROTOCOL);
  const device = links.find(nsid, index);
  if (by !== protocol || device?.isDoomed === true) return undefined;
  return { type: "neighbor", netns, ...(device && { link: device.name }) };
}

/** Netloom's programs on its own devices are attached to the ingress qdisc. */
function lostIngress({ nsid, netns, links }: LossContext, message: NetlinkMessage): KernelEvent | undefined {
  const device = links.find(nsid, new Struct("qdisc", message.body, 20).i32(4));
  if (device && (device.isDoomed || !device.facts.isOurs)) return undefined;
  return { type: "program", netns, ...(device && { link: device.name }) };
}
