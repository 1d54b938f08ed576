import type { Spec } from "../../attachments/spec.ts";
import type { Trust } from "../../mechanisms/half.ts";
import type { WorkloadRef } from "../../resolvers/resolver.ts";
import type { Labels } from "../../registry/matching/match.ts";
import { portDevice } from "../fragments/port.ts";
import { readService } from "../fragments/service.ts";
import { trustOf } from "../fragments/trust.ts";
import type { ClientDocument } from "./schema.ts";

/** The meaning of a NetworkServiceClient. */
export interface ClientSpec extends Spec {
  readonly workload: WorkloadRef;
  readonly service: string;
  readonly labels: Labels;
  readonly endpoint: string;
  /** Names of the hosts that the wire passes, in this order. */
  readonly via: readonly string[];
  readonly mtuBytes: number;
  readonly trust: Trust;
  readonly excludedPrefixes: readonly string[];
  /** Prefixes in which routes are accepted. Absent: all routes are accepted. */
  readonly acceptRoutes?: readonly string[];
}

export function clientSpec(document: ClientDocument): ClientSpec {
  const { kind, metadata, spec } = document;
  const { service, labels, interface: named } = readService(spec.service);
  const name = portDevice(spec.workload) ?? spec.interface ?? named;
  return {
    kind,
    name: metadata.name,
    document,
    services: [service],
    workload: spec.workload,
    service,
    ...(name !== "" && { interface: name }),
    labels: { ...labels, ...metadata.labels },
    endpoint: spec.endpoint ?? "",
    via: spec.via ?? [],
    mtuBytes: spec.mtu ?? 0,
    trust: trustOf(spec),
    excludedPrefixes: spec.excludedPrefixes ?? [],
    ...(spec.acceptRoutes && { acceptRoutes: spec.acceptRoutes }),
  };
}
