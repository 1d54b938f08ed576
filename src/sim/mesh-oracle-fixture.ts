/** What must hold in a mesh when it is quiet, from the kernels up to the registry. */
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import { groupByOwner } from "../forwarder/owner.ts";
import type { Kernel, KernelObject, Netns } from "../world/kernel.ts";
import type { SimMachine } from "./kernel.ts";
import type { AgentParts, Connecting, HostPlan, Wishes } from "./mesh-agent-fixture.ts";

export interface QuietMesh {
  readonly machine: SimMachine;
  readonly plans: readonly HostPlan[];
  readonly wishes: Wishes;
  readonly living: ReadonlyMap<string, AgentParts>;
  readonly kernel: (host: string) => Kernel;
}

/** For people. Empty: all is right. */
export async function findViolations(mesh: QuietMesh): Promise<string[]> {
  const wanted = mesh.wishes.connecting.filter(({ untilMs }) => untilMs === Infinity);
  const observed = new Map<string, readonly KernelObject[]>();
  for (const plan of mesh.plans) observed.set(plan.name, await observeAll(mesh.kernel(plan.name), plan));
  return [
    ...wanted.flatMap((wish) => wireProblems(mesh, wish)),
    ...mesh.plans.flatMap((plan) => kernelProblems(mesh, plan, observed.get(plan.name) ?? [])),
    ...tunnelProblems(observed),
    ...addressProblems(observed),
    ...mesh.plans.flatMap((plan) => roleProblems(mesh, plan, wanted)),
  ];
}

async function observeAll(kernel: Kernel, { workloads }: HostPlan): Promise<KernelObject[]> {
  await kernel.settle();
  return kernel.observe([{ netns: "host" }, ...workloads.map((netns) => ({ netns }))]);
}

/** A wanted wire is established, and packets pass both ways, to an endpoint of its service and back. */
function wireProblems({ machine, living, wishes }: QuietMesh, wish: Connecting): string[] {
  const connection = living
    .get(wish.host)
    ?.client.established()
    .find(({ id }) => id === wish.id);
  const what = `${wish.id} of ${wish.host} to ${wish.service}`;
  if (!connection) return [`${what} is not established`];
  const exposing = wishes.exposing.find(({ name }) => name === connection.networkServiceEndpointName);
  if (exposing?.untilMs !== Infinity || exposing.service !== wish.service) {
    return [`${what} leads to ${connection.networkServiceEndpointName}, which is not there`];
  }
  const pairs = addressPairs(connection);
  if (pairs.length !== exposing.pools.length) return [`${what} has ${pairs.length} pairs of addresses`];
  return pairs.flatMap(([near, far]) => {
    const there = machine.reaches(wish.workload, far, { source: near });
    const back = machine.reaches(exposing.workload, near, { source: far });
    return [
      ...(there?.netns === exposing.workload ? [] : [`${what}: no packet comes from ${near} to ${far}`]),
      ...(back?.netns === wish.workload ? [] : [`${what}: no packet comes back from ${far} to ${near}`]),
    ];
  });
}

function addressPairs({ context }: Connection): [string, string][] {
  const bare = (address = ""): string => address.replace(/\/.*$/, "");
  const { srcIpAddrs = [], dstIpAddrs = [] } = context?.ipContext ?? {};
  return srcIpAddrs.map((near, n) => [bare(near), bare(dstIpAddrs[n])]);
}

/** Nothing in the kernel of a host is without an owner, and the owners are those of the host's wires. */
function kernelProblems(mesh: QuietMesh, { name }: HostPlan, objects: readonly KernelObject[]): string[] {
  const owners = new Set(wiresOf(mesh, name).map(({ id }) => id));
  return [...groupByOwner(objects)].flatMap(([owner, group]) =>
    owner !== undefined && owners.has(owner)
      ? []
      : [
          `${name}: ${group.map(({ kind }) => kind).join(", ")} of ${owner ?? "nobody"} is left in the kernel`,
        ],
  );
}

/** The wanted wires that have an end on a host. */
function wiresOf({ wishes, living }: QuietMesh, host: string): Connecting[] {
  return wishes.connecting.filter((wish) => {
    if (wish.untilMs !== Infinity) return false;
    if (wish.host === host) return true;
    const connection = living
      .get(wish.host)
      ?.client.established()
      .find(({ id }) => id === wish.id);
    return wishes.exposing.some(
      (each) => each.host === host && each.name === connection?.networkServiceEndpointName,
    );
  });
}

/** On a host a VNI belongs to one wire, and a wire has one; both its hosts have the same. */
function tunnelProblems(observed: ReadonlyMap<string, readonly KernelObject[]>): string[] {
  const vniOf = new Map<string, number>();
  return [...observed].flatMap(([host, objects]) => {
    const ownerOf = new Map<number, string>();
    return [...groupByOwner(objects)].flatMap(([owner = "nobody", group]) =>
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

/** In the whole mesh an address is on one device; only an endpoint's own may be on several of its workload. */
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
function roleProblems(mesh: QuietMesh, plan: HostPlan, wanted: readonly Connecting[]): string[] {
  const parts = mesh.living.get(plan.name);
  if (!parts) return [`${plan.name} has not started`];
  const here = new Set(wiresOf(mesh, plan.name).map(({ id }) => id));
  const own = new Set(wanted.filter(({ host }) => host === plan.name).map(({ id }) => id));
  const stray = (role: string, connections: readonly Connection[], owners: ReadonlySet<string>): string[] => {
    const count = new Map<string, number>();
    for (const { path, id } of connections) {
      const wire = path?.pathSegments[0]?.id ?? id;
      count.set(wire, (count.get(wire) ?? 0) + 1);
    }
    return [...count].flatMap(([wire, times]) => [
      ...(owners.has(wire) ? [] : [`${plan.name}: ${role} still has ${wire}`]),
      ...(times === 1 ? [] : [`${plan.name}: ${role} has ${wire} ${times} times`]),
    ]);
  };
  const tunnels = parts.vnis.size;
  const remote = wiresOf(mesh, plan.name).filter((wish) => !isLocal(mesh, wish)).length;
  return [
    ...stray("the client", parts.client.established(), own),
    ...stray("the manager", parts.manager.established(), here),
    ...stray("the forwarder", parts.forwarder.established(), here),
    ...[...parts.endpoints].flatMap(([name, role]) => stray(name, role.established(), here)),
    ...parts.reconciler
      .owners()
      .flatMap((id) => (here.has(id) ? [] : [`${plan.name}: the reconciler has ${id}`])),
    ...(tunnels === remote ? [] : [`${plan.name}: ${tunnels} VNIs are taken for ${remote} tunnels`]),
  ];
}

function isLocal({ wishes, living }: QuietMesh, wish: Connecting): boolean {
  const connection = living
    .get(wish.host)
    ?.client.established()
    .find(({ id }) => id === wish.id);
  return wishes.exposing.some(
    ({ name, host }) => name === connection?.networkServiceEndpointName && host === wish.host,
  );
}
