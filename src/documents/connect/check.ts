import { LIMITS } from "../../elements/limits.ts";
import { checkWorkload } from "../../resolvers/workload-ref.ts";
import { type FilePath, type Finding, quote } from "../../text/problem.ts";
import { checkInterface } from "../fragments/interface-name.ts";
import { checkLabels } from "../fragments/labels.ts";
import { checkPort } from "../fragments/port.ts";
import { checkPrefixes } from "../fragments/prefixes.ts";
import { checkService } from "../fragments/service.ts";
import type { ConnectDocument } from "./schema.ts";

/** Each adds two stations to the path of a wire. */
const MAX_VIA = 8;
const HOST = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/;

export function checkConnect(document: ConnectDocument): Finding[] {
  const read = checkService(document.service, ["service"]);
  const own = document.interface;
  const findings = [
    ...checkWorkload(document.workload, ["workload"]),
    ...read.findings,
    ...checkInterface(own, ["interface"]),
    ...checkPort(document, [
      [own, ["interface"]],
      [read.interface, ["service"]],
    ]),
    ...checkPrefixes(document.excludedPrefixes ?? [], ["excludedPrefixes"]),
    ...checkPrefixes(document.acceptRoutes ?? [], ["acceptRoutes"]),
    ...checkVia(document.via ?? [], ["via"]),
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

/** Hosts have names as `netloom agent --name` takes them. */
function checkVia(hosts: readonly string[], path: FilePath): Finding[] {
  if (hosts.length > MAX_VIA)
    return [{ path, message: `${hosts.length} hosts are too many; there is room for ${MAX_VIA}` }];
  return hosts.flatMap((host, i): Finding[] => {
    if (!HOST.test(host)) return [{ path: [...path, i], message: `${quote(host)} is no name of a host` }];
    const isTwice = hosts.indexOf(host) < i;
    return isTwice ? [{ path: [...path, i], message: `the host ${quote(host)} is there twice` }] : [];
  });
}
