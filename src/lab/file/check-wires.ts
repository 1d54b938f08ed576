/** Checks the Wire documents of a lab: their ends, interfaces, addresses and paths. */
import { checkWire } from "../../documents/fragments/check-wire.ts";
import { checkInterface } from "../../documents/fragments/interface-name.ts";
import { checkRoutes, contextPolicies, contextRoutes } from "../../documents/fragments/routes.ts";
import { interfaceNameProblem } from "../../net/interface-name.ts";
import { formatIp, type IpAddress, mustParseIp } from "../../net/ip.ts";
import { type Read, readPointToPointAddress } from "../../text/read-address.ts";
import { SubnetPool } from "./addresses.ts";
import { type CheckedLink, unwrap } from "./check-links.ts";
import {
  DocumentFindings,
  type Findings,
  type LabParts,
  unknownName,
  type WireDocument,
} from "./findings.ts";
import { type Lab, type LabWire, type WireSide } from "./model.ts";
import { type FilePath, quote } from "../../text/problem.ts";
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

/** A wire without problems, before the underlay is checked, and its document. */
export interface CheckedWire {
  readonly wire: LabWire;
  readonly part: WirePart;
  readonly index: number;
}

/** Checks the wires. Returns those without problems. */
export function checkWires(
  parts: LabParts,
  links: readonly CheckedLink[],
  findings: Findings,
): CheckedWire[] {
  reportTwice(parts.wires, findings);
  const drafts = parts.wires.flatMap((each) => draft(each, parts, findings));
  nameInterfaces(drafts);
  const addresses = assignAddresses(drafts);
  checkPeers(drafts, addresses);
  const routing = new UnderlayRouting({ routers: parts.routers, links: links.map(({ link }) => link) });
  const identifiers = chooseIdentifiers(drafts);
  return drafts.map((draft, i): CheckedWire => {
    const { part, index } = draft;
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
    return { wire, part, index };
  });
}

function reportTwice(wires: readonly WireDocument[], findings: Findings): void {
  const names = wires.map(({ name }) => name);
  for (const [i, { index, name }] of wires.entries())
    if (name !== "" && names.indexOf(name) < i)
      findings.addIn(index, {
        path: ["metadata", "name"],
        message: `the wire ${quote(name)} appears twice; rename or remove one`,
      });
}

function draft({ index, name, spec: part }: WireDocument, parts: LabParts, all: Findings): Draft[] {
  if (!part) return [];
  const findings = new DocumentFindings(all, index);
  const [client, endpoint] = SIDES.map((key) => readPlace(part[key], [key], parts, findings));
  if (!client || !endpoint) {
    // Report the other problems of the wire as well.
    for (const { path, message } of checkRoutes(part, 0)) findings.add(path, message);
    return [];
  }
  if (client.host === endpoint.host && client.workload === endpoint.workload) {
    findings.add(
      ["endpoint"],
      `both sides are in ${client.host}/${client.workload}; a wire joins two workloads`,
    );
    return [];
  }
  return [{ index, name, part, findings, client, endpoint }];
}

/** `host/workload` or `host/workload/interface`. */
function readPlace(
  text: string,
  path: FilePath,
  parts: LabParts,
  findings: DocumentFindings,
): DraftEnd | undefined {
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

function nameInterfaces(drafts: readonly Draft[]): void {
  const taken = new Map<string, Draft>();
  const each = drafts.flatMap((draft) => SIDES.map((side) => ({ draft, side, place: draft[side] })));
  const key = (place: DraftEnd, name: string): string => `${place.host}/${place.workload}/${name}`;
  for (const { draft, side, place } of each.filter(({ place }) => place.interface !== "")) {
    const other = taken.get(key(place, place.interface));
    if (other) {
      draft.findings.add(
        [side],
        `the interface ${quote(place.interface)} of ${place.host}/${place.workload} is taken by the wire ${quote(other.name)}; choose another name`,
      );
    } else taken.set(key(place, place.interface), draft);
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
      taken.set(key(place, name), draft);
    }
  }
}

type Addresses = Readonly<Record<SideKey, readonly string[]>>;

/** The addresses of the wires. Written addresses come first, so that no chosen address collides with them. */
function assignAddresses(drafts: readonly Draft[]): Addresses[] {
  const explicit = drafts.map(({ part, findings }) =>
    typeof part.addresses === "object" ? readAddresses(part.addresses, findings) : undefined,
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

function readAddresses(given: Addresses, findings: DocumentFindings): Addresses {
  const path = ["addresses"];
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
        `the ${lacking} has no IPv${family} address, the other side has one; both need one`,
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
  const wrong = new Set(wires.filter(({ index }) => findings.has(index)));
  for (const checked of wires) {
    const { wire, part, index } = checked;
    const isLocal = wire.client.host === wire.endpoint.host;
    const isSound = !wrong.has(checked) && (isLocal || (isUnderlaySound && wire.tunnel !== undefined));
    const found = checkWire(part, {
      addressCount: wire.client.addresses.length,
      wires: () => (isSound ? hostWires(lab, routing, wire).map((half) => half.wire) : []),
    });
    const own = new DocumentFindings(findings, index);
    for (const { path, message } of found) own.add(path, message);
  }
}

/** Checks that an address leads to one place within a workload. */
function checkPeers(drafts: readonly Draft[], addresses: readonly Addresses[]): void {
  const seen = new Map<string, { readonly own: boolean; readonly draft: Draft }>();
  for (const [i, draft] of drafts.entries()) {
    for (const [key, otherKey] of BOTH_WAYS) {
      const { host, workload } = draft[key];
      const note = (address: string, own: boolean): void => {
        const identity = `${host}/${workload} ${address}`;
        const earlier = seen.get(identity);
        // Many wires may end at one address of a workload, as they do at a service.
        if (earlier && earlier.draft !== draft && !(own && earlier.own)) {
          draft.findings.add(
            ["addresses"],
            `in ${host}/${workload} the address ${address} overlaps an address of the wire ${quote(earlier.draft.name)}; choose another address`,
          );
        }
        seen.set(identity, { own, draft });
      };
      for (const address of addresses[i]?.[key] ?? []) note(address, true);
      for (const address of addresses[i]?.[otherKey] ?? []) note(address, false);
    }
  }
}
