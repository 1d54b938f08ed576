/**
 * A restart of an agent with 2,000 wires: `kill -9`, and then the time from the start of its process until it serves, with
 * all wires adopted. The baseline is one `ip -d link` in every namespace that has an end of a wire. Meanwhile 20 wires carry
 * a ping every 20 ms; `lost` is the number of packets without an answer, over all rounds.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { nameOf, netnsOf } from "./bed.ts";
import { addressesIn, exposeOf, Mesh } from "./mesh.ts";
import { measurePairs, pairedRow, plainRow, report, spread } from "./report.ts";
import { sized } from "./sized.ts";

const WIRES = sized(2000, 40);
const ENDPOINTS = 20;
const CALLERS = 32;
const ROUNDS = sized(7, 1);
const STREAMS = 20;
const SERVICE = "restart";

/** A ping through a wire until `lost` is asked for. */
class Stream {
  readonly #ping: ChildProcess;
  #text = "";

  constructor(netns: string, address: string) {
    const words = ["netns", "exec", nameOf(netns), "ping", "-n", "-i", "0.02", address];
    this.#ping = spawn("ip", words, { stdio: ["ignore", "pipe", "inherit"] });
    this.#ping.stdout?.on("data", (bytes: Buffer) => (this.#text += bytes.toString()));
  }

  /** Ends the ping. Returns the packets before the last answered one that have no answer. */
  async lost(): Promise<number> {
    const ended = once(this.#ping, "close");
    this.#ping.kill("SIGINT");
    await ended;
    const answered = new Set([...this.#text.matchAll(/icmp_seq=(\d+)/g)].map(([, packet]) => Number(packet)));
    return Math.max(0, ...answered) - answered.size;
  }
}

async function elapsed(action: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await action();
  return performance.now() - startedAt;
}

await Mesh.use(["alpha"], async (mesh) => {
  const endpoints = Array.from({ length: ENDPOINTS }, (_, n) => `e${n}`);
  const clients = Array.from({ length: WIRES }, (_, n) => `c${n}`);
  for (const name of [...endpoints, ...clients]) await mesh.ground.netns(name);
  await mesh.apply(
    "alpha",
    endpoints.map((name, n) => exposeOf(name, SERVICE, `10.96.${8 * n}.0/21`)),
  );
  const far = new Map<string, string>();
  const queue = clients.values();
  const callers = Array.from({ length: CALLERS }, () =>
    mesh.client(async (client) => {
      for (const name of queue) {
        const request = { id: `bench-${name}`, service: SERVICE, netns: netnsOf(name) };
        far.set(name, addressesIn(await client.request(request)).endpoint);
      }
    }),
  );
  await Promise.all(callers);
  const streams = [...far].slice(0, STREAMS).map(([name, address]) => new Stream(name, address));
  const script = ["alpha", ...endpoints, ...clients]
    .map((name) => `ip -n ${nameOf(name)} -d link\n`)
    .join("");
  const paired = await measurePairs({
    pairs: ROUNDS,
    subject: async () => {
      let startedAt = 0;
      await mesh.killAgent("alpha", async () => void (startedAt = performance.now()));
      return performance.now() - startedAt;
    },
    baseline: () => elapsed(() => promisify(execFile)("sh", ["-c", script], { maxBuffer: 2 ** 28 })),
  });
  const lost = await Promise.all(streams.map((stream) => stream.lost()));
  report(
    "restart",
    [pairedRow("adopt", "ms", paired), plainRow("lost", "", [lost.reduce((sum, each) => sum + each, 0)])],
    [
      `${WIRES} wires between ${WIRES} namespaces and ${ENDPOINTS} endpoints, ${paired.subject.length} restarts, spread ${spread(paired.subject)}, of ip ${spread(paired.baseline)}`,
      `${streams.length} wires with a ping every 20 ms`,
    ],
  );
});
process.exit(0);
