/** What the devices of a wire tell of it, when nobody has asked for it yet. */
import { endsOf, isDevice, ofKind } from "../kernel/objects.ts";
import { REMOTE_TYPES } from "../mechanisms/list.ts";
import type { FoundTunnel } from "../mechanisms/mechanism-type.ts";
import { PATCH, readAlias, sideBeside, sideOfAlias } from "../mechanisms/naming.ts";
import type { Side } from "../mechanisms/side.ts";
import type { KernelObject, Netns } from "../kernel/kernel.ts";

/** What `Kernel.observe` says of the far end of a pair when nobody has named its namespace yet. */
const UNKNOWN_NETNS: Netns = "inode://0/0";

interface End {
  readonly netns: Netns;
  readonly interfaceName: string;
  /** With prefix length. */
  readonly addresses: readonly string[];
  /** A device that somebody else has made. */
  readonly isPort?: true;
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
  const { client, endpoint } = portsOf(objects);
  if (client) ends.client ??= client;
  if (endpoint) ends.endpoint ??= endpoint;
  return {
    ends,
    tunnels: REMOTE_TYPES.flatMap((type) => type.found(objects)),
    mtuBytes,
  };
}

/** The borrowed devices at its ends: each has a program that leads to a device of ours, which says where the rest of the wire is. */
function portsOf(objects: readonly KernelObject[]): Partial<Record<Side, End>> {
  const found: Partial<Record<Side, End>> = {};
  const ours = objects.filter(isDevice).flatMap(endsOf);
  for (const { netns, link, index, target } of ofKind(objects, "program")) {
    const alias = index === undefined ? undefined : ours.find(({ name }) => name === target)?.alias;
    const read = alias === undefined ? undefined : readAlias(alias);
    if (read)
      found[sideBeside(read)] = {
        netns,
        interfaceName: link,
        addresses: [],
        isPort: true,
      };
  }
  return found;
}

/** Whether a side of the wire is missing: a device goes with its workload's namespace, a program with its port, a tunnel with its device. */
export function isHollow(objects: readonly KernelObject[]): boolean {
  const aliases = objects
    .filter(isDevice)
    .flatMap(endsOf)
    .map(({ alias }) => readAlias(alias));
  const sides = aliases.flatMap((read) => (read && read.what !== PATCH ? [read.side] : []));
  const tunnels = REMOTE_TYPES.flatMap((type) => type.found(objects)).map(({ side }) => side);
  return new Set([...sides, ...tunnels, ...Object.keys(portsOf(objects))]).size < 2;
}
