/** What must hold in a mesh when it is quiet, from the kernels up to the roles. */
import { create } from "@bufbuild/protobuf";
import { NetworkServiceEndpointQuerySchema } from "../api/gen/nsm/registry_pb.js";
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import { groupByOwner } from "../forwarder/owner.ts";
import type { AgentRole } from "../roles/agent.ts";
import type { Registry } from "../roles/registry.ts";
import { SELF } from "../world/peer.ts";
import type { Kernel, KernelObject, Netns } from "../kernel/kernel.ts";
import type { SimMachine } from "./kernel.ts";
import type { Connecting, Exposing, HostPlan, Wishes } from "./mesh-agent-fixture.ts";

export interface QuietMesh {
  readonly machine: SimMachine;
  readonly plans: readonly HostPlan[];
  readonly wishes: Wishes;
  readonly living: ReadonlyMap<string, AgentRole>;
  /** By host. */
  readonly registries: ReadonlyMap<string, Registry>;
  readonly kernel: (host: string) => Kernel;
}

/** A wanted wire as its client's host knows it. */
interface Wanted {
  readonly wish: Connecting;
  /** Empty if the agent has no such attachment. */
  readonly id: string;
  /** What its forwarder says. */
  readonly connection: Connection | undefined;
  readonly exposing: Exposing | undefined;
}

/** For people. Empty: all is right. */
export async function findViolations(mesh: QuietMesh): Promise<string[]> {
  const wanted = wantedOf(mesh);
  const observed = new Map<string, readonly KernelObject[]>();
  for (const plan of mesh.plans) observed.set(plan.name, await observeAll(mesh.kernel(plan.name), plan));
  return [
    ...wanted.flatMap((wire) => wireProblems(mesh, wire)),
    ...mesh.plans.flatMap((plan) => kernelProblems(plan, wanted, observed.get(plan.name) ?? [])),
    ...tunnelProblems(observed),
    ...addressProblems(observed),
    ...(await registryProblems(mesh)),
    ...mesh.plans.flatMap((plan) => roleProblems(mesh, plan, wanted)),
  ];
}

/** Wanted wires that are not as `findViolations` wants them, now. */
export function unreadyWires(mesh: Omit<QuietMesh, "kernel">): string[] {
  return wantedOf(mesh).flatMap((wire) => wireProblems(mesh, wire));
}

/** Every registry has the endpoints that last and the forwarder of each host, and nothing else. */
async function registryProblems({ registries, living, wishes, plans }: QuietMesh): Promise<string[]> {
  const lasting = wishes.exposing.filter(({ untilMs }) => untilMs === Infinity);
  const wanted = [
    ...lasting.map(({ name, host }) => `${name}.${host}`),
    ...plans.map(({ name }) => `forwarder-${name}`),
  ].sort();
  const [{ world } = { world: undefined }] = living.values();
  if (!world) return ["no host has started"];
  const caller = { scope: world.scope, deadlineMs: Infinity, peer: SELF };
  const problems: string[] = [];
  for (const [host, role] of registries) {
    const answers = await role.endpoints.find(caller, create(NetworkServiceEndpointQuerySchema)).all();
    const found = answers.map(({ networkServiceEndpoint }) => networkServiceEndpoint?.name ?? "").sort();
    if (found.join(" ") !== wanted.join(" "))
      problems.push(`${host} has ${found.join(", ")}, not ${wanted.join(", ")}`);
  }
  return problems;
}

function wantedOf({ wishes, living }: Pick<QuietMesh, "wishes" | "living">): Wanted[] {
  const lasting = wishes.connecting.filter(({ untilMs }) => untilMs === Infinity);
  return lasting.map((wish): Wanted => {
    const role = living.get(wish.host);
    const id = role?.agent.find({ kind: "Connect", name: wish.name })?.connectionId ?? "";
    const connection = role?.forwarder.established().find((each) => wireOf(each) === id);
    const endpoint = connection?.networkServiceEndpointName;
    const exposing = wishes.exposing.find(({ name, host }) => `${name}.${host}` === endpoint);
    return { wish, id, connection, exposing };
  });
}

async function observeAll(kernel: Kernel, { workloads }: HostPlan): Promise<KernelObject[]> {
  await kernel.settle();
  return kernel.observe([{ netns: "host" }, ...workloads.map((path) => ({ netns: urlOf(path) }))]);
}

/** A wanted wire is established, and packets pass both ways, to an endpoint of its service and back. */
function wireProblems(
  { machine, living }: Pick<QuietMesh, "machine" | "living">,
  { wish, connection, exposing }: Wanted,
): string[] {
  const what = `${wish.name} of ${wish.host} to ${wish.service}`;
  const view = living.get(wish.host)?.agent.find({ kind: "Connect", name: wish.name })?.view;
  if (!connection) return [`${what} is ${view?.state ?? "unknown"}, not established: ${view?.reason ?? ""}`];
  if (exposing?.untilMs !== Infinity || exposing.service !== wish.service) {
    return [`${what} leads to ${connection.networkServiceEndpointName}, which is not there`];
  }
  const pairs = addressPairs(connection);
  if (pairs.length !== exposing.pools.length) return [`${what} has ${pairs.length} pairs of addresses`];
  if (!exposing.isChosen) return [`${what} leads to ${exposing.name}, which is not for it`];
  const mtu = connection.context?.MTU;
  return [
    ...(mtu === exposing.mtuBytes ? [] : [`${what} has MTU ${mtu}, and shall have ${exposing.mtuBytes}`]),
    ...(view?.state === "up" ? [] : [`${what} is ${view?.state ?? "unknown"}: ${view?.reason ?? ""}`]),
    ...pairs.flatMap(([near, far]) => {
      const [here, elsewhere] = [urlOf(wish.workload), urlOf(exposing.workload)];
      const there = machine.reaches(here, far, { source: near });
      const back = machine.reaches(elsewhere, near, { source: far });
      return [
        ...(there?.netns === elsewhere ? [] : [`${what}: no packet comes from ${near} to ${far}`]),
        ...(back?.netns === here ? [] : [`${what}: no packet comes back from ${far} to ${near}`]),
      ];
    }),
  ];
}

function addressPairs({ context }: Connection): [string, string][] {
  const bare = (address = ""): string => address.replace(/\/.*$/, "");
  const { srcIpAddrs = [], dstIpAddrs = [] } = context?.ipContext ?? {};
  return srcIpAddrs.map((near, n) => [bare(near), bare(dstIpAddrs[n])]);
}

/** Nothing in the kernel of a host is without an owner, and the owners are those of the host's wires. */
function kernelProblems(
  { name }: HostPlan,
  wanted: readonly Wanted[],
  objects: readonly KernelObject[],
): string[] {
  const owners = new Set(onHost(wanted, name).map(({ id }) => id));
  const { owned, host, nameless } = groupByOwner(objects);
  const left = [...owned].filter(([owner]) => !owners.has(owner));
  return [...left, ["the host", host] as const, ["nobody", nameless] as const].flatMap(([owner, group]) =>
    group.length === 0
      ? []
      : [`${name}: ${group.map(({ kind }) => kind).join(", ")} of ${owner} is left in the kernel`],
  );
}

/** The wanted wires that have an end on a host. */
function onHost(wanted: readonly Wanted[], host: string): Wanted[] {
  return wanted.filter(({ wish, exposing }) => wish.host === host || exposing?.host === host);
}

/** On a host a VNI belongs to one wire, and a wire has one; both its hosts have the same. */
function tunnelProblems(observed: ReadonlyMap<string, readonly KernelObject[]>): string[] {
  const vniOf = new Map<string, number>();
  return [...observed].flatMap(([host, objects]) => {
    const ownerOf = new Map<number, string>();
    return [...groupByOwner(objects).owned].flatMap(([owner, group]) =>
      group.flatMap((object) => {
        if (object.kind !== "vxlan") return [];
        const other = ownerOf.get(object.vni) ?? owner;
        ownerOf.set(object.vni, owner);
        const elsewhere = vniOf.get(owner) ?? object.vni;
        vniOf.set(owner, object.vni);
        return [
          ...(other === owner ? [] : [`${host}: VNI ${object.vni} is ${owner}'s and ${other}'s`]),
          ...(elsewhere === object.vni ? [] : [`${owner} has VNI ${object.vni} and VNI ${elsewhere}`]),
        ];
      }),
    );
  });
}

/** In the whole mesh an address is on one device. */
function addressProblems(observed: ReadonlyMap<string, readonly KernelObject[]>): string[] {
  const places = new Map<string, { readonly netns: Netns; readonly link: string }>();
  return [...observed.values()].flat().flatMap((object) => {
    if (object.kind !== "address" || object.netns === "host") return [];
    const [address = ""] = object.address.split("/");
    if (address.startsWith("fe80:")) return [];
    const first = places.get(address);
    places.set(address, object);
    if (!first) return [];
    return [`${address} is on ${first.link} of ${first.netns} and on ${object.link} of ${object.netns}`];
  });
}

/** What the roles believe is what is wanted. */
function roleProblems({ living }: QuietMesh, { name }: HostPlan, wanted: readonly Wanted[]): string[] {
  const role = living.get(name);
  if (!role) return [`${name} has not started`];
  const here = onHost(wanted, name);
  const owners = new Set(here.map(({ id }) => id));
  const stray = (who: string, ids: readonly string[]): string[] => {
    const count = new Map<string, number>();
    for (const id of ids) count.set(id, (count.get(id) ?? 0) + 1);
    return [...count].flatMap(([id, times]) => [
      ...(owners.has(id) ? [] : [`${name}: ${who} still has ${id}`]),
      ...(times === 1 ? [] : [`${name}: ${who} has ${id} ${times} times`]),
    ]);
  };
  const tunnels = here.filter(({ wish, exposing }) => exposing && exposing.host !== wish.host).length;
  const { size } = role.identifiers;
  return [
    ...stray("the manager", role.manager.established().map(wireOf)),
    ...stray("the forwarder", role.forwarder.established().map(wireOf)),
    ...stray("the list of wires", [...role.wires.made.keys()]),
    ...stray("the list of adopted wires", role.wires.unclaimed),
    ...(size === tunnels ? [] : [`${name}: ${size} VNIs are taken for ${tunnels} tunnels`]),
  ];
}

function wireOf({ path, id }: Connection): string {
  return path?.pathSegments[0]?.id ?? id;
}

function urlOf(path: string): Netns {
  return `file://${path}`;
}
