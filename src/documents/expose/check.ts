import { create, toBinary } from "@bufbuild/protobuf";
import { NetworkServiceEndpointSchema, NetworkServiceLabelsSchema } from "../../api/gen/nsm/registry_pb.js";
import { checkWorkload } from "../../resolvers/workload-ref.ts";
import { type Finding, quote } from "../../text/problem.ts";
import { checkWire } from "../fragments/check-wire.ts";
import { checkDns } from "../fragments/dns.ts";
import { checkInterfacePrefix } from "../fragments/interface-name.ts";
import { checkLabels } from "../fragments/labels.ts";
import { checkEntry } from "../fragments/limits.ts";
import { checkMtu } from "../fragments/mtu.ts";
import { checkPools } from "../fragments/pools.ts";
import { checkPort } from "../fragments/port.ts";
import { checkPrefixes } from "../fragments/prefixes.ts";
import { checkService } from "../fragments/service.ts";
import { firstWire } from "./first-wire.ts";
import type { ExposeDocument } from "./schema.ts";
import { exposeWish } from "./wish.ts";

export function checkExpose(document: ExposeDocument): Finding[] {
  const { pools = [], excludedPrefixes = [], mtu } = document;
  const prefixes = [
    ...checkPrefixes(excludedPrefixes, ["excludedPrefixes"]),
    ...checkPrefixes(document.acceptRoutes ?? [], ["acceptRoutes"]),
  ];
  const ofPools = checkPools(pools, excludedPrefixes, ["pools"]);
  const ofMtu = checkMtu(mtu, ["mtu"], {
    hasIpv6: pools.flat().some((pool) => pool.includes(":")),
    remedy: "take IPv6 out of the pools",
  });
  const isSound = prefixes.length + ofPools.length + ofMtu.length === 0;
  const findings = [
    ...checkWorkload(document.workload, ["workload"]),
    ...checkServices(document),
    ...checkInterfacePrefix(document.interface, ["interface"]),
    ...checkPort(document, [
      [document.interface, ["interface"]],
      [checkService(document.services[0] ?? "", []).interface, ["services", 0]],
    ]),
    ...ofPools,
    ...ofMtu,
    ...checkWire(document, {
      addressCount: pools.length,
      wires: () => (isSound ? [firstWire(document)] : []),
      isOpen: pools.length === 0 || document.addressPolicy === "polite",
    }),
    ...prefixes,
    ...checkDns(document.dns ?? [], ["dns"]),
  ];
  return findings.length > 0 ? findings : checkEntry(entryBytes(document), ["labels"]);
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

/** What registries would keep. */
function entryBytes(document: ExposeDocument): Uint8Array {
  const { services, labels } = exposeWish(document);
  const labelled = [...labels].map(
    ([service, each]) => [service, create(NetworkServiceLabelsSchema, { labels: each })] as const,
  );
  return toBinary(
    NetworkServiceEndpointSchema,
    create(NetworkServiceEndpointSchema, {
      networkServiceNames: [...services],
      networkServiceLabels: Object.fromEntries(labelled),
    }),
  );
}
