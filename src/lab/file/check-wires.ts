/** Checks the wires of a lab file: their ends, interfaces, addresses and paths. */
import { checkWire } from "../../documents/fragments/check-wire.ts";
import { checkInterface } from "../../documents/fragments/interface-name.ts";
import { checkRoutes, contextPolicies, contextRoutes } from "../../documents/fragments/routes.ts";
import { interfaceNameProblem } from "../../net/interface-name.ts";
import { formatIp, type IpAddress, mustParseIp } from "../../net/ip.ts";
import { type Read, readPointToPointAddress } from "../../text/read-address.ts";
import { SubnetPool } from "./addresses.ts";
import { type CheckedLink, unwrap } from "./check-links.ts";
import { type Findings, type LabParts, unknownName } from "./findings.ts";
import { type Lab, type LabWire, type WireSide } from "./model.ts";
import { type FilePath, formatPath, quote } from "../../text/problem.ts";
import { INTERFACE_NAME_BYTES } from "./names.ts";
import type { WirePart } from "./schema.ts";
import { hostWires } from "../topology/topology.ts";
import { chooseIdentifiers, chooseTunnel, tunnelTypeOf } from "./tunnels.ts";
import { UnderlayRouting } from "../topology/underlay.ts";
import type { Draft, DraftEnd } from "./wire-draft.ts";

const SIDES = ["client", "endpoint"] as const;
type SideKey = (typeof SIDES)[number];
const BOTH_WAYS = [
  ["client", "endpoint"],
  ["endpoint", "client"],
] as const;

/** A wire without problems, before the underlay is checked, and its place in the file. */
export interface CheckedWire {
  readonly wire: LabWire;
  readonly part: WirePart;
  readonly path: FilePath;
}

/** Checks the wires. Returns those without problems. */
export function checkWires(
  parts: LabParts,
  links: readonly CheckedLink[],
  findings: Findings,
): CheckedWire[] {
  const drafts = parts.wires.flatMap((part, i) => (part ? draft(part, ["wires", i], parts, findings) : []));
  nameInterfaces(drafts, findings);
  const addresses = assignAddresses(drafts, findings);
  checkPeers(drafts, addresses, findings);
  const routing = new UnderlayRouting({ routers: parts.routers, links: links.map(({ link }) => link) });
  const identifiers = chooseIdentifiers(drafts, findings);
  return drafts.map((draft, i): CheckedWire => {
    const { part, path } = draft;
    const own = addresses[i] ?? { client: [], endpoint: [] };
    const side = (key: SideKey): WireSide => ({
      ...draft[key],
      addresses: own[key],
      routes: contextRoutes(part.routes?.[key]),
    });
    const family = chooseTunnel(
      draft,
      routing,
      parts.isWhole && links.length === parts.links.length,
      own.client,
      findings,
    );
    const id = identifiers.get(draft);
    const wire = {
      client: side("client"),
      endpoint: side("endpoint"),
      ...(part.mtu !== undefined && { mtuBytes: part.mtu }),
      ...(id !== undefined && family !== undefined && { tunnel: { type: tunnelTypeOf(draft), id, family } }),
      policies: contextPolicies(part.policyRoutes),
      ...(part.guard !== undefined && { guard: part.guard }),
    };
    return { wire, part, path };
  });
}

function draft(part: WirePart, path: FilePath, parts: LabParts, findings: Findings): Draft[] {
  const [client, endpoint] = SIDES.map((key) => readPlace(part[key], [...path, key], parts, findings));
  if (!client || !endpoint) {
    // Report the other problems of the wire as well.
    for (const { path: inner, message } of checkRoutes(part, 0)) findings.add([...path, ...inner], message);
    return [];
  }
  if (client.host === endpoint.host && client.workload === endpoint.workload) {
    findings.add(
      [...path, "endpoint"],
      `both sides are in ${client.host}/${client.workload}; a wire joins two workloads`,
    );
    return [];
  }
  return [{ part, path, client, endpoint }];
}

/** `host/workload` or `host/workload/interface`. */
function readPlace(text: string, path: FilePath, parts: LabParts, findings: Findings): DraftEnd | undefined {
  const [host = "", workload = "", name = "", ...rest] = text.split("/");
  if (host === "" || workload === "" || rest.length > 0) {
    findings.add(path, `${quote(text)} does not fit: write host/workload or host/workload/interface`);
    return undefined;
  }
  if (!parts.hosts.has(host)) {
    findings.add(path, unknownName("host", host, parts.hosts.keys()));
    return undefined;
  }
  const workloads = parts.hosts.get(host)?.workloads;
  if (!workloads) return undefined;
  if (!workloads.includes(workload)) {
    findings.add(path, unknownName(`workload of ${host}`, workload, workloads));
    return undefined;
  }
  const [error] = text.split("/").length === 3 ? checkInterface(name, path) : [];
  if (error) {
    findings.add(path, error.message);
    return undefined;
  }
  return { host, workload, interface: name };
}

function nameInterfaces(drafts: readonly Draft[], findings: Findings): void {
  const taken = new Map<string, FilePath>();
  const each = drafts.flatMap((draft) =>
    SIDES.map((key) => ({ place: draft[key], path: [...draft.path, key] })),
  );
  const key = (place: DraftEnd, name: string): string => `${place.host}/${place.workload}/${name}`;
  for (const { place, path } of each.filter(({ place }) => place.interface !== "")) {
    const other = taken.get(key(place, place.interface));
    if (other) {
      findings.add(
        path,
        `the interface ${quote(place.interface)} of ${place.host}/${place.workload} is taken by ${formatPath(other)}; choose another name`,
      );
    } else taken.set(key(place, place.interface), path);
  }
  // An interface is named after the workload at the other end, so no name depends on the order of the file.
  for (const draft of drafts) {
    for (const [side, other] of BOTH_WAYS) {
      const place = draft[side];
      if (place.interface !== "") continue;
      const wanted = draft[other].workload;
      let name = interfaceNameProblem(wanted) === undefined ? wanted : wanted.slice(0, INTERFACE_NAME_BYTES);
      if (interfaceNameProblem(name) !== undefined) name = `to-${wanted}`;
      for (let n = 2; taken.has(key(place, name)); n++)
        name = `${wanted.slice(0, INTERFACE_NAME_BYTES - 4)}-${n}`;
      place.interface = name;
      taken.set(key(place, name), [...draft.path, side]);
    }
  }
}

type Addresses = Readonly<Record<SideKey, readonly string[]>>;

/** The addresses of the wires. Written addresses come first, so that no chosen address collides with them. */
function assignAddresses(drafts: readonly Draft[], findings: Findings): Addresses[] {
  const explicit = drafts.map(({ part, path }) =>
    typeof part.addresses === "object"
      ? readAddresses(part.addresses, [...path, "addresses"], findings)
      : undefined,
  );
  const pool = new SubnetPool(
    explicit
      .flatMap((given) => SIDES.flatMap((key) => given?.[key] ?? []))
      .map((text) => {
        const address = mustParseIp(text);
        return { address, length: address.bytes.length * 8 };
      }),
  );
  return drafts.map((draft, i) => explicit[i] ?? automaticAddresses(draft, pool));
}

function automaticAddresses({ part, client, endpoint }: Draft, pool: SubnetPool): Addresses {
  const families =
    part.addresses === "ipv4"
      ? [4 as const]
      : part.addresses === "ipv6"
        ? [6 as const]
        : [4 as const, 6 as const];
  const name = [client, endpoint]
    .map((place) => `${place.host}/${place.workload}/${place.interface}`)
    .join(" ");
  const pairs = families.map((family) => pool.takeWirePair(name, family));
  return {
    client: pairs.map(([first]) => formatIp(first)),
    endpoint: pairs.map(([, second]) => formatIp(second)),
  };
}

function readAddresses(given: Addresses, path: FilePath, findings: Findings): Addresses {
  const seen = new Map<string, SideKey>();
  const read = (key: SideKey): IpAddress[] =>
    given[key].flatMap((text, i) => {
      const at = [...path, key, i];
      const address: IpAddress | undefined = unwrap<IpAddress>(
        readPointToPointAddress(text) satisfies Read<IpAddress>,
        at,
        findings,
      );
      if (!address) return [];
      const canonical = formatIp(address);
      const other = seen.get(canonical);
      if (other)
        findings.add(at, `${quote(text)} is given twice on this wire; each side needs addresses of its own`);
      seen.set(canonical, key);
      return [address];
    });
  const [client, endpoint] = [read("client"), read("endpoint")];
  for (const family of [4, 6] as const) {
    const has = (side: readonly IpAddress[]): boolean => side.some((address) => address.family === family);
    if (client.length > 0 && endpoint.length > 0 && has(client) !== has(endpoint)) {
      const lacking = has(client) ? "endpoint" : "client";
      findings.add(
        [...path, lacking],
        `the ${lacking} has no IPv${family} address, the other side has one; both need one to talk`,
      );
    }
  }
  return { client: client.map(formatIp), endpoint: endpoint.map(formatIp) };
}

/** Checks the routes and policies of the wires, and that forwarders can make them. */
export function checkPlans(
  lab: Lab,
  wires: readonly CheckedWire[],
  { isUnderlaySound, findings }: { readonly isUnderlaySound: boolean; readonly findings: Findings },
): void {
  const routing = new UnderlayRouting(lab);
  const wrong = new Set(findings.list.flatMap(({ path: [list, i] }) => (list === "wires" ? [i] : [])));
  for (const { wire, part, path } of wires) {
    const isLocal = wire.client.host === wire.endpoint.host;
    const isSound = !wrong.has(path[1]) && (isLocal || (isUnderlaySound && wire.tunnel !== undefined));
    const found = checkWire(part, {
      addressCount: wire.client.addresses.length,
      wires: () => (isSound ? hostWires(lab, routing, wire).map((half) => half.wire) : []),
    });
    for (const { path: inner, message } of found) findings.add([...path, ...inner], message);
  }
}

/** Checks that an address leads to one place within a workload. */
function checkPeers(drafts: readonly Draft[], addresses: readonly Addresses[], findings: Findings): void {
  const seen = new Map<string, { readonly own: boolean; readonly path: FilePath }>();
  for (const [i, draft] of drafts.entries()) {
    for (const [key, otherKey] of BOTH_WAYS) {
      const { host, workload } = draft[key];
      const note = (address: string, own: boolean): void => {
        const identity = `${host}/${workload} ${address}`;
        const earlier = seen.get(identity);
        // Many wires may end at one address of a workload, as they do at a service.
        if (earlier && earlier.path !== draft.path && !(own && earlier.own)) {
          findings.add(
            [...draft.path, "addresses"],
            `in ${host}/${workload} the address ${address} overlaps one of ${formatPath(earlier.path)}; each wire needs another`,
          );
        }
        seen.set(identity, { own, path: draft.path });
      };
      for (const address of addresses[i]?.[key] ?? []) note(address, true);
      for (const address of addresses[i]?.[otherKey] ?? []) note(address, false);
    }
  }
}
