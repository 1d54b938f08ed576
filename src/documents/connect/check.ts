import { LIMITS } from "../../elements/limits.ts";
import { checkWorkload } from "../../resolvers/workload-ref.ts";
import { type Finding, quote } from "../../text/problem.ts";
import { checkInterface } from "../fragments/interface-name.ts";
import { checkLabels } from "../fragments/labels.ts";
import { checkPrefixes } from "../fragments/prefixes.ts";
import { checkService } from "../fragments/service.ts";
import type { ConnectDocument } from "./schema.ts";

export function checkConnect(document: ConnectDocument): Finding[] {
  const read = checkService(document.service, ["service"]);
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
