/**
 * Answers of a registry with 100,000 endpoints in 1,000 services over TCP, while 1,000 endpoints a second are registered
 * again and 1,000 watchers get the changes. Three processes: the registry with its SQLite file, the load, and this one,
 * which makes one find at a time. `cpu` and `memory` are those of the registry. The baseline is an empty find: the cost of
 * the round trip.
 */
import { sized } from "./sized.ts";
import { create } from "@bufbuild/protobuf";
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { NetworkServiceEndpointQuerySchema } from "../src/api/gen/nsm/registry_pb.js";
import { stationsOver } from "../src/api/hops.ts";
import { ENDPOINTS, SERVICES, openHops, serviceName } from "./registry-process.ts";
import {
  measurePairs,
  pairedRow,
  percentile,
  plainRow,
  readCpuTimes,
  report,
  spread,
  stealShare,
} from "./report.ts";

const PAIRS = sized(1200, 20);
const WARM_UP = sized(100, 5);

/** Pause between two finds: they come at a fixed pace, not as fast as they are answered. */
const PAUSE_MS = 8;

/** A child process whose lines of JSON are read one by one. */
class Partner {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(...args: string[]) {
    const file = fileURLToPath(new URL("registry-process.ts", import.meta.url));
    // The registry gets the same nursery as from bin/netloom.
    const nursery = args[0] === "serve" ? ["--max-semi-space-size=2"] : [];
    this.child = spawn(process.execPath, ["--expose-gc", ...nursery, file, ...args], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    if (!this.child.stdout) throw new TypeError("a pipe");
    this.#lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async read(): Promise<Record<string, number>> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the process of the bench has ended");
    return JSON.parse(value) as Record<string, number>;
  }
}

/** Processor time used by a process, in milliseconds. Read in ticks of 10 ms, proc_pid_stat(5). */
function cpuMs({ child }: Partner): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const directory = mkdtempSync(join(tmpdir(), "nlb-"));
const url = `tcp://127.0.0.1:${await freePort()}`;
const server = new Partner("serve", join(directory, "registry.db"), url);
const { hops, world } = openHops();
let load: Partner | undefined;
try {
  const filled = await server.read();
  load = new Partner("load", url);
  await load.read();
  const running = load;
  let latest: Record<string, number> = {};
  world.scope.spawn("read load", async () => {
    for (;;) latest = await running.read();
  });

  const { endpoints } = stationsOver(hops.dial(url), world.clock);
  const find = async (
    like: { readonly name?: string; readonly networkServiceNames?: string[] },
    count: number,
  ) => {
    const query = create(NetworkServiceEndpointQuerySchema, { networkServiceEndpoint: like });
    await world.clock.sleep(PAUSE_MS);
    const startMs = performance.now();
    const answers = endpoints.find({ scope: world.scope }, query);
    let found = 0;
    while (await answers.take()) found += 1;
    if (found !== count) throw new Error(`${found} endpoints instead of ${count}`);
    return performance.now() - startMs;
  };
  let n = 0;
  const subject = () => find({ networkServiceNames: [serviceName(n++ * 37)] }, ENDPOINTS / SERVICES);
  const baseline = () => find({ name: "nothing" }, 0);
  for (let warmUp = 0; warmUp < WARM_UP; warmUp++) await subject();
  const before = readCpuTimes();
  const usedMs = cpuMs(server);
  const startMs = performance.now();
  const paired = await measurePairs({ pairs: PAIRS, subject, baseline });
  const one: number[] = [];
  for (let i = 0; i < PAIRS; i++) one.push(await find({ name: `endpoint-${(i * 7919) % ENDPOINTS}` }, 1));
  while (latest["rate"] === undefined) await world.clock.sleep(PAUSE_MS);
  const stolen = stealShare(before, readCpuTimes());
  const cpuShare = (cpuMs(server) - usedMs) / (performance.now() - startMs);
  server.child.stdin?.write("memory\n");
  const end = await server.read();
  const p99 = percentile(paired.subject, 99);
  const row = { ...pairedRow("find", "ms", paired), value: p99 };
  report(
    "registry",
    [
      row,
      { ...plainRow("find-one", "ms", one), value: percentile(one, 99) },
      plainRow("register-again", "1/s", [latest["rate"] ?? Number.NaN]),
      plainRow("register-again p99", "ms", [latest["p99"] ?? Number.NaN]),
      plainRow("cpu", "%", [100 * cpuShare]),
      plainRow("memory", "MiB", [end["memoryMiB"] ?? Number.NaN]),
    ],
    [
      `find: value is p99; spread ${spread(paired.subject)}, stolen ${(100 * stolen).toFixed(1)} %`,
      `${end["endpoints"]} endpoints, ${end["watchers"]} watchers, told of ${latest["events"]} refreshes; filled at ${Math.round(ENDPOINTS / ((filled["registerMs"] ?? 1) / 1000))} a second, of the memory ${Math.round(end["liveMiB"] ?? 0)} MiB are in use`,
    ],
  );
} finally {
  load?.child.kill();
  server.child.kill();
  rmSync(directory, { recursive: true });
}
process.exit(0);
