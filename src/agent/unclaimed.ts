/** What the devices of a wire tell of it, when nobody has asked for it yet. */
import { endsOf, isDevice, ofKind } from "../kernel/objects.ts";
import { REMOTE_TYPES } from "../mechanisms/list.ts";
import type { FoundTunnel } from "../mechanisms/mechanism-type.ts";
import { sideOfAlias } from "../mechanisms/naming.ts";
import type { Side } from "../mechanisms/side.ts";
import type { KernelObject, Netns } from "../kernel/kernel.ts";

/** What `Kernel.observe` says of the far end of a pair when nobody has named its namespace yet. */
const UNKNOWN_NETNS: Netns = "inode://0/0";

interface End {
  readonly netns: Netns;
  readonly interfaceName: string;
  /** With prefix length. */
  readonly addresses: readonly string[];
}

/** A wire that an earlier life has made. */
export interface Unclaimed {
  /** Those on this host. */
  readonly ends: Readonly<Partial<Record<Side, End>>>;
  readonly tunnels: readonly FoundTunnel[];
  readonly mtuBytes: number;
}

/** `objects` are those of one owner. */
export function unclaimedOf(objects: readonly KernelObject[]): Unclaimed {
  const ends: Partial<Record<Side, End>> = {};
  let mtuBytes = 0;
  for (const { netns, name, alias, mtuBytes: own } of objects.filter(isDevice).flatMap(endsOf)) {
    const side = sideOfAlias(alias);
    if (side === undefined || netns === UNKNOWN_NETNS) continue;
    const addresses = ofKind(objects, "address").flatMap((each) =>
      each.netns === netns && each.link === name ? [each.address] : [],
    );
    ends[side] = { netns, interfaceName: name, addresses };
    mtuBytes = own;
  }
  return {
    ends,
    tunnels: REMOTE_TYPES.flatMap((type) => type.found(objects)),
    mtuBytes,
  };
}
