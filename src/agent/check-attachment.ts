/** What an attachment of the right shape means: addresses that are some, names that a kernel takes. */
import { create, toBinary } from "@bufbuild/protobuf";
import {
  NetworkServiceEndpointSchema,
  NetworkServiceLabelsSchema,
  NetworkServiceSchema,
} from "../api/gen/nsm/registry_pb.js";
import type { FilePath, Finding } from "../text/problem.ts";
import { quote } from "../text/problem.ts";
import { readPool } from "../text/read-address.ts";
import { LIMITS } from "../elements/limits.ts";
import { interfaceNameProblem } from "../net/interface-name.ts";
import { AddressPool } from "../ipam/address-pool.ts";
import { byteLength } from "../net/byte-length.ts";
import { type IpPrefix, network, overlaps, parseIp, parsePrefix } from "../net/ip.ts";
import { checkWorkload } from "../resolvers/workload-ref.ts";
import { MAX_ENTRY_BYTES } from "../registry/registrations.ts";
import type { ConnectAttachment, ExposeAttachment, NetworkServiceAttachment } from "./attachment.ts";
import { checkCount, checkPrefixes, checkWire, checkWritten } from "./check-wire.ts";
import { firstWire } from "./first-wire.ts";
import { networkServiceOf } from "./network-service.ts";
import { isNsUrl, parseNsUrl, serviceNameProblem } from "./nsurl.ts";
import { exposeWish, type ExposeWish } from "./wish.ts";

/** So long that four characters of chance, and a hyphen, still fit in behind it. */
const MAX_PREFIX_BYTES = 10;

/** Room for what is added to an entry on its way: names, its address, its path. */
const OWN_ENTRY_BYTES = 8_192;

type Labels = Readonly<Record<string, string>>;

export function checkService(document: NetworkServiceAttachment): Finding[] {
  const { name } = document;
  const problem = serviceNameProblem(name);
  if (problem !== undefined) return [{ path: ["name"], message: `${quote(name)}: ${problem}` }];
  const count = document.matches?.length ?? 0;
  if (count > LIMITS.list) return checkCount(count, ["matches"], "matches", LIMITS.list);
  return checkEntry(toBinary(NetworkServiceSchema, networkServiceOf(document)), ["matches"]);
}

export function checkConnect(document: ConnectAttachment): Finding[] {
  const read = checkServiceText(document.service, ["service"]);
  const own = document.interface;
  const findings = [
    ...checkWorkload(document.workload, ["workload"]),
    ...read.findings,
    ...checkInterface(own, ["interface"]),
    ...checkPrefixes(document.excludedPrefixes ?? [], ["excludedPrefixes"]),
    ...checkPrefixes(document.acceptRoutes ?? [], ["acceptRoutes"]),
  ];
  if (own !== undefined && read.interface !== "" && read.interface !== own) {
    const message = `the service's address names the interface ${quote(read.interface)}; name it once`;
    findings.push({ path: ["interface"], message });
  }
  findings.push(...checkLabels({ ...read.labels, ...document.labels }, ["labels"]));
  if (document.endpoint !== undefined && document.endpoint.length > LIMITS.name) {
    const message = `names of endpoints have at most ${LIMITS.name} characters, and this one ${document.endpoint.length}`;
    findings.push({ path: ["endpoint"], message });
  }
  for (const [label, value] of Object.entries(document.labels ?? {})) {
    const other = read.labels[label];
    if (other !== undefined && other !== value) {
      const message = `the service's address says ${quote(other)}; say it once`;
      findings.push({ path: ["labels", label], message });
    }
  }
  return findings;
}

export function checkExpose(document: ExposeAttachment): Finding[] {
  const seen = new Set<string>();
  const services = document.services.flatMap((text, i) => {
    const { findings, service, labels } = checkServiceText(text, ["services", i], checkInterfacePrefix);
    if (seen.has(service))
      findings.push({ path: ["services", i], message: `${quote(service)} is there twice; remove one` });
    seen.add(service);
    return [...findings, ...checkLabels({ ...labels, ...document.labels }, ["labels"])];
  });
  const findings = [
    ...checkWorkload(document.workload, ["workload"]),
    ...services,
    ...checkInterfacePrefix(document.interface, ["interface"]),
    ...checkPools(document),
    ...checkWritten(document, { addressCount: document.pools?.length ?? 0 }),
    ...checkPrefixes(document.excludedPrefixes ?? [], ["excludedPrefixes"]),
    ...checkPrefixes(document.acceptRoutes ?? [], ["acceptRoutes"]),
    ...checkCount(document.dns?.length ?? 0, ["dns"], "DNS configurations", LIMITS.list),
    ...checkCount(
      document.dns?.flatMap(({ servers }) => servers).length ?? 0,
      ["dns"],
      "name servers",
      LIMITS.list,
    ),
    ...(document.dns ?? []).flatMap(({ servers }, i) =>
      servers.flatMap((server, j) =>
        parseIp(server)
          ? []
          : [{ path: ["dns", i, "servers", j], message: `${quote(server)} is no IP address` }],
      ),
    ),
  ];
  if (findings.length > 0) return findings;
  const wish = exposeWish(document);
  const isOpen = wish.pools.length === 0 || wish.addressPolicy === "polite";
  return [
    ...checkWire(firstWire(wish), document, { isOpen }),
    ...checkEntry(endpointBytes(wish), ["labels"]),
  ];
}

function endpointBytes({ services }: ExposeWish): Uint8Array {
  const labelled = [...services].map(
    ([service, labels]) => [service, create(NetworkServiceLabelsSchema, { labels })] as const,
  );
  return toBinary(
    NetworkServiceEndpointSchema,
    create(NetworkServiceEndpointSchema, {
      networkServiceNames: [...services.keys()],
      networkServiceLabels: Object.fromEntries(labelled),
    }),
  );
}

function checkServiceText(
  text: string,
  path: FilePath,
  checkName = checkInterface,
): {
  readonly findings: Finding[];
  readonly service: string;
  readonly interface: string;
  readonly labels: Readonly<Record<string, string>>;
} {
  const none = { service: text, interface: "", labels: {} };
  if (!isNsUrl(text)) {
    const problem = serviceNameProblem(text);
    return {
      ...none,
      findings: problem === undefined ? [] : [{ path, message: `${quote(text)}: ${problem}` }],
    };
  }
  const result = parseNsUrl(text);
  if (!result.ok) return { ...none, findings: [{ path, message: `${quote(text)}: ${result.problem}` }] };
  const { mechanism, service, interface: name, labels } = result.url;
  const findings = name === "" ? [] : checkName(name, path);
  if (mechanism !== "kernel")
    findings.push({ path, message: `the mechanism ${quote(mechanism)} is not supported here; use kernel` });
  return { findings, service, interface: name, labels };
}

function checkInterface(name: string | undefined, path: FilePath): Finding[] {
  const problem = name === undefined ? undefined : interfaceNameProblem(name);
  return problem === undefined
    ? []
    : [{ path, message: `the interface name ${quote(name ?? "")} ${problem.replace(/\.$/, "")}` }];
}

function checkInterfacePrefix(name: string | undefined, path: FilePath): Finding[] {
  const problems = checkInterface(name, path);
  const bytes = byteLength(name ?? "");
  if (problems.length > 0 || name === undefined || bytes <= MAX_PREFIX_BYTES) return problems;
  const message = `${quote(name)} has ${bytes} bytes; names begin with ${MAX_PREFIX_BYTES} at most, and end with some of their own`;
  return [{ path, message }];
}

function checkPools({ pools = [], excludedPrefixes = [] }: ExposeAttachment): Finding[] {
  const groups = pools.map((group) => (typeof group === "string" ? [group] : group));
  const at = (i: number, j: number): FilePath =>
    typeof pools[i] === "string" ? ["pools", i] : ["pools", i, j];
  const read = groups.flatMap((group, i) =>
    group.map((text, j) => ({ text, path: at(i, j), ...readPool(text) })),
  );
  const wrong = read.flatMap(({ path, ...each }) => ("error" in each ? [{ path, message: each.error }] : []));
  const sound = read.flatMap((each) => ("value" in each ? [each] : []));
  const excluded = excludedPrefixes.flatMap((text) => parsePrefix(text) ?? []);
  return [
    ...checkCount(pools.length, ["pools"], "pools", LIMITS.list),
    ...wrong,
    ...sound.flatMap(({ text, value, path }, i) => poolProblem({ text, value }, sound.slice(0, i), path)),
    ...groups.flatMap((group, i) => groupProblem(group, excluded, ["pools", i])),
  ];
}

interface Pool {
  readonly text: string;
  readonly value: IpPrefix;
}

function poolProblem({ text, value }: Pool, before: readonly Pool[], path: FilePath): Finding[] {
  if (!hasPair(value, []))
    return [{ path, message: `${quote(text)} has no room for two addresses, one for each end of a wire` }];
  const other = before.find((each) => overlaps(each.value, value));
  if (!other) return [];
  return [{ path, message: `${quote(text)} overlaps ${quote(other.text)}; an address is in one pool only` }];
}

function groupProblem(group: readonly string[], excluded: readonly IpPrefix[], path: FilePath): Finding[] {
  if (group.length === 0) return [{ path, message: "a group needs a prefix" }];
  const prefixes = group.flatMap((text) => parsePrefix(text) ?? []);
  if (new Set(prefixes.map(({ address }) => address.family)).size > 1) {
    const message =
      "a group is of one family: each wire gets one pair of it; write two groups for dual stack";
    return [{ path, message }];
  }
  const hadRoom = prefixes.some((prefix) => hasPair(prefix, []));
  if (!hadRoom || prefixes.some((prefix) => hasPair(prefix, excluded))) return [];
  return [{ path, message: "excludedPrefixes leave no room for a wire's two addresses" }];
}

function hasPair(prefix: IpPrefix, excluded: readonly IpPrefix[]): boolean {
  const pool = new AddressPool(network(prefix));
  return [1, 2].every(() => pool.take(excluded) !== undefined);
}

/** Every client and every endpoint has one label more: its host's name. */
function checkLabels(labels: Labels, path: FilePath): Finding[] {
  const entries = Object.entries(labels);
  const most = Object.hasOwn(labels, "nodeName") ? LIMITS.pairs : LIMITS.pairs - 1;
  if (entries.length > most)
    return [{ path, message: `${entries.length} labels are too many; there is room for ${most}` }];
  return entries.flatMap(([key, value]): Finding[] => {
    const tooLong = (what: string, length: number, limit: number, atKey: boolean): Finding => ({
      path: [...path, key],
      atKey,
      message: `${what} of ${length} characters is too long; ${limit} are allowed`,
    });
    return [
      ...(key.length > LIMITS.name ? [tooLong("a label's name", key.length, LIMITS.name, true)] : []),
      ...(value.length > LIMITS.value ? [tooLong("a label", value.length, LIMITS.value, false)] : []),
    ];
  });
}

/** What a registry keeps of it has to fit. */
function checkEntry(bytes: Uint8Array, path: FilePath): Finding[] {
  const most = MAX_ENTRY_BYTES - OWN_ENTRY_BYTES;
  if (bytes.length <= most) return [];
  return [{ path, message: `registries take ${most} bytes, and this has ${bytes.length}; shorten it` }];
}
