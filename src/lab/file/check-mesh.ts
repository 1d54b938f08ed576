/** Checks the processes of a lab file: the hosts with agents, the addresses of agents and registries, and the documents. */
import { clashesOf } from "../../attachments/clashes.ts";
import { refText } from "../../attachments/spec.ts";
import { HOST_ANNOTATION, LAB_KINDS } from "../../documents/api-version.ts";
import { DOCUMENTS } from "../../documents/documents.ts";
import { KINDS } from "../../documents/kinds.ts";
import { isRecord } from "../../text/check-shape.ts";
import { type FilePath, type Finding, quote } from "../../text/problem.ts";
import { formatIp, mustParseIp, mustParsePrefix } from "../../net/ip.ts";
import { whyNoTunnelEnd } from "../../net/unusable.ts";
import type { CheckedLink } from "./check-links.ts";
import { type Findings, type LabParts, unknownName } from "./findings.ts";
import type { LabAgent, LabAttachment, LabMesh } from "./model.ts";
import { isSharedStore } from "../../store/stores.ts";
import { addressOn, UnderlayRouting } from "../topology/underlay.ts";

/** Other names in the state directory of a lab, where each host has a folder. */
const TAKEN = ["lock", "bpf"];

/** The processes. `undefined` if the lab has none, or if problems prevent finding them. */
export function checkMesh(
  parts: LabParts,
  links: readonly CheckedLink[],
  findings: Findings,
): LabMesh | undefined {
  const before = findings.list.length;
  const agents = agentHosts(parts, findings);
  const registries = registryHosts(parts, agents, findings);
  const [registry] = registries;
  if (agents.length === 0 || registry === undefined) {
    for (const [host, own] of parts.hosts)
      if (Object.keys(own?.ports ?? {}).length > 0)
        findings.addAtKey(
          ["hosts", host, "ports"],
          "ports are workloads of documents for agents; name the hosts with an agent: agents: true",
        );
    for (const { index, data } of parts.documents)
      findings.addIn(index, { path: ["kind"], message: notForAnyAgent(data) });
    return undefined;
  }
  for (const { index } of parts.wires) {
    const kinds = KINDS.filter(({ end }) => end !== undefined).map(({ kind }) => kind);
    const written = kinds.toReversed().join(" and a ");
    const message = `agents make the wires of this lab; write a ${written} instead`;
    findings.addIn(index, { path: ["kind"], message });
  }
  const attachments = parts.documents.flatMap(({ data, index }) =>
    readOne(data, index, { parts, agents, registry, findings }),
  );
  reportTwice(attachments, findings);
  // Addresses can be found only if all links are valid.
  const isSound = findings.list.length === before && parts.isWhole && links.length === parts.links.length;
  const routing = new UnderlayRouting({ routers: parts.routers, links: links.map(({ link }) => link) });
  const placed = isSound ? placeAgents({ agents, registries, links, routing, parts }, findings) : [];
  return {
    registries,
    ...(parts.store !== undefined && { store: parts.store }),
    agents: placed,
    attachments: attachments.map(({ attachment }) => attachment),
  };
}

/** The problem with a document in a lab without agents. */
function notForAnyAgent(data: unknown): string {
  const kind = isRecord(data) ? data["kind"] : undefined;
  const known = [...LAB_KINDS, ...KINDS.map((each) => each.kind)];
  return typeof kind === "string" && !known.includes(kind)
    ? unknownName("kind", kind, known)
    : "this document is for an agent; name the hosts with an agent: agents: true";
}

/** Hosts that run a registry: those in the file, or the first host with an agent. */
function registryHosts(
  { registries, store, hosts }: LabParts,
  agents: readonly string[],
  findings: Findings,
): readonly string[] {
  for (const name of registries)
    if (!hosts.has(name)) findings.add(["registry"], unknownName("host", name, hosts.keys()));
  for (const name of new Set(registries.filter((each, i) => registries.indexOf(each) < i)))
    findings.addAtKey(["registry"], `${quote(name)} appears twice; remove one`);
  const known = [...new Set(registries.filter((name) => hosts.has(name)))];
  if (agents.length === 0 && known.length > 0)
    findings.addAtKey(["registry"], "a registry is for agents; name the hosts with an agent: agents: true");
  if (agents.length === 0 && store !== undefined)
    findings.addAtKey(
      ["store"],
      "a store is for a registry of agents; name the hosts with an agent: agents: true",
    );
  if (known.length > 1 && store !== undefined && !isSharedStore(store))
    findings.add(
      ["store"],
      `${known.length} registries share one store, and this one works for a single process only; leave it out`,
    );
  return known.length > 0 ? known : agents.slice(0, 1);
}

function agentHosts({ agents, hosts }: LabParts, findings: Findings): string[] {
  if (agents === false) return [];
  const wanted = agents === true ? [...hosts.keys()] : agents;
  for (const [i, name] of wanted.entries()) {
    const path: FilePath = agents === true ? ["agents"] : ["agents", i];
    if (!hosts.has(name)) findings.add(path, unknownName("host", name, hosts.keys()));
    if (TAKEN.includes(name)) findings.add(path, `a host with an agent cannot be called ${quote(name)}`);
    if (wanted.indexOf(name) < i) findings.add(path, `${quote(name)} appears twice; remove one`);
  }
  return wanted.filter((name) => hosts.has(name));
}

interface Read {
  readonly index: number;
  readonly attachment: LabAttachment;
}

interface ReadContext {
  readonly parts: LabParts;
  readonly agents: readonly string[];
  readonly registry: string;
  readonly findings: Findings;
}

/** Reads a document of a lab. Its workload is `host/workload`; an annotation names the host of a document without one. */
function readOne(given: unknown, index: number, { parts, agents, registry, findings }: ReadContext): Read[] {
  const add = (path: FilePath, message: string): void => findings.addIn(index, { path, message });
  const spec = isRecord(given) && isRecord(given["spec"]) ? given["spec"] : undefined;
  const { host: named, rest } = withoutHost(given);
  const place = spec?.["workload"];
  let host = agents.includes(registry) ? registry : (agents[0] ?? registry);
  let document = rest;
  if (typeof place === "string") {
    host = place.split("/")[0] ?? "";
    const workload = place.slice(host.length + 1);
    const own = parts.hosts.get(host);
    const ports = Object.keys(own?.ports ?? {});
    const known = [...(own?.workloads ?? []), ...ports];
    if (!agents.includes(host)) add(["spec", "workload"], unknownName("host with an agent", host, agents));
    else if (!known.includes(workload))
      add(["spec", "workload"], unknownName(`workload of ${host}`, workload, known));
    const ref = ports.includes(workload) ? { port: workload } : { lab: `${parts.name}/${place}` };
    document = { ...(rest as object), spec: { ...spec, workload: ref } };
  } else if (isRecord(place)) {
    add(["spec", "workload"], "in a lab a workload is written host/workload");
    return [];
  }
  if (named !== undefined) {
    const path = ["metadata", "annotations", HOST_ANNOTATION];
    if (typeof named !== "string" || !agents.includes(named))
      add(
        path,
        unknownName("host with an agent", typeof named === "string" ? named : JSON.stringify(named), agents),
      );
    else if (typeof place === "string" && named !== host)
      add(path, `the workload is on ${host}; leave the host out`);
    else host = named;
  }
  const result = DOCUMENTS.read(document);
  if (result.ok)
    return [{ index, attachment: { host, ...(typeof place === "string" && { place }), spec: result.spec } }];
  for (const finding of result.findings) findings.addIn(index, finding);
  return [];
}

/** The host that a document names, and the document without it. */
function withoutHost(given: unknown): { readonly host?: unknown; readonly rest: unknown } {
  if (!isRecord(given) || !isRecord(given["metadata"]) || !isRecord(given["metadata"]["annotations"]))
    return { rest: given };
  const { [HOST_ANNOTATION]: host, ...others } = given["metadata"]["annotations"];
  const { annotations: _annotations, ...metadata } = given["metadata"];
  const isLeft = Object.keys(others).length > 0;
  return { host, rest: { ...given, metadata: { ...metadata, ...(isLeft && { annotations: others }) } } };
}

function reportTwice(attachments: readonly Read[], findings: Findings): void {
  const seen = new Set<string>();
  for (const { index, attachment } of attachments) {
    const name = `${refText(attachment.spec)} on ${attachment.host}`;
    if (seen.has(name))
      findings.addIn(index, {
        path: ["metadata", "name"],
        message: `${quote(name)} appears twice; rename or remove one`,
      });
    seen.add(name);
  }
  const add = (read: Read | undefined, finding: Finding): void => {
    if (read) findings.addIn(read.index, finding);
  };
  const specs = attachments.map(({ attachment }) => attachment.spec);
  for (const { index, finding } of DOCUMENTS.contradictions(specs)) add(attachments[index], finding);
  for (const host of new Set(attachments.map(({ attachment }) => attachment.host))) {
    const own = attachments.filter(({ attachment }) => attachment.host === host);
    for (const { index, problem } of clashesOf(own.map(({ attachment }) => attachment.spec)))
      add(own[index], { path: ["spec", "interface"], message: problem });
  }
}

/** Finds the addresses by which the agents reach each other. */
function placeAgents(
  lab: {
    readonly parts: LabParts;
    readonly agents: readonly string[];
    readonly registries: readonly string[];
    readonly links: readonly CheckedLink[];
    readonly routing: UnderlayRouting;
  },
  findings: Findings,
): LabAgent[] {
  const { agents, registries, links, routing } = lab;
  const all = [...new Set([...agents, ...registries])];
  const reachable = (host: string): string[] =>
    ([4, 6] as const).flatMap((family) => {
      const own = links.flatMap(({ link }) => addressOn(link, host, family) ?? []).map(bare);
      const found = own.find((address) =>
        all.every((other) => other === host || routing.mtuTo(other, address) !== undefined),
      );
      return found ?? [];
    });
  const addresses = new Map(all.map((host) => [host, reachable(host)]));
  for (const [host, own] of addresses) {
    if (all.length === 1 || own.length > 0) continue;
    const others = all.filter((other) => other !== host).join(", ");
    const remedy =
      all.length === 2
        ? "link the two, or put a router in between"
        : "link all of them to a router: hosts do not forward, and an agent has one address for all others";
    const message = `${host} has no address that ${others} reach; ${remedy}`;
    findings.addAtKey(["agents"], message);
  }
  for (const host of agents)
    for (const address of addresses.get(host) ?? []) {
      const what = whyNoTunnelEnd(mustParseIp(address));
      if (what !== undefined)
        findings.addAtKey(
          ["agents"],
          `the address of ${host}, ${address}, is ${what}: no tunnel can end there; give its link another subnet`,
        );
    }
  const mtuOf = (host: string): number => {
    const mtus = all.flatMap((other) =>
      other === host
        ? []
        : [
            ...(addresses.get(other) ?? []).map((address) => routing.mtuTo(host, address)),
            ...(addresses.get(host) ?? []).map((address) => routing.mtuTo(other, address)),
          ],
    );
    return mtus.length === 0 ? 1500 : Math.min(...mtus.filter((mtu) => mtu !== undefined));
  };
  return agents.map((host) => ({
    host,
    addresses: addresses.get(host) ?? [],
    underlayMtuBytes: mtuOf(host),
    allowHostWorkload: lab.parts.hostWorkloads,
    registryAddresses: registryAddresses(host, registries, addresses),
  }));
}

/** The registries' addresses, the host's own first. A host has one address towards all registries: its names belong to it. */
function registryAddresses(
  host: string,
  registries: readonly string[],
  addresses: ReadonlyMap<string, readonly string[]>,
): string[] {
  const ordered = registries.toSorted((a, b) => Number(b === host) - Number(a === host));
  return ordered.map((registry) =>
    registry === host && registries.length === 1
      ? "127.0.0.1"
      : (addresses.get(registry)?.[0] ?? "127.0.0.1"),
  );
}

function bare(address: string): string {
  return formatIp(mustParsePrefix(address).address);
}
