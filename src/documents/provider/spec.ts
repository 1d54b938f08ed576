import type { Spec } from "../../attachments/spec.ts";
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
import type { ProviderDocument } from "./schema.ts";

/** The meaning of a NetworkServiceProvider. */
export interface ProviderSpec extends Spec {
  readonly document: ProviderDocument;
  readonly workload: WorkloadRef;
  /** Labels of the endpoint, by service. */
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

export function providerSpec(document: ProviderDocument): ProviderSpec {
  const { kind, metadata, spec } = document;
  const read = spec.services.map(readService);
  const labels = new Map(
    read.map(({ service, labels: own }) => [service, { ...own, ...metadata.labels }] as const),
  );
  const device = portDevice(spec.workload);
  const prefix = spec.interface ?? read[0]?.interface;
  return {
    kind,
    name: metadata.name,
    document,
    services: [...labels.keys()],
    workload: spec.workload,
    ...(device !== undefined && { interface: device }),
    labels,
    ...(prefix && { interfacePrefix: prefix }),
    pools: poolGroups(spec.pools),
    addressPolicy: spec.addressPolicy ?? "strict",
    context: contextOf(spec),
    trust: trustOf(spec),
    excludedPrefixes: spec.excludedPrefixes ?? [],
    acceptRoutes: spec.acceptRoutes ?? [],
    payload: spec.payload ?? PAYLOAD_ETHERNET,
  };
}

function contextOf({ routes, policyRoutes, mtu, guard }: ProviderDocument["spec"]): ContextOptions {
  return {
    srcRoutes: contextRoutes(routes?.client),
    dstRoutes: contextRoutes(routes?.endpoint),
    policies: contextPolicies(policyRoutes),
    ...(mtu !== undefined && { mtuBytes: mtu }),
    extra: guardContext(guard),
  };
}
