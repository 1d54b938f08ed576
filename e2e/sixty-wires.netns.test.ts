/**
 * Three hosts, ten workloads on each, and 60 wires over IPv4 and IPv6; workload n of a host is wired to n+1 of the same
 * host and to n of the two others:
 *
 *   alpha: w0 ══ w1 ══ … w9        alpha ──── beta
 *   beta:  w0 ══ w1 ══ … w9          │         │       wN ))) wN ))) wN, by VXLAN
 *   gamma: w0 ══ w1 ══ … w9          └─ gamma ─┘
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { test } from "node:test";
import { labFixture, type LabFixture } from "../fixtures/lab/lab.ts";
import { type Lab, type LabWire, sideName, type WireSide } from "../src/lab/file/model.ts";
import { netnsOf } from "../src/lab/topology/topology.ts";
import { Pinger } from "../src/linux/icmp/icmp.ts";
import { needsRoot } from "../fixtures/linux/netns.ts";
import type { Netns } from "../src/kernel/kernel.ts";
import { wireTexts } from "../fixtures/documents/documents.ts";

const skip = needsRoot;
const workloads = Array.from({ length: 10 }, (_, n) => n);
const pairs = [
  ["alpha", "alpha"],
  ["beta", "beta"],
  ["gamma", "gamma"],
  ["alpha", "beta"],
  ["beta", "gamma"],
  ["alpha", "gamma"],
] as const;

const wires = workloads.flatMap((n) =>
  pairs.map(([a, b], i) => {
    const other = a === b ? (n + 1) % workloads.length : n;
    return `{ client: ${a}/w${n}/c${i}, endpoint: ${b}/w${other}/e${i} }`;
  }),
);

function text(wires: readonly string[]): string {
  const hosts = ["alpha", "beta", "gamma"].map(
    (host) => `    ${host}: { workloads: [${workloads.map((n) => `w${n}`).join(", ")}] }`,
  );
  return `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts:
${hosts.join("\n")}
  links:
    - [alpha, beta]
    - [beta, gamma]
    - [alpha, gamma]
${wireTexts(wires)}`;
}

test(
  "every workload reaches its wires' other ends by ping and iperf3, and nothing else",
  { skip },
  async (t) => {
    const lab = await labFixture(t);
    const { lab: model, durationMs } = await lab.up(text(wires));
    t.diagnostic(`${model.wires.length} wires up in ${durationMs.toFixed(0)} ms`);
    const status = await lab.assertHealthy();
    assert.equal(status.wires.length, 60);
    assert.ok(
      status.wires.every(({ ping }) => ping?.length === 2),
      "both families",
    );
    for (const wire of model.wires) await carriesTcp(lab, wire);
    assert.equal(await strangersReached(lab, model), 0);
  },
);

test(
  "closing one wire leaves all others alone: the same devices, and no packet lost",
  { skip },
  async (t) => {
    const lab = await labFixture(t);
    const { lab: model } = await lab.up(text(wires));
    const [closed, ...rest] = model.wires;
    assert.ok(closed);
    const before = rest.map((wire) => indexes(lab, wire));
    const over = new AbortController();
    const flows = rest.map((wire) => countLost(lab, wire, over.signal));
    try {
      const report = await lab.up(text(wires.slice(1)));
      assert.deepEqual(report.wires, { added: [], changed: [], removed: [sideName(closed.client)] });
    } finally {
      over.abort();
    }
    const counts = await Promise.all(flows);
    t.diagnostic(`${counts.reduce((sum, { sent }) => sum + sent, 0)} packets meanwhile`);
    assert.ok(counts.every(({ sent, lost }) => sent > 0 && lost === 0));
    assert.deepEqual(
      rest.map((wire) => indexes(lab, wire)),
      before,
    );
  },
);

function placeOf({ host, workload }: WireSide): string {
  return `${host}/${workload}`;
}

function nameOf(netns: Netns): string {
  return netns.slice(netns.lastIndexOf("/") + 1);
}

/** Sends a megabyte from the client to the endpoint, over both families. */
async function carriesTcp(lab: LabFixture, { client, endpoint }: LabWire): Promise<void> {
  const [from, to] = [client, endpoint].map((side) => nameOf(netnsOf(lab.name, placeOf(side))));
  for (const address of endpoint.addresses) {
    const server = spawn("ip", ["netns", "exec", `${to}`, "iperf3", "--server", "--one-off", "--forceflush"]);
    try {
      const ended = once(server, "exit");
      await once(server.stdout, "data");
      const words = ["iperf3", "--client", address, "--bytes", "1M", "--json"];
      const { stdout } = await run("ip", ["netns", "exec", `${from}`, ...words]);
      const { end } = JSON.parse(stdout) as { end: { sum_received: { bytes: number } } };
      // The server counts until the client reports its end, which may be a little early.
      assert.ok(end.sum_received.bytes > 0, `${sideName(client)} to ${address}`);
      await ended;
    } finally {
      server.kill("SIGKILL");
    }
  }
}

async function run(program: string, args: readonly string[]): Promise<{ stdout: string }> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  const [code] = (await once(child, "close")) as [number | null];
  assert.equal(code, 0, `${args.join(" ")}: ${stdout}`);
  return { stdout };
}

/** Number of addresses of other wires to which any workload finds a way. */
async function strangersReached(lab: LabFixture, model: Lab): Promise<number> {
  const places = new Set(model.wires.flatMap(({ client, endpoint }) => [placeOf(client), placeOf(endpoint)]));
  let reached = 0;
  for (const place of places)
    for (const { client, endpoint } of model.wires) {
      if (placeOf(client) === place || placeOf(endpoint) === place) continue;
      for (const address of endpoint.addresses) {
        try {
          (await Pinger.open(lab.machine, netnsOf(lab.name, place), address)).close();
          reached++;
        } catch (error) {
          assert.match(String(error), /ENETUNREACH|EHOSTUNREACH/);
        }
      }
    }
  return reached;
}

/** Indexes of the devices at both sides. */
function indexes(lab: LabFixture, { client, endpoint }: LabWire): number[] {
  return [client, endpoint].map((side) => {
    const netns = nameOf(netnsOf(lab.name, placeOf(side)));
    const json = execFileSync("ip", ["-n", netns, "-j", "link", "show", "dev", side.interface], {
      encoding: "utf8",
    });
    return (JSON.parse(json) as { ifindex: number }[])[0]?.ifindex ?? 0;
  });
}

/** Pings through a wire until told to stop. */
async function countLost(
  lab: LabFixture,
  { client, endpoint }: LabWire,
  signal: AbortSignal,
): Promise<{ sent: number; lost: number }> {
  const netns = netnsOf(lab.name, placeOf(client));
  const pinger = await Pinger.open(lab.machine, netns, endpoint.addresses[0] ?? "");
  const count = { sent: 0, lost: 0 };
  try {
    do {
      count.sent++;
      if ((await pinger.probe({ timeoutMs: 5000 })).rttMs === undefined) count.lost++;
      // An answer that is already there gives the event loop no turn.
      await nextTurn();
    } while (!signal.aborted);
    return count;
  } finally {
    pinger.close();
  }
}
