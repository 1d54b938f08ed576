/**
 * 2,000 wires between 2,000 namespaces and 20 endpoints of one host, requested by 32 concurrent callers over the agent's
 * unix socket, each on a connection of its own. `up` ends with the last answer; then one packet goes through every wire.
 * `down` is 32 callers that close, and ends when the kernel has freed the last device. Namespaces are made before.
 */
import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { sized } from "./sized.ts";
import type { Connection } from "../src/api/gen/nsm/connection_pb.js";
import { ping } from "../src/linux/icmp/icmp.ts";
import { folderOf, nameOf, netnsOf } from "./bed.ts";
import { addressesIn, type Client, exposeOf, Mesh } from "./mesh.ts";
import { Resident } from "./resident.ts";
import { plainRow, readCpuTimes, report, stealShare } from "./report.ts";

const WIRES = Number(process.env["BENCH_WIRES"] ?? sized(2000, 60));
const ENDPOINTS = 20;
const CALLERS = 32;
const ROUTES = sized(100_000, 2_000);
const WARM_UP_WIRES = sized(200, 10);
const SERVICE = "scale";

/** The work of a caller for one of `items`. */
type Work<T> = (client: Client, item: T) => Promise<void>;

/** Each caller takes the next item when its last one is done. Connections are opened before the clock starts. */
async function byCallers<T>(mesh: Mesh, items: readonly T[], work: Work<T>): Promise<number> {
  const queue = items.values();
  const start = Promise.withResolvers<void>();
  const ready: Promise<void>[] = [];
  const callers = Array.from({ length: CALLERS }, () => {
    const isReady = Promise.withResolvers<void>();
    ready.push(isReady.promise);
    return mesh.client(async (client) => {
      await client.connect();
      isReady.resolve();
      await start.promise;
      for (const item of queue) await work(client, item);
    });
  });
  await Promise.race([Promise.all(ready), Promise.all(callers)]);
  const startedAt = performance.now();
  start.resolve();
  await Promise.all(callers);
  return performance.now() - startedAt;
}

interface Round {
  readonly upMs: number;
  readonly downMs: number;
  readonly memoryMb: number;
  readonly memoryNote: string;
  readonly silent: number;
}

/** Makes all wires, sends a packet through each, and closes them until no device is left. */
async function round(mesh: Mesh, residents: readonly Resident[], names: readonly string[]): Promise<Round> {
  const connections: { readonly name: string; readonly connection: Connection }[] = [];
  const upMs = await byCallers(mesh, names, async (client, name) => {
    const connection = await client.request({ id: `bench-${name}`, service: SERVICE, netns: netnsOf(name) });
    connections.push({ name, connection });
  });
  let silent = 0;
  for (const { name, connection } of connections) {
    const address = addressesIn(connection).endpoint;
    const { rttMs } = await ping(mesh.ground.machine, { netns: netnsOf(name), address });
    if (rttMs === undefined) silent += 1;
  }
  const [memoryMb, memoryNote] = [mesh.memoryMb(), mesh.memoryNote()];
  const startedAt = performance.now();
  await byCallers(mesh, connections, async (client, { connection }) => await client.close(connection));
  const answeredMs = performance.now() - startedAt;
  for (const resident of residents) await resident.untilEmpty();
  const downMs = performance.now() - startedAt;
  const note = `${memoryNote}; last close answered after ${(answeredMs / 1000).toFixed(1)} s, last device gone after ${(downMs / 1000).toFixed(1)} s`;
  return { upMs, downMs, memoryMb, memoryNote: note, silent };
}

/** The number of wires that carry packets while their agent is dead, and after its restart. */
async function survivors(
  mesh: Mesh,
  names: readonly string[],
): Promise<readonly [dead: number, again: number]> {
  const far = new Map<string, string>();
  await byCallers(mesh, names, async (client, name) => {
    const connection = await client.request({ id: `bench-${name}`, service: SERVICE, netns: netnsOf(name) });
    far.set(name, addressesIn(connection).endpoint);
  });
  const alive = async (): Promise<number> => {
    let answers = 0;
    for (const [name, address] of far) {
      const { rttMs } = await ping(mesh.ground.machine, { netns: netnsOf(name), address });
      if (rttMs !== undefined) answers += 1;
    }
    return answers;
  };
  let dead = 0;
  await mesh.killAgent("alpha", async () => {
    dead = await alive();
  });
  return [dead, await alive()];
}

/** The agent's processor time, in µs per route, while a routing daemon of its host adds and withdraws 100,000 routes. */
async function routeCost(mesh: Mesh): Promise<number> {
  const file = `${folderOf("routes")}.batch`;
  mkdirSync(dirname(file), { recursive: true });
  const lines = (verb: string): string =>
    Array.from(
      { length: ROUTES },
      (_, n) => `route ${verb} blackhole 11.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255} proto bgp\n`,
    ).join("");
  writeFileSync(file, lines("add") + lines("delete"));
  const used = (): number => mesh.daemons.find(({ name }) => name.startsWith("agent"))?.cpuMs() ?? Number.NaN;
  const [before, startedAt] = [used(), performance.now()];
  await promisify(execFile)("ip", ["-n", nameOf("alpha"), "-batch", file]);
  const [after, takenMs] = [used(), performance.now() - startedAt];
  rmSync(file);
  // Subtract the work of an idle agent in the same time.
  await sleep(takenMs);
  const atRest = used() - after;
  return (1000 * (after - before - atRest)) / ROUTES;
}

/** Devices that are left, and wires that the agent still knows. */
async function leftovers(mesh: Mesh, residents: readonly Resident[]): Promise<string[]> {
  const { wires } = JSON.parse(await mesh.netloom("alpha", "status", "-o", "json")) as { wires: unknown[] };
  return [
    ...residents.flatMap((resident) => resident.devices().map((name) => `${name} in ${resident.netns}`)),
    ...wires.map((wire) => `wire ${JSON.stringify(wire)}`),
  ];
}

await Mesh.use(["alpha"], async (mesh) => {
  const endpoints = Array.from({ length: ENDPOINTS }, (_, n) => `e${n}`);
  const clients = Array.from({ length: WIRES }, (_, n) => `c${n}`);
  const warmUp = Array.from({ length: WARM_UP_WIRES }, (_, n) => `u${n}`);
  for (const name of [...endpoints, ...clients, ...warmUp]) await mesh.ground.netns(name);
  await mesh.apply(
    "alpha",
    endpoints.map((name, n) => exposeOf(name, SERVICE, `10.96.${8 * n}.0/21`)),
  );
  const hosts = ["alpha", ...endpoints].map((netns) => Resident.start(netns));
  await Promise.all(hosts.map((host) => host.started));
  const baseline = new Set(hosts[0]?.devices());
  await round(mesh, hosts.slice(1), warmUp);
  const before = readCpuTimes();
  const result = await round(mesh, hosts.slice(1), clients);
  const stolen = stealShare(before, readCpuTimes());
  const routeUs = await routeCost(mesh);
  const left = (await leftovers(mesh, hosts)).filter((text) => !baseline.has(text.split(" ")[0] ?? ""));
  const [dead, again] = await survivors(mesh, clients);
  const [up, down] = [(1000 * WIRES) / result.upMs, (1000 * WIRES) / result.downMs];
  report(
    "scale",
    [
      plainRow("up", "1/s", [up]),
      plainRow("down", "1/s", [down]),
      plainRow("memory", "MB", [result.memoryMb]),
      plainRow("leftovers", "", [left.length]),
      plainRow("routes", "µs", [routeUs]),
      plainRow("survivors", "%", [(100 * Math.min(dead, again)) / WIRES]),
    ],
    [
      `${WIRES} wires, ${ENDPOINTS} endpoints, ${CALLERS} callers, after ${WARM_UP_WIRES} wires to warm up; ${result.silent} wires let no packet through`,
      `after kill -9 of the agent ${dead} of ${WIRES} wires carry packets, and ${again} when it is there again`,
      `${ROUTES} routes of alpha came and went`,
      result.memoryNote,
      ...left.slice(0, 5).map((text) => `left over: ${text}`),
      `stolen ${(100 * stolen).toFixed(1)} %`,
    ],
  );
  for (const host of hosts) host.stop();
});
process.exit(0);
