/**
 * A wire is as wide as the way between its hosts, from its first packet on, and stays so:
 *
 *   [web]===wire over VXLAN===[db]   alpha 10.1.0.1 (lo 192.0.2.1) ──── .254 r .254 ──── 10.2.0.2 beta (lo 198.51.100.2)
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { netloom, netloomPath, type Netloom, startProgram } from "../src/cli/spawn-netloom.ts";
import { ipJson } from "../fixtures/linux/frame.ts";
import { needsRoot, type NetnsFixture, netnsFixture } from "../fixtures/linux/netns.ts";
import type { Netns } from "../src/kernel/kernel.ts";
import { moment } from "../fixtures/async/until.ts";
import { LAB_WORDS } from "../src/identity/identities.ts";

const FOLLOWERS = "needs the followers of the kernel's facts, which come with the data path";
/** What does not follow ends here: soon, as long as nothing does. */
const HANG_MS = 400;
/** A frame, IPv4, UDP and VXLAN around an inner packet, and a VLAN tag. */
const OVERHEAD = 54;

interface Mesh {
  readonly web: Netns;
  /** `ip` in alpha. */
  ip(...words: readonly string[]): void;
  /** Starts an agent in alpha, in place of the one before. */
  agent(name: string, tunnelIp: string): Promise<void>;
  connect(agent: string, name: string, seconds?: number): Promise<void>;
  status(agent: string): Promise<string>;
}

interface Underlay {
  readonly alpha: Netns;
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
    for (const [netns, link] of [
      [host, "lo"],
      [host, "eth0"],
      [r, `eth${n}`],
    ] as const)
      ipIn(netns, "link", "set", link, "up");
    ipIn(host, "route", "add", "default", "via", `10.${n}.0.254`);
  }
  ipIn(alpha, "address", "add", "192.0.2.1/32", "dev", "lo");
  ipIn(beta, "address", "add", "198.51.100.2/32", "dev", "lo");
  ipIn(r, "route", "add", "192.0.2.1/32", "via", "10.1.0.1");
  ipIn(r, "route", "add", "198.51.100.2/32", "via", "10.2.0.2");
  execFileSync("ip", ["netns", "exec", net.nameOf(r), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
  return { alpha, beta, web, db, ipIn };
}

async function mesh(t: TestContext): Promise<Mesh> {
  const net = await netnsFixture(t);
  const { alpha, beta, web, db, ipIn } = await underlay(net);
  const folder = mkdtempSync(join(tmpdir(), "netloom-mtu-"));
  const running: Netloom[] = [];
  let last: Netloom | undefined;
  t.after(async () => {
    for (const each of running) each.kill("SIGKILL");
    await Promise.all(running.map((each) => each.outcome));
    rmSync(folder, { recursive: true, force: true });
  });
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
  const url = (name: string): string => `unix://${folder}/${name}.sock`;
  const agentIn = async (netns: Netns, name: string, listener: string, tunnelIp: string): Promise<Netloom> =>
    await serve(
      netns,
      "agent",
      ...LAB_WORDS,
      "--name",
      name,
      "--tunnel-ip",
      tunnelIp,
      "--registry",
      "tcp://10.1.0.1:5002",
      "--listen",
      url(name),
      "--listen",
      `tcp://${listener}`,
      "--state-dir",
      `${folder}/${name}`,
      "--bpffs",
      `${net.bpffs}/${name}`,
    );
  const apply = async (agent: string, document: object, seconds = 60): Promise<void> => {
    const file = join(folder, "document.yaml");
    writeFileSync(file, JSON.stringify(document));
    const { code, stderr } = await netloom([
      "apply",
      "-f",
      file,
      "--wait",
      String(seconds),
      "--agent",
      url(agent),
    ]);
    assert.equal(code, 0, stderr);
  };
  const workload = (netns: Netns): object => ({ netns: netns.slice("file://".length) });
  await serve(alpha, "registry", ...LAB_WORDS, "--store", "memory", "--listen", "tcp://10.1.0.1:5002");
  await agentIn(beta, "beta", "10.2.0.2:5001", "198.51.100.2");
  await apply("beta", {
    kind: "Expose",
    name: "db",
    workload: workload(db),
    services: ["db"],
    pools: ["10.9.0.0/24"],
  });
  return {
    web,
    ip: (...words) => void ipIn(alpha, ...words),
    async agent(name, tunnelIp) {
      last?.kill("SIGTERM");
      await last?.outcome;
      last = undefined;
      last = await agentIn(alpha, name, "10.1.0.1:5001", tunnelIp);
    },
    connect: (agent, name, seconds) =>
      apply(
        agent,
        { kind: "Connect", name, workload: workload(web), service: "db", interface: name },
        seconds,
      ),
    async status(agent) {
      const { stdout } = await netloom(["status", "--agent", url(agent)]);
      return stdout;
    },
  };
}

function mtuOf({ web }: Mesh, link: string): number {
  return Number(ipJson(web, "link", "show", "dev", link)[0]?.["mtu"]);
}

async function becomes(at: Mesh, link: string, mtu: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && mtuOf(at, link) !== mtu) await moment(50);
  assert.equal(mtuOf(at, link), mtu);
}

test("the MTU of a wire between hosts", { skip: needsRoot }, async (t) => {
  const at = await mesh(t);
  const route = (...words: readonly string[]): void =>
    at.ip("route", "replace", "198.51.100.2/32", "via", "10.1.0.254", ...words);
  route("mtu", "lock", "1400");
  await at.agent("alpha", "10.1.0.1");
  await at.connect("alpha", "one");

  await t.test("is that of the route to the other host", { todo: FOLLOWERS }, () => {
    assert.equal(mtuOf(at, "one"), 1400 - OVERHEAD);
  });
  for (const [way, mtu] of [
    ["down", 1360],
    ["up", 1420],
  ] as const)
    await t.test(`follows that ${way}`, { todo: FOLLOWERS, timeout: HANG_MS }, async ({ signal }) => {
      route("mtu", "lock", String(mtu));
      await becomes(at, "one", mtu - OVERHEAD, signal);
    });
  await t.test("is reported below what IPv6 needs", { todo: FOLLOWERS }, async () => {
    route("mtu", "lock", "1200");
    assert.match(await at.status("alpha"), /1280/);
  });
  await t.test("does not hide that the tunnel's address is lost", { todo: FOLLOWERS }, async () => {
    route();
    at.ip("address", "add", "10.1.0.9/24", "dev", "eth0");
    at.ip("address", "delete", "10.1.0.1/24", "dev", "eth0");
    const status = await at.status("alpha");
    at.ip("address", "add", "10.1.0.1/24", "dev", "eth0");
    at.ip("route", "replace", "default", "via", "10.1.0.254");
    assert.match(status, /this host has 10\.1\.0\.1 no more/);
  });
  await t.test(
    "is that of the way, not that of lo, where the tunnel's address is on lo",
    { todo: FOLLOWERS },
    async () => {
      await at.agent("delta", "192.0.2.1");
      // Soon, as long as it fails.
      await at.connect("delta", "two", 2);
      assert.equal(mtuOf(at, "two"), 1500 - OVERHEAD);
    },
  );
  await t.test(
    "does not keep an agent from starting where there is no carrier yet",
    { todo: FOLLOWERS },
    async () => {
      at.ip("link", "add", "eth9", "type", "veth", "peer", "name", "far9");
      at.ip("address", "add", "10.3.0.1/24", "dev", "eth9");
      at.ip("link", "set", "eth9", "up");
      await at.agent("gamma", "10.3.0.1");
    },
  );
});
