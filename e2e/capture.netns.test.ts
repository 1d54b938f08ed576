/**
 * `netloom capture` on the real kernel: what it captures, and that it leaves nothing behind.
 *
 * ```
 *   alpha ─────────────────── beta
 *     web ═══════ vxlan ═══════ db ══ veth ══ cache
 *     eth9 (a port) ═══ vxlan ═══ db
 * ```
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { until } from "../fixtures/async/until.ts";
import { readPcapng, type ReadFile } from "../fixtures/capture/pcapng-reader.ts";
import { linesOf, needsTcpdump } from "../fixtures/capture/tcpdump.ts";
import { labFixture, type LabFixture } from "../fixtures/lab/lab.ts";
import { needsRoot } from "../fixtures/linux/netns.ts";
import { netloomPath } from "../src/cli/spawn-netloom.ts";
import { findDaemons } from "../src/lab/daemons.ts";
import { namespaceName } from "../src/lab/topology/topology.ts";

const skip = needsRoot || needsTcpdump;

const TEXT = `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts:
    alpha: { workloads: [web] }
    beta: { workloads: [db, cache] }
  links: [[alpha, beta]]
  agents: true
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: db }
spec: { workload: beta/db, services: [db], pools: [10.9.0.0/24, "fd09::/64"] }
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: web-db }
spec: { workload: alpha/web, service: db, interface: to-db }
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: cache-db }
spec: { workload: beta/cache, service: db, interface: to-db }
`;

/** A running command. */
interface Capturing {
  readonly child: ChildProcess;
  /** Its stderr so far. */
  readonly said: () => string;
  /** Its stdout so far. */
  readonly file: () => Buffer;
  /** Waits for its end. */
  readonly end: () => Promise<{
    readonly code: number | null;
    readonly file: ReadFile;
    readonly bytes: Buffer;
  }>;
}

/** Runs the command until the capture has begun or was refused. */
async function capturing(
  t: TestContext,
  lab: LabFixture,
  host: string,
  ...words: readonly string[]
): Promise<Capturing> {
  const folder = mkdtempSync(join(tmpdir(), "nlt-capture-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "wire.pcapng");
  const out = openSync(path, "w");
  const args = ["capture", ...words, "--lab", lab.name, "--host", host];
  const child = spawn(netloomPath, args, { stdio: ["ignore", out, "pipe"] });
  closeSync(out);
  t.after(() => child.kill("SIGKILL"));
  const ended = once(child, "close");
  let said = "";
  child.stderr?.on("data", (part) => (said += String(part)));
  await until(() => said.includes("capturing") || child.exitCode !== null);
  return {
    child,
    said: () => said,
    file: () => readFileSync(path),
    end: async () => {
      await ended;
      const bytes = readFileSync(path);
      return { code: child.exitCode, file: readPcapng(bytes), bytes };
    },
  };
}

function inside(lab: LabFixture, place: string, ...argv: readonly string[]): string {
  return execFileSync("ip", ["netns", "exec", namespaceName(lab.name, place), ...argv], { encoding: "utf8" });
}

/** Number of packet sockets in a namespace, from /proc/net/packet without its heading. */
function packetSockets(lab: LabFixture, place: string): number {
  return inside(lab, place, "cat", "/proc/net/packet").trimEnd().split("\n").length - 1;
}

function ping(lab: LabFixture, place: string, address: string): void {
  inside(lab, place, "ping", "-n", "-c", "2", "-i", "0.2", "-W", "20", address);
}

/** The addresses of the far end of each wire, IPv4 first. */
async function addressesOf(lab: LabFixture): Promise<ReadonlyMap<string, readonly string[]>> {
  const { wires } = await lab.assertHealthy();
  return new Map(
    wires.map(({ wire, ping: pings = [] }) => [
      wire,
      pings.map(({ address }) => address).sort((a, b) => Number(a.includes(":")) - Number(b.includes(":"))),
    ]),
  );
}

/** Number of packets of each comment and direction in a file. */
function tally({ packets }: ReadFile): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { comment, direction } of packets) {
    const what = `${direction}: ${comment}`;
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
}

test(
  "a capture has both directions of a remote and of a local wire, as tcpdump reads them, and only packets that the filter matches",
  { skip },
  async (t) => {
    const lab = await labFixture(t);
    await lab.up(TEXT);
    const addresses = await addressesOf(lab);
    const [four = "", six = ""] = addresses.get("alpha/web/to-db") ?? [];
    const remote = await capturing(t, lab, "alpha", "web/to-db", "icmp");
    const workload = await capturing(t, lab, "beta", "db", "icmp", "and", "not", "arp");
    const ten = await capturing(t, lab, "alpha", "web-db", "--count", "1", `host ${six} and icmp6`);
    for (const address of [four, six]) ping(lab, "alpha/web", address);
    ping(lab, "beta/cache", addresses.get("beta/cache/to-db")?.[0] ?? "");

    await until(() => readPcapng(remote.file()).packets.length >= 4);
    remote.child.kill("SIGINT");
    const { code, file, bytes } = await remote.end();
    assert.equal(code, 0, remote.said());
    assert.deepEqual(file.interfaces, ["to-db"]);
    assert.deepEqual(tally(file), {
      "out: wire alpha/web/to-db: client to endpoint": 2,
      "in: wire alpha/web/to-db: endpoint to client": 2,
    });
    const kinds = linesOf(bytes).map((line) => /ICMP echo (request|reply)/.exec(line)?.[1]);
    assert.deepEqual(kinds, ["request", "reply", "request", "reply"]);
    const [statistics] = file.statistics;
    assert.ok(
      statistics && statistics.received >= 4n && statistics.accepted === 4n && statistics.dropped === 0n,
    );
    assert.match(remote.said(), /^alpha\/web\/to-db: 4 frames captured of \d+ that passed, 0 lost$/m);

    await until(() => readPcapng(workload.file()).packets.length >= 8);
    workload.child.kill("SIGINT");
    const both = (await workload.end()).file;
    assert.equal(both.interfaces.length, 2);
    const perWire = both.packets.map(
      (each) => `${each.interface} ${each.direction} ${each.comment.replace(/^.*: /, "")}`,
    );
    assert.deepEqual(
      [...new Set(perWire)].sort(),
      [0, 1].flatMap((n) => [`${n} in client to endpoint`, `${n} out endpoint to client`]),
    );

    const only = await ten.end();
    assert.deepEqual([ten.child.exitCode, only.file.packets.length], [0, 1]);
    assert.match(linesOf(only.bytes)[0] ?? "", /ICMP6/);
    for (const [place, refused, words] of [
      ["alpha", /read its filter: column 5: "prot" stands where/, ["web-db", "tcp prot 53"]],
      ["alpha", /alpha has no such wire/, ["nowhere"]],
    ] as const) {
      const refusing = await capturing(t, lab, place, ...words);
      assert.deepEqual((await refusing.end()).bytes.length, 0);
      assert.match(refusing.said(), refused);
      assert.equal(refusing.child.exitCode, 1);
    }
  },
);

test(
  "a capture leaves no socket in the workload, whichever process is killed, and ends with the workload",
  { skip },
  async (t) => {
    const lab = await labFixture(t);
    await lab.up(TEXT);
    const addresses = await addressesOf(lab);
    const gone = await capturing(t, lab, "alpha", "web");
    assert.equal(packetSockets(lab, "alpha/web"), 1);
    gone.child.kill("SIGKILL");
    await until(() => packetSockets(lab, "alpha/web") === 0);

    const orphan = await capturing(t, lab, "alpha", "web");
    assert.equal(packetSockets(lab, "alpha/web"), 1);
    const agent = findDaemons(lab.name).find((each) => each.kind === "agent" && each.host === "alpha");
    assert.ok(agent);
    process.kill(agent.pid, "SIGKILL");
    await orphan.end();
    assert.equal(orphan.child.exitCode, 1, orphan.said());
    await until(() => packetSockets(lab, "alpha/web") === 0);
    ping(lab, "alpha/web", addresses.get("alpha/web/to-db")?.[0] ?? "");
    await lab.up(TEXT);

    const last = await capturing(t, lab, "alpha", "web");
    await lab.machine.removeNetns(`/run/netns/${namespaceName(lab.name, "alpha/web")}`);
    const { code, file } = await last.end();
    assert.equal(code, 1, last.said());
    assert.match(last.said(), /^alpha\/web\/to-db: the capture ended: its workload is gone$/m);
    assert.equal(file.statistics.length, 1);
    // The namespace was removed after the capture: nothing of the wire is left.
    await until(
      () =>
        !spawnSync("ip", ["-n", namespaceName(lab.name, "alpha"), "link"])
          .stdout.toString()
          .includes("nlv"),
    );
  },
);

test(
  "a capture of a port records packets of the machine behind it as coming in, on the way from the client",
  { skip },
  async (t) => {
    const lab = await labFixture(t);
    await lab.up(TEXT);
    const [alpha, machine] = [namespaceName(lab.name, "alpha"), `nlt${process.pid}-machine`];
    const ip = (...words: readonly string[]): string => execFileSync("ip", words, { encoding: "utf8" });
    t.after(() => void spawnSync("ip", ["netns", "delete", machine]));
    ip("netns", "add", machine);
    ip("-n", machine, ..."link add eth0 type veth peer name eth9 netns".split(" "), alpha);
    ip("-n", machine, "link", "set", "eth0", "up");
    ip("-n", alpha, "link", "set", "eth9", "up");
    const applied = spawnSync(
      netloomPath,
      ["apply", "-f", "-", "--wait", "20", "--lab", lab.name, "--host", "alpha"],
      {
        encoding: "utf8",
        input:
          "---\napiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: eth9-db }\nspec: { workload: { port: eth9 }, service: db }\n",
      },
    );
    assert.equal(applied.status, 0, applied.stdout + applied.stderr);
    const { wires } = JSON.parse(
      execFileSync(netloomPath, ["status", "--lab", lab.name, "--host", "alpha", "-o", "json"], {
        encoding: "utf8",
      }),
    ) as { wires: { wire: string; addresses: { client: string[]; endpoint: string[] } }[] };
    const wire = wires.find((each) => each.wire.includes("eth9"));
    assert.ok(wire, JSON.stringify(wires));
    const [own = "", far = ""] = [wire.addresses.client[0], wire.addresses.endpoint[0]];
    ip("-n", machine, "address", "add", `${own.split("/")[0]}/24`, "dev", "eth0");
    const capture = await capturing(t, lab, "alpha", "eth9", "icmp", "--count", "4");
    execFileSync("ip", [
      "netns",
      "exec",
      machine,
      "ping",
      "-n",
      "-c",
      "2",
      "-W",
      "20",
      far.split("/")[0] ?? "",
    ]);
    const { file } = await capture.end();
    assert.deepEqual(tally(file), {
      "in: wire alpha/eth9: client to endpoint": 2,
      "out: wire alpha/eth9: endpoint to client": 2,
    });
  },
);

test(
  "a capture waits for a slow reader, loses frames for which it has no room, and reports how many",
  { skip },
  async (t) => {
    const lab = await labFixture(t);
    await lab.up(TEXT);
    const [far = ""] = (await addressesOf(lab)).get("alpha/web/to-db") ?? [];
    const args = ["capture", "web/to-db", "--buffer", "16", "--lab", lab.name, "--host", "alpha"];
    const child = spawn(netloomPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    t.after(() => child.kill("SIGKILL"));
    const ended = once(child, "close");
    let said = "";
    child.stderr.on("data", (part) => (said += String(part)));
    await until(() => said.includes("capturing"));
    // Far more than the pipe and all buffers up to the socket hold; nobody reads.
    inside(lab, "alpha/web", "ping", "-n", "-q", "-f", "-c", "4000", "-s", "1400", far);
    const pieces: Buffer[] = [];
    child.stdout.on("data", (piece: Buffer) => pieces.push(piece));
    const small = 77;
    await until(() => {
      inside(lab, "alpha/web", "ping", "-n", "-c", "1", "-s", String(small), far);
      return hasFrame(pieces, 14 + 20 + 8 + small);
    });
    child.kill("SIGINT");
    await ended;
    assert.equal(child.exitCode, 0, said);
    const { packets, statistics } = readPcapng(Buffer.concat(pieces));
    const { received, dropped } = statistics[0] ?? assert.fail(said);
    assert.ok(dropped > 1_000n && received >= 4_000n, said);
    assert.ok(BigInt(packets.length) <= received - dropped, said);
    assert.match(said, new RegExp(` ${dropped} lost for lack of room: --buffer gives more$`, "m"));
  },
);

/** Returns whether a frame of that length was written completely. */
function hasFrame(pieces: readonly Buffer[], bytes: number): boolean {
  try {
    return readPcapng(Buffer.concat(pieces)).packets.some(({ data }) => data.length === bytes);
  } catch {
    // Its last block is not complete yet.
    return false;
  }
}
