/** Describes an unclaimed wire by its devices. */
import { endsOf, isDevice, ofKind } from "../kernel/objects.ts";
import { REMOTE_TYPES } from "../mechanisms/list.ts";
import type { FoundTunnel } from "../mechanisms/mechanism-type.ts";
import { PATCH, readAlias, sideBeside, sideOfAlias } from "../mechanisms/naming.ts";
import type { Side } from "../mechanisms/side.ts";
import type { KernelObject, Netns } from "../kernel/kernel.ts";

/** The namespace that `Kernel.observe` gives for the far end of a pair if that namespace is not known. */
const UNKNOWN_NETNS: Netns = "inode://0/0";

interface End {
  readonly netns: Netns;
  readonly interfaceName: string;
  /** Addresses with prefix length. */
  readonly addresses: readonly string[];
  /** A borrowed device. */
  readonly isPort?: true;
}

/** A wire of an earlier agent. */
export interface Unclaimed {
  /** The ends on this host. */
  readonly ends: Readonly<Partial<Record<Side, End>>>;
  readonly tunnels: readonly FoundTunnel[];
  readonly mtuBytes: number;
}

/** Describes a wire. `objects` are all of one owner. */
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

/** The borrowed devices at the ends. Each has a program that leads to a device of Netloom, whose alias names the side. */
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

/** Whether a side is missing: a device goes with its workload's namespace, a program with its port, a tunnel with its device. */
export function isHollow(objects: readonly KernelObject[]): boolean {
  const aliases = objects
    .filter(isDevice)
    .flatMap(endsOf)
    .map(({ alias }) => readAlias(alias));
  const sides = aliases.flatMap((read) => (read && read.what !== PATCH ? [read.side] : []));
  const tunnels = REMOTE_TYPES.flatMap((type) => type.found(objects)).map(({ side }) => side);
  return new Set([...sides, ...tunnels, ...Object.keys(portsOf(objects))]).size < 2;
}
