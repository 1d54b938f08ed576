import type { Wish } from "../../attachments/wish.ts";
import type { ContextOptions } from "../../elements/context/endpoint-context.ts";
import { guardContext } from "../../elements/wires/wire-guard.ts";
import type { Trust } from "../../mechanisms/half.ts";
import type { WorkloadRef } from "../../resolvers/resolver.ts";
import { PAYLOAD_ETHERNET } from "../../api/payload.ts";
import type { Labels } from "../../registry/matching/match.ts";
import { poolGroups } from "../fragments/pools.ts";
import { contextPolicies, contextRoutes } from "../fragments/routes.ts";
import { portDevice } from "../fragments/port.ts";
import { readService } from "../fragments/service.ts";
import { trustOf } from "../fragments/trust.ts";
import type { ExposeDocument } from "./schema.ts";

/** What an Expose means. */
export interface ExposeWish extends Wish {
  readonly document: ExposeDocument;
  readonly workload: WorkloadRef;
  /** Of the endpoint, by service. */
  readonly labels: ReadonlyMap<string, Labels>;
  readonly interfacePrefix?: string;
  readonly pools: readonly (readonly string[])[];
  readonly addressPolicy: "strict" | "polite";
  readonly context: ContextOptions;
  readonly trust: Trust;
  readonly excludedPrefixes: readonly string[];
  readonly acceptRoutes: readonly string[];
  readonly payload: string;
}

export function exposeWish(document: ExposeDocument): ExposeWish {
  const read = document.services.map(readService);
  const labels = new Map(
    read.map(({ service, labels: own }) => [service, { ...own, ...document.labels }] as const),
  );
  const device = portDevice(document.workload);
  const prefix = document.interface ?? read[0]?.interface;
  return {
    kind: document.kind,
    name: document.name,
    document,
    services: [...labels.keys()],
    workload: document.workload,
    ...(device !== undefined && { interface: device }),
    labels,
    ...(prefix && { interfacePrefix: prefix }),
    pools: poolGroups(document.pools),
    addressPolicy: document.addressPolicy ?? "strict",
    context: contextOf(document),
    trust: trustOf(document),
    excludedPrefixes: document.excludedPrefixes ?? [],
    acceptRoutes: document.acceptRoutes ?? [],
    payload: document.payload ?? PAYLOAD_ETHERNET,
  };
}

function contextOf({ routes, policies, dns, mtu, guard }: ExposeDocument): ContextOptions {
  return {
    srcRoutes: contextRoutes(routes?.client),
    dstRoutes: contextRoutes(routes?.endpoint),
    policies: contextPolicies(policies),
    ...(dns && {
      dns: dns.map(({ servers, searchDomains = [] }) => ({ dnsServerIps: servers, searchDomains })),
    }),
    ...(mtu !== undefined && { mtuBytes: mtu }),
    extra: guardContext(guard),
  };
}
