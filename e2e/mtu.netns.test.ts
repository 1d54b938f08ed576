/**
 * A wire is as wide as the way between its hosts, from its first packet on, and stays so:
 *
 *   [web]===wire over VXLAN===[db]   alpha 10.1.0.1 (lo 192.0.2.1) ──── .254 r .254 ──── 10.2.0.2 beta (lo 198.51.100.2)
 */
import { clientDocument, providerDocument } from "../fixtures/documents/documents.ts";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { netloom, netloomPath, type Netloom, startProgram } from "../src/cli/spawn-netloom.ts";
import { ipJson } from "../fixtures/linux/frame.ts";
import { pingAllTheTime, type PingStream } from "../fixtures/linux/ping-stream.ts";
import { needsRoot, type NetnsFixture, netnsFixture } from "../fixtures/linux/netns.ts";
import type { Netns } from "../src/kernel/kernel.ts";
import { moment } from "../fixtures/async/until.ts";
import { LAB_WORDS } from "../src/identity/identities.ts";

/** Time limit for a change of the MTU. */
const HANG_MS = 120_000;
/** Bytes around an inner packet: a frame, IPv4, UDP and VXLAN, and a VLAN tag. */
const OVERHEAD = 54;
const OVERHEAD_6 = 74;
/** The endpoint gets the first address of a pool. */
const FIRST_ENDPOINT = "10.9.0.0";
const REGISTRY = "tcp://10.1.0.1:5002";
/** Two next hops, one of which leads nowhere. */
const TWO_WAYS = [
  "nexthop",
  "via",
  "10.1.0.254",
  "weight",
  "255",
  "nexthop",
  "via",
  "10.5.0.9",
  "weight",
  "1",
];

interface Mesh {
  readonly web: Netns;
  /** Runs `ip` in alpha. */
  ip(...words: readonly string[]): void;
  /**
   * Sets the MTU of the cable between a host and the router, at both of its ends: one end alone would silently drop
   * larger packets.
   */
  cable(host: "alpha" | "beta", mtu: number): void;
  /** MTU of the one wire end in db. */
  farMtu(): number;
  /** Starts an agent in alpha, in place of the previous one. */
  agent(name: string, tunnelIp: string): Promise<void>;
  connect(agent: string, name: string): Promise<void>;
  /**
   * Sends packets of this size through the first wire until the returned function is called, which returns how many
   * were lost.
   */
  pingThrough(bytes: number): Promise<PingStream["stop"]>;
  /** The output of `netloom <words> --agent …`. */
  show(agent: string, ...words: readonly string[]): Promise<string>;
}

interface Underlay {
  readonly alpha: Netns;
  readonly r: Netns;
  readonly beta: Netns;
  readonly web: Netns;
  readonly db: Netns;
  readonly ipIn: (netns: Netns, ...words: readonly string[]) => unknown;
}

async function underlay(net: NetnsFixture): Promise<Underlay> {
  const [alpha, r, beta, web, db] = [
    await net.netns(),
    await net.netns(),
    await net.netns(),
    await net.netns(),
    await net.netns(),
  ];
  const ipIn = (netns: Netns, ...words: readonly string[]): unknown =>
    execFileSync("ip", ["-n", net.nameOf(netns), ...words]);
  for (const [host, n] of [
    [alpha, 1],
    [beta, 2],
  ] as const) {
    ipIn(host, "link", "add", "eth0", "type", "veth", "peer", "name", `eth${n}`, "netns", net.nameOf(r));
    ipIn(host, "address", "add", `10.${n}.0.${n}/24`, "dev", "eth0");
    ipIn(r, "address", "add", `10.${n}.0.254/24`, "dev", `eth${n}`);
    ipIn(host, "address", "add", `fd00:${n}::${n}/64`, "dev", "eth0", "nodad");
    ipIn(r, "address", "add", `fd00:${n}::fe/64`, "dev", `eth${n}`, "nodad");
    for (const [netns, link] of [
      [host, "lo"],
      [host, "eth0"],
      [r, `eth${n}`],
    ] as const)
      ipIn(netns, "link", "set", link, "up");
    ipIn(host, "route", "add", "default", "via", `10.${n}.0.254`);
    ipIn(host, "-6", "route", "add", "default", "via", `fd00:${n}::fe`);
  }
  ipIn(alpha, "address", "add", "192.0.2.1/32", "dev", "lo");
  ipIn(beta, "address", "add", "198.51.100.2/32", "dev", "lo");
  ipIn(r, "route", "add", "192.0.2.1/32", "via", "10.1.0.1");
  ipIn(r, "route", "add", "198.51.100.2/32", "via", "10.2.0.2");
  const forwarding = ["ipv4/ip_forward", "ipv6/conf/all/forwarding"].map(
    (each) => `echo 1 > /proc/sys/net/${each}`,
  );
  execFileSync("ip", ["netns", "exec", net.nameOf(r), "sh", "-c", forwarding.join("; ")]);
  return { alpha, r, beta, web, db, ipIn };
}

/** Agents and their commands, in a temporary folder. */
function commands(t: TestContext, net: NetnsFixture) {
  const folder = mkdtempSync(join(tmpdir(), "netloom-mtu-"));
  const running: Netloom[] = [];
  t.after(async () => {
    for (const each of running) each.kill("SIGKILL");
    await Promise.all(running.map((each) => each.outcome));
    rmSync(folder, { recursive: true, force: true });
  });
  const url = (name: string): string => `unix://${folder}/${name}.sock`;
  const serve = async (netns: Netns, ...args: readonly string[]): Promise<Netloom> => {
    const ready = Promise.withResolvers<void>();
    const onStdout = (text: string): void => void (/^ready: /m.test(text) && ready.resolve());
    const daemon = startProgram("ip", ["netns", "exec", net.nameOf(netns), netloomPath, ...args], {
      onStdout,
    });
    running.push(daemon);
    await Promise.race([ready.promise, daemon.outcome.then(({ stderr }) => assert.fail(stderr))]);
    return daemon;
  };
  return {
    registry: (netns: Netns, listen: string) =>
      serve(netns, "registry", ...LAB_WORDS, "--store", "memory", "--listen", `tcp://${listen}`),
    agent(netns: Netns, name: string, listener: string, ...tunnelIps: readonly string[]): Promise<Netloom> {
      const args = ["agent", ...LAB_WORDS, "--name", name, "--registry", REGISTRY];
      args.push("--listen", url(name), "--listen", `tcp://${listener}`);
      args.push("--state-dir", `${folder}/${name}`, "--bpffs", `${net.bpffs}/${name}`);
      return serve(netns, ...args, ...tunnelIps.flatMap((each) => ["--tunnel-ip", each]));
    },
    async apply(agent: string, document: object): Promise<void> {
      const file = join(folder, "document.yaml");
      writeFileSync(file, JSON.stringify(document));
      const { code, stderr } = await netloom(["apply", "-f", file, "--wait", "60", "--agent", url(agent)]);
      assert.equal(code, 0, stderr);
    },
    async show(agent: string, ...words: readonly string[]): Promise<string> {
      const { stdout, stderr } = await netloom([...words, "--agent", url(agent)]);
      assert.notEqual(stdout, "", stderr);
      return stdout;
    },
  };
}

async function mesh(t: TestContext): Promise<Mesh> {
  const net = await netnsFixture(t);
  const { alpha, r, beta, web, db, ipIn } = await underlay(net);
  const run = commands(t, net);
  const workload = (netns: Netns): object => ({ netns: netns.slice("file://".length) });
  let last: Netloom | undefined;
  await run.registry(alpha, "10.1.0.1:5002");
  await run.agent(beta, "beta", "10.2.0.2:5001", "198.51.100.2", "fd00:2::2");
  await run.apply(
    "beta",
    providerDocument("db", { workload: workload(db), services: ["db"], pools: ["10.9.0.0/24"] }),
  );
  return {
    web,
    ip: (...words) => void ipIn(alpha, ...words),
    cable(host, mtu) {
      ipIn(r, "link", "set", host === "alpha" ? "eth1" : "eth2", "mtu", String(mtu));
      ipIn(host === "alpha" ? alpha : beta, "link", "set", "eth0", "mtu", String(mtu));
    },
    farMtu: () => Number(ipJson(db, "link", "show", "type", "veth")[0]?.["mtu"]),
    async agent(name, tunnelIp) {
      last?.kill("SIGTERM");
      await last?.outcome;
      last = undefined;
      last = await run.agent(alpha, name, "10.1.0.1:5001", tunnelIp);
    },
    connect: (agent, name) =>
      run.apply(agent, clientDocument(name, { workload: workload(web), service: "db", interface: name })),
    async pingThrough(bytes) {
      const headers = 28;
      const stream = await pingAllTheTime(net.machine, {
        netns: web,
        address: FIRST_ENDPOINT,
        payloadBytes: bytes - headers,
      });
      let ended: ReturnType<PingStream["stop"]> | undefined;
      const stop: PingStream["stop"] = () => (ended ??= stream.stop());
      t.after(stop);
      return stop;
    },
    show: (agent, ...words) => run.show(agent, ...words),
  };
}

function mtuOf({ web }: Mesh, link: string): number {
  return Number(ipJson(web, "link", "show", "dev", link)[0]?.["mtu"]);
}

async function becomes(at: Mesh, link: string, mtu: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && mtuOf(at, link) !== mtu) await moment(50);
  assert.equal(mtuOf(at, link), mtu);
}

async function says(at: Mesh, agent: string, words: RegExp, signal: AbortSignal): Promise<void> {
  let said = await at.show(agent, "status");
  while (!signal.aborted && !words.test(said)) {
    await moment(50);
    said = await at.show(agent, "status");
  }
  assert.match(said, words);
}

/** Sets the route of alpha to the other host. */
function route(at: Mesh, ...words: readonly string[]): void {
  at.ip("route", "replace", "198.51.100.2/32", "via", "10.1.0.254", ...words);
}

type Step = (title: string, run: (signal: AbortSignal) => Promise<void>) => Promise<void>;

test("the MTU of a wire between hosts", { skip: needsRoot }, async (t) => {
  const at = await mesh(t);
  const step: Step = (title, run) => t.test(title, { timeout: HANG_MS }, ({ signal }) => run(signal));
  route(at, "mtu", "lock", "1400");
  await at.agent("alpha", "10.1.0.1");
  await at.connect("alpha", "one");
  await ofOneWire(at, step);
  await ofTunnelAddresses(at, step);
});

async function ofOneWire(at: Mesh, step: Step): Promise<void> {
  await step("is that of the route to the other host, at both ends from the start", async () => {
    assert.equal(mtuOf(at, "one"), 1400 - OVERHEAD);
    assert.equal(at.farMtu(), 1400 - OVERHEAD);
    assert.match(
      await at.show("alpha", "describe", "one"),
      /way +alpha to 198\.51\.100\.2: 1400 bytes, by the route via 10\.1\.0\.254 dev eth0/,
    );
  });
  const stop = await at.pingThrough(1200);
  for (const [way, mtu] of [
    ["down", 1360],
    ["up", 1420],
  ] as const)
    await step(`follows that ${way}`, async (signal) => {
      route(at, "mtu", "lock", String(mtu));
      await becomes(at, "one", mtu - OVERHEAD, signal);
      assert.equal(at.farMtu(), mtu - OVERHEAD);
    });
  await step("and loses no packet that fits", async () => {
    const { sent, lost } = await stop();
    assert.ok(sent > 0);
    assert.equal(lost, 0);
  });
  await step("follows the device by which the packets leave, at the far host, too", async (signal) => {
    route(at);
    await becomes(at, "one", 1500 - OVERHEAD, signal);
    at.cable("alpha", 1450);
    await becomes(at, "one", 1450 - OVERHEAD, signal);
    at.cable("beta", 1380);
    await becomes(at, "one", 1380 - OVERHEAD, signal);
    at.cable("beta", 1500);
    await becomes(at, "one", 1450 - OVERHEAD, signal);
    at.cable("alpha", 1500);
    await becomes(at, "one", 1500 - OVERHEAD, signal);
    assert.equal(at.farMtu(), 1500 - OVERHEAD);
  });
  await step("is the smallest of all ways that a packet may take", async (signal) => {
    at.ip("link", "add", "eth5", "mtu", "1410", "type", "veth", "peer", "name", "far5");
    at.ip("address", "add", "10.5.0.1/24", "dev", "eth5");
    for (const link of ["eth5", "far5"]) at.ip("link", "set", link, "up");
    at.ip("route", "replace", "198.51.100.2/32", ...TWO_WAYS);
    await becomes(at, "one", 1410 - OVERHEAD, signal);
    at.ip("link", "delete", "eth5");
    route(at);
    await becomes(at, "one", 1500 - OVERHEAD, signal);
  });
  await step("is reported below what IPv6 needs, with the reason", async (signal) => {
    route(at, "mtu", "lock", "1200");
    await says(
      at,
      "alpha",
      /its MTU of 1146 bytes is below 1280, .* to 198\.51\.100\.2 carries 1200 bytes, by the route via 10\.1\.0\.254/,
      signal,
    );
  });
}

async function ofTunnelAddresses(at: Mesh, step: Step): Promise<void> {
  await step("does not hide that the tunnel's address is lost, and that it is back", async (signal) => {
    route(at);
    at.ip("address", "add", "10.1.0.9/24", "dev", "eth0");
    at.ip("address", "delete", "10.1.0.1/24", "dev", "eth0");
    await says(at, "alpha", /this host no longer has 10\.1\.0\.1/, signal);
    at.ip("address", "add", "10.1.0.1/24", "dev", "eth0");
    at.ip("route", "replace", "default", "via", "10.1.0.254");
    await says(at, "alpha", /^(?![^]*no longer has 10\.1\.0\.1)/, signal);
    await becomes(at, "one", 1500 - OVERHEAD, signal);
  });
  await step("is that of the way, not that of lo, where the tunnel's address is on lo", async () => {
    await at.agent("delta", "192.0.2.1");
    await at.connect("delta", "two");
    assert.equal(mtuOf(at, "two"), 1500 - OVERHEAD);
  });
  await step("is that of the way over IPv6", async (signal) => {
    await at.agent("epsilon", "fd00:1::1");
    await at.connect("epsilon", "six");
    assert.equal(mtuOf(at, "six"), 1500 - OVERHEAD_6);
    at.ip("-6", "route", "replace", "fd00:2::/64", "via", "fd00:1::fe", "mtu", "1400");
    await becomes(at, "six", 1400 - OVERHEAD_6, signal);
  });
  await step("does not keep an agent from starting where there is no carrier yet", async (signal) => {
    at.ip("link", "add", "eth9", "type", "veth", "peer", "name", "far9");
    at.ip("address", "add", "10.3.0.1/24", "dev", "eth9");
    at.ip("link", "set", "eth9", "up");
    await at.agent("gamma", "10.3.0.1");
    await says(at, "gamma", /10\.3\.0\.1.*eth9 has no carrier/, signal);
    at.ip("link", "set", "far9", "up");
    await says(at, "gamma", /^(?![^]*no carrier)/, signal);
  });
  await step("does not keep an agent from starting whose address is not there yet", async (signal) => {
    await at.agent("zeta", "10.4.0.1");
    await says(at, "zeta", /this host does not have 10\.4\.0\.1 yet/, signal);
    at.ip("address", "add", "10.4.0.1/24", "dev", "eth9");
    await says(at, "zeta", /^(?![^]*10\.4\.0\.1 yet)/, signal);
  });
}
