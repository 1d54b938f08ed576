/** What an attachment of the right shape means: addresses that are some, names that a kernel takes. */
import type { FilePath, Finding } from "../document/problem.ts";
import { quote } from "../document/problem.ts";
import { interfaceNameProblem } from "../forwarder/validate.ts";
import { byteLength } from "../net/byte-length.ts";
import { formatPrefix, network, parseIp, parsePrefix } from "../net/ip.ts";
import type {
  ConnectAttachment,
  ExposeAttachment,
  NetworkServiceAttachment,
  PolicyPart,
  RoutePart,
  WorkloadPart,
} from "./attachment.ts";
import { labPlaceProblem } from "./lab-place.ts";
import { isNsUrl, parseNsUrl, serviceNameProblem } from "./nsurl.ts";

/** So long that four characters of chance, and a hyphen, still fit in behind it. */
const MAX_PREFIX_BYTES = 10;

export function checkService({ name }: NetworkServiceAttachment): Finding[] {
  const problem = serviceNameProblem(name);
  return problem === undefined ? [] : [{ path: ["name"], message: `${quote(name)}: ${problem}` }];
}

export function checkConnect(document: ConnectAttachment): Finding[] {
  const read = checkServiceText(document.service, ["service"]);
  const own = document.interface;
  const findings = [
    ...checkWorkload(document.workload),
    ...read.findings,
    ...checkInterface(own, ["interface"]),
    ...checkPrefixes(document.excludedPrefixes ?? [], ["excludedPrefixes"]),
    ...checkPrefixes(document.acceptRoutes ?? [], ["acceptRoutes"]),
  ];
  if (own !== undefined && read.interface !== "" && read.interface !== own) {
    const message = `the service's address names the interface ${quote(read.interface)}; name it once`;
    findings.push({ path: ["interface"], message });
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
    const { findings, service } = checkServiceText(text, ["services", i], checkInterfacePrefix);
    if (seen.has(service))
      findings.push({ path: ["services", i], message: `${quote(service)} is there twice; remove one` });
    seen.add(service);
    return findings;
  });
  return [
    ...checkWorkload(document.workload),
    ...services,
    ...checkInterfacePrefix(document.interface, ["interface"]),
    ...checkPools(document),
    ...checkRoutes(document.routes?.client ?? [], ["routes", "client"]),
    ...checkRoutes(document.routes?.endpoint ?? [], ["routes", "endpoint"]),
    ...(document.policies ?? []).flatMap((policy, i) => checkPolicy(policy, ["policies", i])),
    ...checkPrefixes(document.excludedPrefixes ?? [], ["excludedPrefixes"]),
    ...checkPrefixes(document.acceptRoutes ?? [], ["acceptRoutes"]),
    ...(document.dns ?? []).flatMap(({ servers }, i) =>
      servers.flatMap((server, j) =>
        parseIp(server)
          ? []
          : [{ path: ["dns", i, "servers", j], message: `${quote(server)} is no IP address` }],
      ),
    ),
  ];
}

function checkWorkload(workload: WorkloadPart): Finding[] {
  if ("lab" in workload) {
    const problem = labPlaceProblem(workload.lab);
    return problem === undefined ? [] : [{ path: ["workload", "lab"], message: problem }];
  }
  if (!("netns" in workload) || /^\/[^\p{Cc}]{1,1024}$/u.test(workload.netns)) return [];
  const message = `${quote(workload.netns)} is no absolute path; write one such as /run/netns/web`;
  return [{ path: ["workload", "netns"], message }];
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

function checkPools({ pools = [] }: ExposeAttachment): Finding[] {
  return pools.flatMap((group, i): Finding[] => {
    const prefixes = typeof group === "string" ? [group] : group;
    const at = (j: number): FilePath => (typeof group === "string" ? ["pools", i] : ["pools", i, j]);
    if (prefixes.length === 0) return [{ path: ["pools", i], message: "a group needs a prefix" }];
    const findings = prefixes.flatMap((prefix, j) => checkPrefix(prefix, at(j)));
    if (findings.length > 0) return findings;
    const families = new Set(prefixes.map((prefix) => prefix.includes(":")));
    if (families.size > 1) {
      const message =
        "a group is of one family: each wire gets one pair of it; write two groups for dual stack";
      return [{ path: ["pools", i], message }];
    }
    return [];
  });
}

function checkPrefixes(prefixes: readonly string[], path: FilePath): Finding[] {
  return prefixes.flatMap((prefix, i) => checkPrefix(prefix, [...path, i]));
}

function checkPrefix(text: string, path: FilePath): Finding[] {
  const prefix = parsePrefix(text);
  if (!prefix) return [{ path, message: `${quote(text)} is no prefix such as 10.0.0.0/24 or fd00::/64` }];
  const canonical = formatPrefix(network(prefix));
  if (canonical === formatPrefix(prefix)) return [];
  return [{ path, message: `${quote(text)} has host bits; did you mean "${canonical}"?` }];
}

function checkRoutes(routes: readonly RoutePart[], path: FilePath): Finding[] {
  return routes.flatMap((route, i): Finding[] => {
    if (typeof route === "string") return checkPrefix(route, [...path, i]);
    const findings = checkPrefix(route.to, [...path, i, "to"]);
    if (route.via === undefined) return findings;
    const via = parseIp(route.via);
    const family = route.to.includes(":") ? 6 : 4;
    if (via?.family !== family) {
      findings.push({ path: [...path, i, "via"], message: `${quote(route.via)} is no IPv${family} address` });
    }
    return findings;
  });
}

function checkPolicy(policy: PolicyPart, path: FilePath): Finding[] {
  const ports = (["sourcePorts", "destinationPorts"] as const).flatMap((key) => {
    const problem = portsProblem(policy[key], policy.protocol);
    return problem === undefined ? [] : [{ path: [...path, key], message: problem }];
  });
  return [
    ...(policy.from === undefined ? [] : checkPrefix(policy.from, [...path, "from"])),
    ...ports,
    ...checkRoutes(policy.routes ?? [], [...path, "routes"]),
  ];
}

/** `80`, `8000-8999`; only where the protocol has ports. */
function portsProblem(ports: number | string | undefined, protocol: string | undefined): string | undefined {
  if (ports === undefined) return undefined;
  const text = String(ports);
  const [, first = "", last = first] = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === "" || from < 1 || to > 65_535 || from > to)
    return `${quote(text)} is no port or range such as 80 or 8000-8999`;
  return protocol === "tcp" || protocol === "udp" || protocol === "sctp"
    ? undefined
    : "ports need the protocol tcp, udp or sctp";
}
