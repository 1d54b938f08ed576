import { checkWorkload } from "../../resolvers/workload-ref.ts";
import { type Finding, quote, within } from "../../text/problem.ts";
import { checkOffer } from "../fragments/check-offer.ts";
import { checkDns } from "../fragments/dns.ts";
import { checkInterfacePrefix } from "../fragments/interface-name.ts";
import { checkLabels, LABELS } from "../fragments/labels.ts";
import { checkPort } from "../fragments/port.ts";
import { checkPrefixes } from "../fragments/prefixes.ts";
import { checkRegistered } from "../fragments/registered-labels.ts";
import { checkService } from "../fragments/service.ts";
import type { ProviderDocument } from "./schema.ts";
import { providerSpec } from "./spec.ts";

export function checkProvider(document: ProviderDocument): Finding[] {
  const { metadata, spec } = document;
  const { pools = [], addressPolicy } = spec;
  const services = readServices(spec.services);
  const findings = [
    ...within("spec", [
      ...checkWorkload(spec.workload, ["workload"]),
      ...services.findings,
      ...checkInterfacePrefix(spec.interface, ["interface"]),
      ...checkPort(spec, [
        [spec.interface, ["interface"]],
        [services.interface, ["services", 0]],
      ]),
      ...checkOffer(
        { name: metadata.name, ...spec },
        { isOpen: pools.length === 0 || addressPolicy === "polite" },
      ),
      ...checkPrefixes(spec.acceptRoutes ?? [], ["acceptRoutes"]),
      ...checkDns(spec.dns, ["dns"]),
    ]),
    ...services.labels.flatMap((labels) => checkLabels({ ...labels, ...metadata.labels }, LABELS)),
  ];
  return findings.length > 0 ? findings : checkRegistered(providerSpec(document).labels);
}

function readServices(services: readonly string[]) {
  const read = services.map((text, i) => checkService(text, ["services", i], checkInterfacePrefix));
  const twice = read.flatMap(({ service }, i): Finding[] =>
    read.findIndex((each) => each.service === service) < i
      ? [{ path: ["services", i], message: `${quote(service)} appears twice; remove one` }]
      : [],
  );
  return {
    findings: [...read.flatMap(({ findings }) => findings), ...twice],
    labels: read.map(({ labels }) => labels),
    /** The name that the first service gives to interfaces, if any. */
    interface: read[0]?.interface,
  };
}
