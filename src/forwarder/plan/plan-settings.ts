/**
 * Settings of Netloom's devices: whether they accept router advertisements and redirects from the far end, and whether they have
 * IPv6.
 */
import { IPV6_MIN_MTU } from "../../net/link-local.ts";
import type { LinkEnd, Sysctl } from "../../kernel/kernel.ts";
import type { Trust } from "../../mechanisms/half.ts";

/**
 * A new device trusts any router at its far end: one advertisement would set the default route, an address and the MTU of its
 * namespace, and a redirect would set a next hop. Here only the namespace's owner can ask for that. An IPv4 redirect is refused
 * for certain only if the namespace forwards, or has `all/accept_redirects` off: Linux accepts it if either setting allows it.
 *
 * Duplicate address detection is off (accept_dad): the link-local address follows from the MAC, so nobody else can have it.
 */
export function endSettings({ netns, name, mtuBytes }: LinkEnd, trust: Trust = {}): Sysctl {
  const { both, only4 } = trust.routerAdvertisements ? TRUSTING : SEALED;
  return {
    kind: "sysctl",
    netns,
    link: name,
    values: mtuBytes < IPV6_MIN_MTU ? only4 : both,
    isOptional: true,
  };
}

const SEALED = believing("0", "0");
/** 2: accept advertisements even if the namespace forwards. */
const TRUSTING = believing("1", "2");

function believing(believed: string, routers: string): Record<"only4" | "both", Sysctl["values"]> {
  const only4 = { "net/ipv4/conf/%/accept_redirects": believed };
  const both = {
    ...only4,
    "net/ipv6/conf/%/accept_ra": routers,
    "net/ipv6/conf/%/autoconf": believed,
    "net/ipv6/conf/%/accept_redirects": believed,
    "net/ipv6/conf/%/accept_dad": "0",
  };
  return { only4, both };
}

const IPV6_ON = { "net/ipv6/conf/%/disable_ipv6": "0" } as const;
const IPV6_OFF = { "net/ipv6/conf/%/disable_ipv6": "1" } as const;

/** Turns IPv6 on for a device with IPv6 addresses: container engines switch it off by default. */
export function withIpv6({ netns, name }: LinkEnd): Sysctl {
  return { kind: "sysctl", netns, link: name, values: IPV6_ON };
}

/**
 * Turns on forwarding of packets that arrive on this device, independent of the rest of the namespace. IPv6 has this setting per
 * device since Linux 6.17; before, only a whole namespace can forward.
 */
export function forwardingOn({ netns, name }: LinkEnd, needsIpv6: boolean): Sysctl[] {
  const setting = (path: string): Sysctl => ({ kind: "sysctl", netns, link: name, values: { [path]: "1" } });
  return [
    setting("net/ipv4/conf/%/forwarding"),
    ...(needsIpv6 ? [setting("net/ipv6/conf/%/force_forwarding")] : []),
  ];
}

/**
 * Turns IPv6 off on the host's ends of a wire, which have no address. With IPv6 each end would have a multicast route, in a list
 * that the kernel walks whenever any device changes: with 5,000 wires each wire would cost three times as much.
 */
export function withoutIpv6({ netns, name, mtuBytes }: LinkEnd): Sysctl[] {
  if (mtuBytes < IPV6_MIN_MTU) return [];
  return [{ kind: "sysctl", netns, link: name, values: IPV6_OFF, isOptional: true }];
}
