/** Settings of the devices that we make: what they take from the far end by themselves, and whether they have IPv6. */
import { IPV6_MIN_MTU } from "../../net/link-local.ts";
import type { LinkEnd, Sysctl } from "../../kernel/kernel.ts";
import type { Trust } from "../../mechanisms/half.ts";

/**
 * A new device believes whatever router is at its other end: one advertisement would set the default route, an address and
 * the MTU of its namespace, and a redirect a next hop. Here only who owns the namespace may want that. A redirect of IPv4 is
 * refused for certain only where the namespace forwards, or has `all/accept_redirects` off: Linux takes it if either says so.
 *
 * Nobody else can have the link-local address, which follows from the MAC: it is not asked for first (accept_dad).
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
/** 2: also where the namespace forwards. */
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

/** Container engines switch IPv6 off by default. Who has IPv6 addresses cannot do without it. */
export function withIpv6({ netns, name }: LinkEnd): Sysctl {
  return { kind: "sysctl", netns, link: name, values: IPV6_ON };
}

/**
 * What comes in by this device is forwarded, whatever the rest of the namespace does. For IPv6 Linux 6.17 has a setting of the
 * device for that; before, only the whole namespace forwards.
 */
export function forwardingOn({ netns, name }: LinkEnd, needsIpv6: boolean): Sysctl[] {
  const setting = (path: string): Sysctl => ({ kind: "sysctl", netns, link: name, values: { [path]: "1" } });
  return [
    setting("net/ipv4/conf/%/forwarding"),
    ...(needsIpv6 ? [setting("net/ipv6/conf/%/force_forwarding")] : []),
  ];
}

/**
 * The host has no address on its ends of a wire. With IPv6 each would have a multicast route all the same, in a list that
 * the kernel walks whenever any device changes: 5,000 wires would cost each other three times their price.
 */
export function withoutIpv6({ netns, name, mtuBytes }: LinkEnd): Sysctl[] {
  if (mtuBytes < IPV6_MIN_MTU) return [];
  return [{ kind: "sysctl", netns, link: name, values: IPV6_OFF, isOptional: true }];
}
