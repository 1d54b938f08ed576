/**
 * Waits until addresses of this host are usable. The kernel first checks whether another host on the link has an IPv6
 * address (duplicate address detection, RFC 4862 section 5.4). Until then the address is tentative and nobody can listen on
 * it, for example right after booting.
 */
import { canonicalIp, parseIp } from "../../net/ip.ts";
import { NetloomError } from "../../errors/errors.ts";
import { decodeAddressState, dumpAddresses } from "../netlink/address.ts";
import * as k from "../netlink/constants.ts";
import { join, openBound } from "../netlink/groups.ts";
import { NetlinkSocket } from "../netlink/netlink-socket.ts";
import { close, receive, waitReadable } from "../libc/syscall.ts";

/** By default the detection takes 1 to 2 s from the moment that the link has a carrier. */
const PATIENCE_MS = 30_000;

export interface OwnAddressOptions {
  /** Called once, with the addresses that are waited for. */
  readonly onWait: (addresses: readonly string[]) => void;
  /** Default: 30,000 ms. */
  readonly patienceMs?: number;
}

/**
 * Resolves when none of `addresses` is tentative in the current namespace; does not wait for missing ones.
 * FAILED_PRECONDITION if another host has one of them, or if detection does not end in time. Needs no privilege.
 */
export async function awaitOwnAddresses(
  addresses: readonly string[],
  { onWait, patienceMs = PATIENCE_MS }: OwnAddressOptions,
): Promise<void> {
  const wanted = new Set(addresses.filter((each) => parseIp(each)?.family === 6).map(canonicalIp));
  if (wanted.size === 0) return;
  const news = openNews();
  const kernel = NetlinkSocket.open();
  try {
    const endMs = performance.now() + patienceMs;
    for (let isFirst = true; ; isFirst = false) {
      const tentative = tentativeOf(wanted, kernel);
      if (tentative.length === 0) return;
      if (isFirst) onWait(tentative);
      const leftMs = endMs - performance.now();
      if (leftMs <= 0 || !(await waitReadable(news, leftMs))) throw undecided(tentative, patienceMs);
      while (receive(news, buffer));
    }
  } finally {
    kernel.close();
    close(news);
  }
}

const buffer = new Uint8Array(65536);

/** Opens a socket for changes of IPv6 addresses. */
function openNews(): number {
  const fd = openBound();
  try {
    join(fd, [k.RTNLGRP_IPV6_IFADDR], true);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

function tentativeOf(wanted: ReadonlySet<string>, kernel: NetlinkSocket): string[] {
  const found = kernel
    .dump(dumpAddresses(), decodeAddressState)
    .filter(({ address }) => wanted.has(canonicalIp(address)));
  const duplicate = found.find(({ state }) => state === "duplicate");
  if (duplicate)
    throw new NetloomError(
      "FAILED_PRECONDITION",
      `use address ${duplicate.address}: another host on the link has it (duplicate address detection)`,
      { hint: "give this host another address; see: ip -6 address show dadfailed" },
    );
  return found.flatMap(({ address, state }) => (state === "tentative" ? [address] : []));
}

function undecided(addresses: readonly string[], patienceMs: number): NetloomError {
  return new NetloomError(
    "FAILED_PRECONDITION",
    `use address ${addresses.join(", ")}: whether another host has it is not known after ${patienceMs / 1000} s`,
    { hint: "its link needs a carrier for that; see: ip -6 address show tentative" },
  );
}
