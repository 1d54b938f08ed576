/**
 * The cost of an idle host: a registry and an agent with 50 wires, each from a workload of its own to one of 5 endpoints,
 * and a rest without any request. BENCH_REST_S is the rest in seconds, by default 60; the project promises figures for 300.
 * `status` is `netloom status`, from the start of its process to its end.
 */
import { sized } from "./sized.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { pathOf } from "./bed.ts";
import { exposeOf, Mesh } from "./mesh.ts";
import { clientDocument } from "../fixtures/documents/documents.ts";
import { plainRow, readCpuTimes, report, stealShare } from "./report.ts";

const WIRES = sized(50, 5);
const ENDPOINTS = 5;
const SERVICE = "footprint";
const REST_S = Number(process.env["BENCH_REST_S"] ?? sized(60, 3));
/** The work of making the wires is over by then. */
const SETTLE_MS = 3000;
const STATUS_CALLS = 11;

function connectOf(netns: string): object {
  return clientDocument(netns, { workload: { netns: pathOf(netns) }, service: SERVICE });
}

async function elapsed(action: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await action();
  return performance.now() - startedAt;
}

// Compiled code is cached from the second start on, as on any host.
await Mesh.use(["alpha"], async () => undefined);
await Mesh.use(["alpha"], async (mesh) => {
  const empty = mesh.memoryNote();
  const endpoints = Array.from({ length: ENDPOINTS }, (_, n) => `e${n}`);
  const clients = Array.from({ length: WIRES }, (_, n) => `c${n}`);
  for (const name of [...endpoints, ...clients]) await mesh.ground.netns(name);
  await mesh.apply("alpha", [
    ...endpoints.map((name, n) => exposeOf(name, SERVICE, `10.96.${n}.0/24`)),
    ...clients.map(connectOf),
  ]);
  await sleep(SETTLE_MS);

  const [before, startedAt] = [readCpuTimes(), performance.now()];
  const used = mesh.daemons.map((daemon) => daemon.cpuMs());
  await sleep(REST_S * 1000);
  const restMs = performance.now() - startedAt;
  const cpus = mesh.daemons.map((daemon, n) => (100 * (daemon.cpuMs() - (used[n] ?? 0))) / restMs);
  const cpu = cpus.reduce((sum, each) => sum + each, 0);
  const [memory, memoryNote] = [mesh.memoryMb(), mesh.memoryNote()];
  const stolen = stealShare(before, readCpuTimes());

  const statuses: number[] = [];
  for (let n = 0; n < STATUS_CALLS; n++) {
    statuses.push(await elapsed(() => mesh.netloom("alpha", "status")));
  }
  const status = plainRow("status", "ms", statuses);
  report(
    "footprint",
    [plainRow("memory", "MB", [memory]), plainRow("cpu", "%", [cpu]), status],
    [
      `${WIRES} wires and ${ENDPOINTS} endpoints after ${REST_S} s at rest${REST_S < 300 ? " (BENCH_REST_S=300 for the promise)" : ""}; status: ${STATUS_CALLS} new processes`,
      memoryNote,
      `when nothing was there yet: ${empty}`,
      `cpu: ${mesh.daemons.map(({ name }, n) => `${name} ${(cpus[n] ?? 0).toFixed(2)} %`).join(", ")}`,
      `stolen ${(100 * stolen).toFixed(1)} %`,
    ],
  );
});
process.exit(0);
