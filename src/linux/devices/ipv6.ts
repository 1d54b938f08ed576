/** IPv6 support of the kernel, and the generation of link-local addresses. */
import { existsSync } from "node:fs";
import type { LinkEnd } from "../../kernel/kernel.ts";
import * as k from "../netlink/constants.ts";

let isThere = false;

/** False on a kernel without IPv6 (`ipv6.disable=1`, or not built in), which refuses all IPv6 settings. */
export function hasIpv6(): boolean {
  isThere ||= existsSync("/proc/sys/net/ipv6");
  return isThere;
}

export function addrGenModeOf({ linkLocal }: Pick<LinkEnd, "linkLocal">): number {
  return linkLocal ? k.IN6_ADDR_GEN_MODE_EUI64 : k.IN6_ADDR_GEN_MODE_NONE;
}
