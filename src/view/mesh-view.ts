/**
 * The model of a mesh for all commands: hosts, their workloads, and the wires. It is made from the statuses of agents; a lab
 * without agents makes one from the observed objects.
 */
import type { GraphResponse, HostStatus } from "../api/gen/netloom/admin/v1/admin_pb.js";
import { type AttachmentView, attachmentView } from "./attachment-view.ts";
import { agentFacts, hasAgent, type HostView } from "./host-view.ts";
import { type ToldWire, toldWire } from "./told-wire.ts";
import type { WireView } from "./wire-view.ts";

interface WorkloadView {
  readonly host: string;
  readonly workload: string;
}

export interface ServiceView {
  readonly name: string;
  /** Absent if only the registry knows it. */
  readonly payload?: string;
}

interface EndpointView {
  readonly name: string;
  /** Empty if the host is not known. */
  readonly host: string;
  readonly services: readonly string[];
  /** URL of its manager. */
  readonly url?: string;
}

/** The mesh, as far as the asked hosts know it. */
export interface MeshView {
  readonly hosts: readonly HostView[];
  readonly workloads: readonly WorkloadView[];
  readonly services: readonly ServiceView[];
  readonly endpoints: readonly EndpointView[];
  readonly attachments: readonly AttachmentView[];
  /** The wires, each once. */
  readonly wires: readonly WireView[];
}

export interface MeshOptions {
  /** Hosts whose agents do not answer now. An agent that has answered before still has a status. */
  readonly silent?: readonly { readonly host: string; readonly reason: string }[];
  /**
   * Whether every host of the mesh was asked at one time. Then a part of a wire that its host does not report counts as
   * missing. Default: false.
   */
  readonly isWhole?: boolean;
}

/** Joins the statuses of hosts. Each wire appears once, although the hosts of both its ends report it. */
export function meshView(
  statuses: readonly HostStatus[],
  { silent = [], isWhole = false }: MeshOptions = {},
): MeshView {
  const attachments = statuses.flatMap(({ host, attachments }) =>
    attachments.map((attachment) => attachmentView(host, attachment)),
  );
  const asked = isWhole ? [...statuses, ...silent].map(({ host }) => host) : [];
  const told = [
    ...statuses.flatMap(({ host, wires }) => wires.map((wire) => ({ host, wire }))),
    ...statuses.flatMap(({ host, unclaimed }) => unclaimed.map((wire) => ({ host, wire }))),
  ];
  const held = new Map(attachments.flatMap((each) => (each.wireId ? [[each.wireId, each.state]] : [])));
  const wires = wiresOf(told, new Set(asked)).map((wire) => {
    const state = held.get(wire.id);
    // While a wire heals, its attachment knows more than its devices.
    return state === undefined || state === "up" ? wire : { ...wire, state };
  });
  const endpoints = attachments.flatMap(({ host, endpoint, services }) =>
    endpoint === undefined ? [] : [{ name: endpoint, host, services }],
  );
  return {
    hosts: hostsOf(statuses, silent),
    workloads: workloadsOf(attachments, wires),
    services: [...new Set(endpoints.flatMap(({ services }) => services))].map((name) => ({ name })),
    endpoints,
    attachments,
    wires,
  };
}

/** The mesh as the registry shows it to the asked hosts, with the wires of these hosts. */
export function registryView(pictures: readonly GraphResponse[]): MeshView {
  const endpoints = pictures.flatMap((picture) => picture.endpoints);
  const services = pictures.flatMap((picture) => picture.services);
  const wires = wiresOf(pictures.flatMap(({ host, wires }) => wires.map((wire) => ({ host, wire }))));
  const names = pictures.flatMap(({ host, hosts }) => [host, ...hosts.map(({ name }) => name)]);
  const known = [...new Set(names)].filter((name) => name !== "");
  return {
    hosts: known.map((host) => ({ host })),
    workloads: workloadsOf([], wires),
    services: unique(services, ({ name }) => name).map(({ name, payload }) => ({ name, payload })),
    endpoints: unique(endpoints, ({ name }) => name).map(({ name, host, services, url }) => ({
      name,
      host,
      services,
      url,
    })),
    attachments: [],
    wires,
  };
}

/** Whether all attachments and wires are up. An unclaimed wire does not count: no spec requests it yet. */
export function isUp({ attachments, wires }: MeshView): boolean {
  return [...attachments, ...wires].every(({ state }) => state === "up" || state === "unclaimed");
}

/** The problems of hosts and attachments, as sentences. Problems of wires are in the wires. */
export function problemsOf({ hosts, attachments }: MeshView): string[] {
  return hosts.flatMap((view) => {
    const { host, silence } = view;
    const own = attachments.filter((each) => each.host === host && each.state !== "up");
    return [
      ...(silence === undefined ? [] : [`the agent of ${host} does not answer: ${silence}`]),
      ...(hasAgent(view) && view.registry.state !== "fresh"
        ? [`the agent of ${host} does not reach the registry: ${view.registry.reason ?? ""}`]
        : []),
      ...own.map(({ kind, name, reason = "" }) => `${kind} ${name} of ${host} is not up: ${reason}`),
    ];
  });
}

function wiresOf(told: readonly ToldWire[], asked?: ReadonlySet<string>): WireView[] {
  return [...Map.groupBy(told, ({ wire }) => wire.id).values()].map((one) => toldWire(one, asked));
}

function hostsOf(
  statuses: readonly HostStatus[],
  silent: readonly { readonly host: string; readonly reason: string }[],
): HostView[] {
  const reasons = new Map(silent.map(({ host, reason }) => [host, reason]));
  const withSilence = (host: string): HostView => {
    const silence = reasons.get(host);
    return silence === undefined ? { host } : { host, silence };
  };
  const told = statuses.map((status) => ({ ...withSilence(status.host), ...agentFacts(status) }));
  const known = new Set(statuses.map(({ host }) => host));
  return [...told, ...silent.flatMap(({ host }) => (known.has(host) ? [] : [withSilence(host)]))];
}

function workloadsOf(attachments: readonly AttachmentView[], wires: readonly WireView[]): WorkloadView[] {
  const places = [
    ...attachments,
    ...wires.flatMap(({ interfaces }) => [interfaces.client ?? [], interfaces.endpoint ?? []].flat()),
  ];
  const found = places.flatMap(({ host, workload }) => (workload === undefined ? [] : [{ host, workload }]));
  return unique(found, ({ host, workload }) => JSON.stringify([host, workload]));
}

/** The first item of each key. */
function unique<T>(all: readonly T[], keyOf: (each: T) => string): T[] {
  const seen = new Set<string>();
  return all.filter((each) => !seen.has(keyOf(each)) && seen.add(keyOf(each)));
}
