import { LIMITS } from "../../elements/limits.ts";
import { checkWorkload } from "../../resolvers/workload-ref.ts";
import { type FilePath, type Finding, quote, within } from "../../text/problem.ts";
import { checkInterface } from "../fragments/interface-name.ts";
import { checkLabels, LABELS } from "../fragments/labels.ts";
import { checkPort } from "../fragments/port.ts";
import { checkPrefixes } from "../fragments/prefixes.ts";
import { checkService } from "../fragments/service.ts";
import type { ClientDocument } from "./schema.ts";

/** Limit of hosts in `via`. Each host adds two stations to the path of a wire. */
const MAX_VIA = 8;
const HOST = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/;

export function checkClient({ metadata: { labels = {} }, spec }: ClientDocument): Finding[] {
  const read = checkService(spec.service, ["service"]);
  const own = spec.interface;
  const findings = [
    ...checkWorkload(spec.workload, ["workload"]),
    ...read.findings,
    ...checkInterface(own, ["interface"]),
    ...checkPort(spec, [
      [own, ["interface"]],
      [read.interface, ["service"]],
    ]),
    ...checkPrefixes(spec.excludedPrefixes ?? [], ["excludedPrefixes"]),
    ...checkPrefixes(spec.acceptRoutes ?? [], ["acceptRoutes"]),
    ...checkVia(spec.via ?? [], ["via"]),
  ];
  if (own !== undefined && read.interface !== "" && read.interface !== own) {
    const message = `the service's address names the interface ${quote(read.interface)}; name it once`;
    findings.push({ path: ["interface"], message });
  }
  if (spec.endpoint !== undefined && spec.endpoint.length > LIMITS.name) {
    const message = `names of endpoints have at most ${LIMITS.name} characters, and this one ${spec.endpoint.length}`;
    findings.push({ path: ["endpoint"], message });
  }
  const contradicted = Object.entries(labels).flatMap(([label, value]): Finding[] => {
    const other = read.labels[label];
    if (other === undefined || other === value) return [];
    return [{ path: [...LABELS, label], message: `the service's address has ${quote(other)}; give it once` }];
  });
  return [
    ...within("spec", findings),
    ...checkLabels({ ...read.labels, ...labels }, LABELS),
    ...contradicted,
  ];
}

/** A host name has the form that `netloom agent --name` takes. */
function checkVia(hosts: readonly string[], path: FilePath): Finding[] {
  if (hosts.length > MAX_VIA)
    return [{ path, message: `${hosts.length} hosts are too many; there is room for ${MAX_VIA}` }];
  return hosts.flatMap((host, i): Finding[] => {
    if (!HOST.test(host)) return [{ path: [...path, i], message: `${quote(host)} is not a host name` }];
    const isTwice = hosts.indexOf(host) < i;
    return isTwice ? [{ path: [...path, i], message: `the host ${quote(host)} appears twice` }] : [];
  });
}
