/** What an attachment means, with every address read and every default filled in. */
import { PAYLOAD_ETHERNET } from "../api/payload.ts";
import type { ContextOptions } from "../elements/endpoint-context.ts";
import type { ConnectAttachment, ExposeAttachment, NetworkServiceAttachment } from "./attachment.ts";
import type { WorkloadRef } from "../resolvers/resolver.ts";
import { contextPolicies, contextRoutes } from "./check-wire.ts";
import { isNsUrl, parseNsUrl } from "./nsurl.ts";

type Labels = Readonly<Record<string, string>>;

export interface ServiceWish {
  readonly kind: "NetworkService";
  readonly name: string;
  readonly document: NetworkServiceAttachment;
}

export interface ConnectWish {
  readonly kind: "Connect";
  readonly name: string;
  readonly document: ConnectAttachment;
  readonly workload: WorkloadRef;
  readonly service: string;
  /** Absent: the forwarder makes one of the service's name. */
  readonly interface?: string;
  readonly labels: Labels;
  readonly endpoint: string;
  readonly mtuBytes: number;
  readonly routerAdvertisements: boolean;
  readonly excludedPrefixes: readonly string[];
  /** Absent: all. */
  readonly acceptRoutes?: readonly string[];
}

export interface ExposeWish {
  readonly kind: "Expose";
  readonly name: string;
  readonly document: ExposeAttachment;
  readonly workload: WorkloadRef;
  /** Labels by service. */
  readonly services: ReadonlyMap<string, Labels>;
  readonly interfacePrefix?: string;
  readonly pools: readonly (readonly string[])[];
  readonly addressPolicy: "strict" | "polite";
  readonly context: ContextOptions;
  readonly routerAdvertisements: boolean;
  readonly excludedPrefixes: readonly string[];
  readonly acceptRoutes: readonly string[];
  readonly payload: string;
}

export type Wish = ServiceWish | ConnectWish | ExposeWish;

/** A service by name or by address, with the labels of the address and those beside it. */
function readService(text: string): {
  readonly service: string;
  readonly interface: string;
  readonly labels: Labels;
} {
  if (!isNsUrl(text)) return { service: text, interface: "", labels: {} };
  const result = parseNsUrl(text);
  if (!result.ok) throw new TypeError(`${text}: ${result.problem}: not a checked attachment`);
  return result.url;
}

export function connectWish(document: ConnectAttachment): ConnectWish {
  const { service, labels, interface: named } = readService(document.service);
  const name = document.interface ?? named;
  return {
    kind: "Connect",
    name: document.name,
    document,
    workload: document.workload,
    service,
    ...(name !== "" && { interface: name }),
    labels: { ...labels, ...document.labels },
    endpoint: document.endpoint ?? "",
    mtuBytes: document.mtu ?? 0,
    routerAdvertisements: document.routerAdvertisements ?? false,
    excludedPrefixes: document.excludedPrefixes ?? [],
    ...(document.acceptRoutes && { acceptRoutes: document.acceptRoutes }),
  };
}

export function exposeWish(document: ExposeAttachment): ExposeWish {
  const services = new Map(
    document.services.map((each) => {
      const { service, labels } = readService(each);
      return [service, { ...labels, ...document.labels }] as const;
    }),
  );
  const prefix = document.interface ?? document.services.map((each) => readService(each).interface)[0];
  return {
    kind: "Expose",
    name: document.name,
    document,
    workload: document.workload,
    services,
    ...(prefix && { interfacePrefix: prefix }),
    pools: (document.pools ?? []).map((group) => (typeof group === "string" ? [group] : group)),
    addressPolicy: document.addressPolicy ?? "strict",
    context: contextOf(document),
    routerAdvertisements: document.routerAdvertisements ?? false,
    excludedPrefixes: document.excludedPrefixes ?? [],
    acceptRoutes: document.acceptRoutes ?? [],
    payload: document.payload ?? PAYLOAD_ETHERNET,
  };
}

export function serviceWish(document: NetworkServiceAttachment): ServiceWish {
  return { kind: "NetworkService", name: document.name, document };
}

function contextOf({ routes, policies, dns, mtu }: ExposeAttachment): ContextOptions {
  return {
    srcRoutes: contextRoutes(routes?.client),
    dstRoutes: contextRoutes(routes?.endpoint),
    policies: contextPolicies(policies),
    ...(dns && {
      dns: dns.map(({ servers, searchDomains = [] }) => ({ dnsServerIps: servers, searchDomains })),
    }),
    ...(mtu !== undefined && { mtuBytes: mtu }),
  };
}
