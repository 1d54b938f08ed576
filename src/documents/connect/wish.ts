import type { Wish } from "../../attachments/wish.ts";
import type { Trust } from "../../mechanisms/half.ts";
import type { WorkloadRef } from "../../resolvers/resolver.ts";
import type { Labels } from "../../registry/matching/match.ts";
import { portDevice } from "../fragments/port.ts";
import { readService } from "../fragments/service.ts";
import { trustOf } from "../fragments/trust.ts";
import type { ConnectDocument } from "./schema.ts";

/** What a Connect means. */
export interface ConnectWish extends Wish {
  readonly workload: WorkloadRef;
  readonly service: string;
  readonly labels: Labels;
  readonly endpoint: string;
  /** Hosts in between. */
  readonly via: readonly string[];
  readonly mtuBytes: number;
  readonly trust: Trust;
  readonly excludedPrefixes: readonly string[];
  /** Absent: all. */
  readonly acceptRoutes?: readonly string[];
}

export function connectWish(document: ConnectDocument): ConnectWish {
  const { service, labels, interface: named } = readService(document.service);
  const name = portDevice(document.workload) ?? document.interface ?? named;
  return {
    kind: document.kind,
    name: document.name,
    document,
    services: [service],
    workload: document.workload,
    service,
    ...(name !== "" && { interface: name }),
    labels: { ...labels, ...document.labels },
    endpoint: document.endpoint ?? "",
    via: document.via ?? [],
    mtuBytes: document.mtu ?? 0,
    trust: trustOf(document),
    excludedPrefixes: document.excludedPrefixes ?? [],
    ...(document.acceptRoutes && { acceptRoutes: document.acceptRoutes }),
  };
}
