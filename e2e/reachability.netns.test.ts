/**
 * Reachability in a mesh of processes: 5 hosts, 8 services, 40 clients, both families. Every workload pings every
 * address of any wire, and gets answers only through the wires that were requested.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import {
  clientDocument,
  labText,
  providerDocument,
  serviceDocument,
} from "../fixtures/documents/documents.ts";
import { findDaemons } from "../src/lab/daemons.ts";
import { labFixture, type LabFixture } from "../fixtures/lab/lab.ts";
import type { LabStatus } from "../src/lab/lab.ts";
import type { Side } from "../src/mechanisms/side.ts";
import type { WireView } from "../src/view/wire-view.ts";
import { netnsOf } from "../src/lab/topology/topology.ts";
import { Pinger } from "../src/linux/icmp/icmp.ts";
import { needsRoot } from "../fixtures/linux/netns.ts";
import { until } from "../fixtures/async/until.ts";

const HOSTS = ["h0", "h1", "h2", "h3", "h4"];
const SERVICES = 8;
const CLIENTS = 40;
/** The service whose endpoint depends on the client's labels. */
const SPLIT = 7;
const IPV4_ONLY = [3, 4];
const IPV6_ONLY = [5, 6];

interface Ask {
  /** `host/workload`. */
  readonly client: string;
  /** Number of the client's device. */
  readonly n: number;
  readonly service: number;
}

interface Spec {
  readonly asks: readonly Ask[];
  /** The workload of service 0. */
  readonly first: string;
}

function host(n: number): string {
  return HOSTS[n % HOSTS.length] ?? "";
}

function client(n: number): string {
  return `${host(n)}/c${n}`;
}

function tier(name: string): "gold" | "silver" {
  return Number(name.split("/c")[1]) % 2 === 0 ? "gold" : "silver";
}

/** Each client asks for one service, every third one for another too. */
function firstSpec(): Spec {
  const asks: Ask[] = [];
  for (let i = 0; i < CLIENTS; i++) {
    asks.push({ client: client(i), n: 0, service: i % SERVICES });
    if (i % 3 === 0) asks.push({ client: client(i), n: 1, service: (i + 3) % SERVICES });
  }
  return { asks, first: "h0/s0" };
}

/** Some clients stop asking, some ask for something else, some for more; and an endpoint has moved to another host. */
function secondSpec(): Spec {
  const asks = firstSpec()
    .asks.filter((_, i) => i % 7 !== 0)
    .map((ask, i) => (i % 11 === 5 ? { ...ask, service: (ask.service + 1) % SERVICES } : ask));
  for (let i = 1; i < CLIENTS; i += 5) asks.push({ client: client(i), n: 2, service: (i + 5) % SERVICES });
  return { asks, first: "h3/moved" };
}

/** The workload that serves `ask`. */
function serverOf({ client: asking, service }: Ask, { first }: Spec): string {
  if (service === SPLIT) return `${host(SPLIT)}/${tier(asking)}`;
  return service === 0 ? first : `${host(service)}/s${service}`;
}

function expose(workload: string, services: readonly string[], n: number, labels = {}): object {
  const pools = [
    ...(IPV6_ONLY.includes(n) ? [] : [`10.50.${n}.0/24`]),
    ...(IPV4_ONLY.includes(n) ? [] : [`fd50:${n}::/64`]),
  ];
  return providerDocument(workload.split("/")[1] ?? "", { workload, services, pools }, labels);
}

function fileOf(spec: Spec): string {
  const workloads = (of: string): string[] =>
    [
      ...Array.from({ length: CLIENTS }, (_, i) => client(i)),
      ...Array.from({ length: SERVICES }, (_, i) => `${host(i)}/s${i}`),
      ...["gold", "silver"].map((each) => `${host(SPLIT)}/${each}`),
      "h3/moved",
    ].flatMap((each) => (each.startsWith(`${of}/`) ? [each.slice(of.length + 1)] : []));
  const matches = ["gold", "silver"].map((each) => ({
    source_selector: { tier: each },
    routes: [{ destination_selector: { tier: each } }],
  }));
  const lab = {
    hosts: Object.fromEntries(HOSTS.map((each) => [each, { workloads: workloads(each) }])),
    routers: ["r1"],
    links: HOSTS.map((each, i) => ({ ends: [each, "r1"], subnets: [`10.1.${i}.0/24`, `fd01:${i}::/64`] })),
    agents: true,
  };
  return labText("NAME", lab, [
    serviceDocument(`s${SPLIT}`, { matches }),
    expose(spec.first, ["s0"], 0),
    ...[1, 2, 3, 4, 5, 6].map((n) => expose(`${host(n)}/s${n}`, [`s${n}`], n)),
    ...["gold", "silver"].map((each, i) =>
      expose(`${host(SPLIT)}/${each}`, [`s${SPLIT}`], SPLIT + i, { tier: each }),
    ),
    ...spec.asks.map(({ client: workload, n, service }) =>
      clientDocument(
        `${workload.replace("/", "-")}-${n}`,
        { workload, service: `s${service}`, interface: `wire${n}` },
        { tier: tier(workload) },
      ),
    ),
  ]);
}

/** `host/workload` */
function workloadOf({ interfaces }: WireView, side: Side): string {
  const end = interfaces[side];
  return end ? `${end.host}/${end.workload}` : "";
}

/** Waits until the wires are those of `spec`, and answer. */
async function settle(lab: LabFixture, spec: Spec): Promise<LabStatus> {
  const wanted = spec.asks.map((ask) => `${ask.client}/wire${ask.n} ${serverOf(ask, spec)}`).sort();
  return until(async () => {
    const status = await lab.assertHealthy();
    const found = status.wires.map((wire) => `${wire.wire} ${workloadOf(wire, "endpoint")}`).sort();
    assert.deepEqual(found, wanted);
    return status;
  });
}

/** Every workload pings every address of any wire; only the far ends of its own wires may answer. */
async function assertReachability(lab: LabFixture, { lab: { hosts }, wires }: LabStatus): Promise<number> {
  const wanted = new Set<string>();
  const owners = new Map<string, string>();
  for (const wire of wires) {
    const [near, far] = [workloadOf(wire, "client"), workloadOf(wire, "endpoint")];
    for (const address of wire.addresses.client) owners.set(address, near);
    for (const address of wire.addresses.endpoint) owners.set(address, far);
    for (const address of wire.addresses.client) wanted.add(`${far} reaches ${address}`);
    for (const address of wire.addresses.endpoint) wanted.add(`${near} reaches ${address}`);
  }
  const found = new Set<string>();
  let pairs = 0;
  for (const { name, workloads } of hosts) {
    for (const workload of workloads) {
      const place = `${name}/${workload}`;
      const others = [...owners].flatMap(([address, owner]) => (owner === place ? [] : [address]));
      pairs += others.length;
      for (const address of await answering(lab, place, others)) found.add(`${place} reaches ${address}`);
    }
  }
  assert.deepEqual([...found].sort(), [...wanted].sort());
  return pairs;
}

async function answering(lab: LabFixture, place: string, addresses: readonly string[]): Promise<string[]> {
  const answers: string[] = [];
  for (const address of addresses) {
    let pinger: Pinger | undefined;
    try {
      pinger = await Pinger.open(lab.machine, netnsOf(lab.name, place), address);
      if ((await pinger.probe({ timeoutMs: 300 })).rttMs !== undefined) answers.push(address);
    } catch (error) {
      // Without a route to the address nothing can be sent.
      assert.equal((error as { code?: unknown }).code, "FAILED_PRECONDITION", String(error));
    } finally {
      pinger?.close();
    }
  }
  return answers;
}

suite("5 hosts, 8 services and 40 clients over both families", { skip: needsRoot }, () => {
  test("reach each other exactly as requested, before and after applies, deletes and restarts", async (t) => {
    const lab = await labFixture(t);
    const [before, after] = [firstSpec(), secondSpec()];
    const { durationMs } = await lab.up(fileOf(before));
    const first = await settle(lab, before);
    const pairs = await assertReachability(lab, first);
    t.diagnostic(`${first.wires.length} wires, up after ${durationMs.toFixed(0)} ms; ${pairs} pairs asked`);

    const restarted = findDaemons(lab.name).filter(
      ({ kind, host: at }) => kind === "registry" || at === "h2",
    );
    assert.deepEqual(restarted.map(({ kind }) => kind).sort(), ["agent", "registry"]);
    for (const { pid } of restarted) process.kill(pid, "SIGKILL");
    // Wires in the kernel need no process.
    await assertReachability(lab, first);

    const { started } = await lab.up(fileOf(after));
    assert.deepEqual([...started].sort(), ["agent of h2", "registry of h0"]);
    const second = await settle(lab, after);
    await assertReachability(lab, second);
    t.diagnostic(`${second.wires.length} wires after the round`);
  });
});
