/** The underlay of a lab file: ends, addresses, MTU and shape of its links. */
import { checkMtu } from "../../documents/fragments/mtu.ts";
import { formatIp, formatPrefix, type IpPrefix, network, overlaps } from "../../net/ip.ts";
import { type Read, readInterfaceAddress, readSubnet } from "../../text/read-address.ts";
import { SubnetPool, firstTwo } from "./addresses.ts";
import { type Findings, type LabParts, unknownName } from "./findings.ts";
import type { LabLink } from "./model.ts";
import { type FilePath, quote } from "../../text/problem.ts";
import type { LinkPart } from "./schema.ts";

/** A link, and its place in the file. */
export interface CheckedLink {
  readonly link: LabLink;
  readonly path: FilePath;
}

type LinkOptions = Exclude<LinkPart, readonly unknown[]>;

const defaultMtuBytes = 1500;
/** Checks the links. Returns those without problems. */
export function checkLinks(parts: LabParts, findings: Findings): CheckedLink[] {
  const given = parts.links.flatMap(
    (part, i): { options: LinkOptions; path: FilePath; endsPath: FilePath }[] => {
      if (!part) return [];
      const path = ["links", i];
      return Array.isArray(part)
        ? [{ options: { ends: part }, path, endsPath: path }]
        : [{ options: part, path, endsPath: [...path, "ends"] }];
    },
  );
  const taken: { readonly subnet: IpPrefix; readonly owner: string }[] = [];
  const seen = new Set<string>();
  const sound = given.filter(({ options, endsPath }) =>
    checkEnds(options.ends, endsPath, parts, seen, findings),
  );
  // Read the written addresses first, so that no chosen address collides with them.
  const explicit = sound.map(({ options, path }) => readAddresses(options, path, taken, findings));
  const pool = new SubnetPool(taken.map(({ subnet }) => subnet));
  return sound.flatMap(({ options, path }, i) => {
    const addresses = explicit[i] ?? automaticAddresses(options.ends, pool);
    const shape = readShape(options, path, findings);
    const mtuBytes = options.mtu ?? defaultMtuBytes;
    const hasIpv6 = addresses[0].some((address) => address.includes(":"));
    const tooSmall = checkMtu(mtuBytes, [...path, "mtu"], {
      hasIpv6,
      remedy: "give the link only an IPv4 subnet",
    });
    for (const { path: at, message } of tooSmall) findings.add(at, message);
    const [a, b] = options.ends;
    const ends = [
      { node: a, addresses: addresses[0] },
      { node: b, addresses: addresses[1] },
    ] as const;
    return [{ link: { ends, mtuBytes, ...shape }, path }];
  });
}

function checkEnds(
  ends: readonly [string, string],
  path: FilePath,
  parts: LabParts,
  seen: Set<string>,
  findings: Findings,
): boolean {
  const before = findings.list.length;
  for (const [i, end] of ends.entries()) {
    if (!parts.hosts.has(end) && !parts.routers.includes(end)) {
      findings.add(
        [...path, i],
        unknownName("host or router", end, [...parts.hosts.keys(), ...parts.routers]),
      );
    }
  }
  if (ends[0] === ends[1]) findings.add(path, `both ends are ${quote(ends[0])}; a link joins two nodes`);
  const key = linkName(ends);
  if (seen.has(key))
    findings.add(path, `${ends[0]} and ${ends[1]} are linked already; remove one of the two links`);
  seen.add(key);
  return findings.list.length === before;
}

type Taken = { readonly subnet: IpPrefix; readonly owner: string }[];
type Both = readonly [string[], string[]];

/** The addresses in the file; `undefined` if it gives none. */
function readAddresses(
  options: LinkOptions,
  path: FilePath,
  taken: Taken,
  findings: Findings,
): Both | undefined {
  if (options.subnets && options.addresses) {
    findings.add([...path, "addresses"], "write either subnets or addresses, not both");
  }
  const owner = `${options.ends[0]}-${options.ends[1]}`;
  if (options.subnets) return readSubnets(options.subnets, [...path, "subnets"], owner, taken, findings);
  if (options.addresses) return readExplicit(options, [...path, "addresses"], owner, taken, findings);
  return undefined;
}

function readSubnets(
  texts: readonly string[],
  path: FilePath,
  owner: string,
  taken: Taken,
  findings: Findings,
): Both {
  const both: Both = [[], []];
  const families = new Set<number>();
  for (const [i, text] of texts.entries()) {
    const at = [...path, i];
    const subnet = unwrap(readSubnet(text), at, findings);
    if (!subnet) continue;
    const pair = firstTwo(subnet);
    if (!pair) {
      findings.add(at, `${quote(text)} has no room for two addresses`);
      continue;
    }
    if (pair.some((address) => "error" in readInterfaceAddress(`${formatIp(address)}/${subnet.length}`))) {
      findings.add(
        at,
        `${quote(text)} is not for interfaces; take a private range such as 10.0.0.0/8 or fd00::/8`,
      );
      continue;
    }
    if (families.has(subnet.address.family))
      findings.add(at, `${quote(text)}: at most one subnet of each family`);
    families.add(subnet.address.family);
    claim(subnet, owner, at, taken, findings);
    for (const side of [0, 1] as const) both[side].push(`${formatIp(pair[side])}/${subnet.length}`);
  }
  return both;
}

function readExplicit(
  options: LinkOptions,
  path: FilePath,
  owner: string,
  taken: Taken,
  findings: Findings,
): Both {
  const both: Both = [[], []];
  const subnets = new Map<string, { subnet: IpPrefix; sides: Set<number>; at: FilePath }>();
  const seen = new Set<string>();
  for (const [node, texts] of Object.entries(options.addresses ?? {})) {
    const side = options.ends.indexOf(node);
    if (side < 0) {
      findings.addAtKey([...path, node], unknownName("end", node, options.ends));
      continue;
    }
    for (const [i, text] of texts.entries()) {
      const at = [...path, node, i];
      const prefix = unwrap(readInterfaceAddress(text), at, findings);
      if (!prefix) continue;
      const address = formatIp(prefix.address);
      if (seen.has(address)) findings.add(at, `${quote(text)} is given twice on this link`);
      seen.add(address);
      both[side === 0 ? 0 : 1].push(formatPrefix(prefix));
      const subnet = network(prefix);
      const entry = subnets.get(formatPrefix(subnet)) ?? { subnet, sides: new Set(), at };
      entry.sides.add(side);
      subnets.set(formatPrefix(subnet), entry);
    }
  }
  for (const { subnet, sides, at } of subnets.values()) {
    if (sides.size < 2)
      findings.add(at, `no address of the other end is in ${formatPrefix(subnet)}; both ends need one`);
    claim(subnet, owner, at, taken, findings);
  }
  for (const [side, node] of options.ends.entries()) {
    if (!Object.hasOwn(options.addresses ?? {}, node))
      findings.add(path, `the addresses of ${quote(node)} are missing`);
    else if (both[side === 0 ? 0 : 1].length === 0)
      findings.add(path, `${quote(node)} needs at least one address`);
  }
  return both;
}

function claim(subnet: IpPrefix, owner: string, path: FilePath, taken: Taken, findings: Findings): void {
  const other = taken.find((entry) => overlaps(entry.subnet, subnet));
  if (other) {
    const where = other.owner === owner ? "this link" : `the link ${other.owner}`;
    findings.add(path, `${formatPrefix(subnet)} overlaps ${formatPrefix(other.subnet)} of ${where}`);
  }
  taken.push({ subnet, owner });
}

function automaticAddresses(ends: readonly [string, string], pool: SubnetPool): Both {
  const both: Both = [[], []];
  for (const family of [4, 6] as const) {
    const subnet = pool.takeLinkSubnet(linkName(ends), family);
    const pair = firstTwo(subnet);
    for (const side of [0, 1] as const) if (pair) both[side].push(`${formatIp(pair[side])}/${subnet.length}`);
  }
  return both;
}

function readShape(options: LinkOptions, path: FilePath, findings: Findings): Partial<LabLink> {
  const rateBitsPerSecond =
    options.rate === undefined
      ? undefined
      : readUnit(options.rate, { gbit: 1e9, mbit: 1e6, kbit: 1e3, bit: 1 });
  const delayMs =
    options.delay === undefined ? undefined : readUnit(options.delay, { us: 0.001, ms: 1, s: 1000 });
  const lossPercent = options.loss === undefined ? undefined : readUnit(options.loss, { "%": 1 });
  if (rateBitsPerSecond !== undefined && (rateBitsPerSecond < 8000 || rateBitsPerSecond > 1e12)) {
    findings.add(
      [...path, "rate"],
      `${quote(options.rate ?? "")} does not fit: a rate is between 8kbit and 1000gbit`,
    );
  }
  if (delayMs !== undefined && delayMs > 60_000)
    findings.add([...path, "delay"], `${quote(options.delay ?? "")} does not fit: at most 60s`);
  if (lossPercent !== undefined && lossPercent > 100)
    findings.add([...path, "loss"], `${quote(options.loss ?? "")} does not fit: at most 100%`);
  if (rateBitsPerSecond !== undefined && (delayMs !== undefined || lossPercent !== undefined)) {
    findings.add(
      [...path, "rate"],
      "a link has a rate or a delay and loss, not both; put a router in between and give each of its links one",
    );
  }
  return {
    // The kernel takes the rate in whole bytes.
    ...(rateBitsPerSecond !== undefined && { rateBitsPerSecond: 8 * Math.round(rateBitsPerSecond / 8) }),
    ...(delayMs !== undefined && { delayMs }),
    ...(lossPercent !== undefined && { lossPercent }),
  };
}

function readUnit(text: string, units: Readonly<Record<string, number>>): number {
  const [, digits = "0", unit = ""] = /^([0-9.]+)(.*)$/.exec(text) ?? [];
  return Number(digits) * (units[unit] ?? Number.NaN);
}

/** The name of a link. It does not depend on the order of the ends. */
function linkName(ends: readonly [string, string]): string {
  return [...ends].sort().join("-");
}

/** The value; `undefined` if reading failed. Then the error is added to `findings`. */
export function unwrap<T>(read: Read<T>, path: FilePath, findings: Pick<Findings, "add">): T | undefined {
  if ("value" in read) return read.value;
  findings.add(path, read.error);
  return undefined;
}
