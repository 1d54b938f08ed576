import { checkWorkload } from "../../resolvers/workload-ref.ts";
import { type Finding, quote } from "../../text/problem.ts";
import { checkOffer } from "../fragments/check-offer.ts";
import { checkDns } from "../fragments/dns.ts";
import { checkInterfacePrefix } from "../fragments/interface-name.ts";
import { checkLabels } from "../fragments/labels.ts";
import { checkPort } from "../fragments/port.ts";
import { checkPrefixes } from "../fragments/prefixes.ts";
import { checkRegistered } from "../fragments/registered-labels.ts";
import { checkService } from "../fragments/service.ts";
import type { ExposeDocument } from "./schema.ts";
import { exposeWish } from "./wish.ts";

export function checkExpose(document: ExposeDocument): Finding[] {
  const { pools = [], addressPolicy } = document;
  const findings = [
    ...checkWorkload(document.workload, ["workload"]),
    ...checkServices(document),
    ...checkInterfacePrefix(document.interface, ["interface"]),
    ...checkPort(document, [
      [document.interface, ["interface"]],
      [checkService(document.services[0] ?? "", []).interface, ["services", 0]],
    ]),
    ...checkOffer(document, { isOpen: pools.length === 0 || addressPolicy === "polite" }),
    ...checkPrefixes(document.acceptRoutes ?? [], ["acceptRoutes"]),
    ...checkDns(document.dns ?? [], ["dns"]),
  ];
  return findings.length > 0 ? findings : checkRegistered(exposeWish(document).labels);
}

function checkServices({ services, labels }: ExposeDocument): Finding[] {
  const seen = new Set<string>();
  return services.flatMap((text, i) => {
    const read = checkService(text, ["services", i], checkInterfacePrefix);
    const findings = [...read.findings];
    if (seen.has(read.service))
      findings.push({ path: ["services", i], message: `${quote(read.service)} is there twice; remove one` });
    seen.add(read.service);
    return [...findings, ...checkLabels({ ...read.labels, ...labels }, ["labels"])];
  });
}
