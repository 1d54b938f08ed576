/**
 * Existing devices as workloads, on the real kernel:
 *
 * ```
 *   machine: eth0 ═ cable ═ eth9 ┐                          ┌ web
 *                                ├ alpha ))) vxlan ((( beta ┤
 *   a program ═══ TAP ═════ tap0 ┘                          └ db          web is on alpha
 * ```
 *
 * The test makes the cable and the TAP, as a technician and a hypervisor would.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { until } from "../fixtures/async/until.ts";
import { labFixture, type LabFixture } from "../fixtures/lab/lab.ts";
import { needsRoot } from "../fixtures/linux/netns.ts";
import { findDaemons } from "../src/lab/daemons.ts";
import { bpffsDirectory } from "../src/lab/state.ts";
import { namespaceName } from "../src/lab/topology/topology.ts";

const skip = needsRoot;
const netloomPath = fileURLToPath(new URL("../bin/netloom", import.meta.url));
const tapMachinePath = fileURLToPath(new URL("../fixtures/linux/tap-machine.ts", import.meta.url));
const VM_MAC = "52:54:00:00:00:01";
const TAKEN = /end a wire in port eth9: the port has a wire already/;
const LONELY = /^port tap0 has no carrier/;
const BRIDGED = /it is a member of br0/;

const LAB = `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts:
    alpha: { workloads: [web] }
    beta: { workloads: [db] }
  links:
    - [alpha, beta]
  agents: true
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: db }
spec: { workload: beta/db, services: [db], pools: [10.9.0.0/24, "fd09::/64"] }
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: web }
spec: { workload: alpha/web, services: [web], pools: [10.8.0.0/24, "fd08::/64"] }
`;

const connect = (name: string, port: string, service: string): string =>
  `---\napiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: ${name} }\nspec: { workload: { port: ${port} }, service: ${service} }\n`;

interface AttachmentController {
  readonly state: string;
  readonly reason?: string;
  readonly topic?: string;
}

/** A lab with a machine connected to alpha by a cable, and a TAP there. */
class Bench {
  readonly lab: LabFixture;
  readonly alpha: string;
  readonly machine: string;
  readonly #t: TestContext;

  private constructor(t: TestContext, lab: LabFixture) {
    this.#t = t;
    this.lab = lab;
    this.alpha = namespaceName(lab.name, "alpha");
    this.machine = `nlt${process.pid}-machine`;
  }

  static async up(t: TestContext): Promise<Bench> {
    const lab = await labFixture(t);
    const bench = new Bench(t, lab);
    t.after(() => void spawnSync("ip", ["netns", "delete", bench.machine]));
    ip("netns", "add", bench.machine);
    await lab.up(LAB);
    bench.plug();
    ip("-n", bench.alpha, "tuntap", "add", "dev", "tap0", "mode", "tap");
    ip("-n", bench.alpha, "link", "set", "tap0", "up");
    return bench;
  }

  /** Connects the cable. */
  plug(): void {
    ip(
      "-n",
      this.machine,
      "link",
      "add",
      "eth0",
      "type",
      "veth",
      "peer",
      "name",
      "eth9",
      "netns",
      this.alpha,
    );
    ip("-n", this.machine, "link", "set", "eth0", "up");
    ip("-n", this.alpha, "link", "set", "eth9", "up");
  }

  /** The borrowed devices as `ip -d link` shows them, without counters. */
  borrowed(): string[] {
    return ["eth9", "tap0"].map((name) => ip("-n", this.alpha, "-d", "link", "show", "dev", name));
  }

  netloom(host: string, ...args: readonly string[]): string {
    const ran = spawnSync(netloomPath, [...args, "--lab", this.lab.name, "--host", host], {
      encoding: "utf8",
    });
    assert.equal(ran.status, 0, `${args.join(" ")}: ${ran.stdout}${ran.stderr}`);
    return ran.stdout;
  }

  /** Applies a document and returns the attachment: it is up, or the reason why it is not matches `expected`. */
  apply(document: string, expected?: RegExp): AttachmentController {
    const wait = expected ? "0.5" : "10";
    const args = [
      "apply",
      "-f",
      "-",
      "--wait",
      wait,
      "--lab",
      this.lab.name,
      "--host",
      "alpha",
      "-o",
      "json",
    ];
    for (let n = 1; ; n++) {
      const ran = spawnSync(netloomPath, args, { encoding: "utf8", input: document });
      const { attachments } = JSON.parse(ran.stdout) as { attachments: AttachmentController[] };
      const attached = attachments[0] ?? assert.fail(ran.stderr);
      if (!expected || expected.test(attached.reason ?? "") || n === 40) return attached;
    }
  }

  /** Requests a wire of a port, and returns the addresses of its ends. */
  wire(name: string, port: string, service: string): { readonly own: string[]; readonly far: string[] } {
    const { state, reason } = this.apply(connect(name, port, service));
    assert.equal(state, "up", reason);
    const found = this.wires("alpha").find(({ wire }) => wire === `alpha/${port}`);
    assert.ok(found, JSON.stringify(this.wires("alpha")));
    return { own: [...found.addresses.client], far: [...found.addresses.endpoint] };
  }

  /** The status of a host's agent. The command fails if an attachment is not up. */
  status(host: string): StatusJson {
    const args = ["status", "-o", "json", "--lab", this.lab.name, "--host", host];
    const { stdout } = spawnSync(netloomPath, args, { encoding: "utf8" });
    return JSON.parse(stdout) as StatusJson;
  }

  wires(host: string): readonly WireJson[] {
    return this.status(host).wires;
  }

  delete(...names: readonly string[]): void {
    this.netloom("alpha", "delete", ...names.map((name) => `client/${name}`));
  }

  /** Waits until nothing of Netloom is left on alpha. The kernel frees a device a moment after it disappears. */
  async gone(): Promise<void> {
    await until(() => {
      assert.deepEqual(this.remains(), []);
      return true;
    });
  }

  /** Objects of Netloom that are left on alpha: devices of wires, and programs with a link of their own. */
  remains(): string[] {
    const devices = ip("-n", this.alpha, "-o", "link").match(/\bnl[vxp][0-9a-z]{12}\b/g) ?? [];
    return [...devices, ...readdirSync(`${bpffsDirectory(this.lab.name, "alpha")}/links`)];
  }

  process(netns: string, ...argv: readonly string[]): Talker {
    const child = spawn("nsenter", [`--net=/run/netns/${netns}`, process.execPath, ...argv], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#t.after(async () => {
      await end(child);
    });
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    return {
      next: async () => String((await lines.next()).value),
      say: (line) => child.stdin.write(`${line}\n`),
      end: () => end(child),
    };
  }

  /** Starts the program that has the TAP open. */
  async vm(): Promise<Talker> {
    const vm = this.process(this.alpha, tapMachinePath, "tap0", VM_MAC);
    assert.equal(await vm.next(), "ready");
    return vm;
  }

  /** Opens a connection to a TCP server that echoes lines, for as long as the connection lives. */
  async conversation(
    server: string,
    address: string,
    client: string,
  ): Promise<(line: string) => Promise<string>> {
    const listening = this.process(
      server,
      "-e",
      `require("node:net").createServer((socket) => socket.pipe(socket)).listen(7000, "${address}", () => console.log("ready"))`,
    );
    assert.equal(await listening.next(), "ready");
    const calling = this.process(
      client,
      "-e",
      `const socket = require("node:net").connect(7000, "${address}"); process.stdin.pipe(socket); socket.pipe(process.stdout)`,
    );
    return async (line) => {
      calling.say(line);
      return await calling.next();
    };
  }
}

interface StatusJson {
  readonly wires: readonly WireJson[];
  readonly attachments: readonly {
    readonly name: string;
    readonly state: string;
    readonly reason?: string;
  }[];
}

interface WireJson {
  readonly wire: string;
  readonly state: string;
  readonly mtuBytes: number;
  readonly addresses: { readonly client: readonly string[]; readonly endpoint: readonly string[] };
}

interface Talker {
  next(): Promise<string>;
  say(line: string): void;
  end(): Promise<void>;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

function ip(...args: readonly string[]): string {
  return execFileSync("ip", args, { encoding: "utf8" });
}

/** Gives the machine's end its addresses, as the machine's owner does. An IPv6 address is local a moment later, even with `nodad`. */
async function configure(netns: string, addresses: readonly string[]): Promise<void> {
  for (const address of addresses) {
    const [length, ...options] = address.includes(":") ? [127, "nodad"] : [31];
    ip("-n", netns, "address", "add", `${address}/${length}`, "dev", "eth0", ...options);
    await until(() => ip("-n", netns, "route", "get", address).startsWith("local"));
  }
}

test(
  "a machine at a cable reaches a service of another host, whatever happens to agents and to the cable",
  { skip },
  async (t) => {
    const bench = await Bench.up(t);
    const before = bench.borrowed();
    const { own, far } = bench.wire("machine", "eth9", "db");
    await configure(bench.machine, own);
    const db = namespaceName(bench.lab.name, "beta/db");
    const say = await bench.conversation(db, far[0] ?? "", bench.machine);
    // More than one segment of TCP at once.
    const long = "x".repeat(200_000);
    assert.equal(await say(long), long);
    // From the other end, in both families, by MACs learned from ARP and ND; also with the largest packets.
    assert.match(
      bench.netloom("beta", "ping", "alpha/eth9", "-c", "1"),
      /^alpha\/eth9: vxlan vni \d+ alpha→beta\n/,
    );
    const atPort = spawnSync(netloomPath, ["ping", "machine", "--lab", bench.lab.name, "--host", "alpha"], {
      encoding: "utf8",
    });
    assert.match(
      atPort.stderr,
      /its end on this host is a port, and only the machine behind the port can send from there/,
    );
    assert.match(bench.netloom("alpha", "graph"), /alpha\/eth9 +──▶ db\.beta +vxlan vni \d+ alpha→beta\n/);
    assert.match(
      bench.netloom("alpha", "why", "eth9", "db"),
      /\nthe path of its wire: vxlan vni \d+ alpha→beta\n/,
    );
    assert.match(bench.netloom("alpha", "describe", "client/machine"), /port eth9/);
    assert.deepEqual(bench.borrowed(), before, "nothing of it is ours to change");

    const agent = findDaemons(bench.lab.name).find(({ kind, host }) => kind === "agent" && host === "alpha");
    assert.ok(agent);
    process.kill(agent.pid, "SIGKILL");
    assert.equal(await say("without an agent"), "without an agent");
    await bench.lab.up(LAB);
    assert.equal(await say("with the next one"), "with the next one");
    await until(() => {
      assert.deepEqual(
        bench.wires("alpha").map(({ wire, state }) => [wire, state]),
        [["alpha/eth9", "up"]],
      );
      return true;
    });
    assert.equal(await say("it has taken it over"), "it has taken it over");

    ip("-n", bench.alpha, "link", "delete", "eth9");
    await bench.gone();
    bench.plug();
    await until(() => {
      assert.deepEqual(
        bench.wires("alpha").map(({ state }) => state),
        ["up"],
      );
      return true;
    });
    await configure(bench.machine, own);
    const again = await bench.conversation(bench.machine, own[0] ?? "", db);
    assert.equal(await again("from the service to the machine"), "from the service to the machine");

    ip("-n", bench.alpha, "link", "set", "eth9", "mtu", "1400");
    await until(() => {
      assert.deepEqual(
        [...bench.wires("alpha"), ...bench.wires("beta")].map(({ mtuBytes }) => mtuBytes),
        [1400, 1400],
      );
      return true;
    });
    ip("-n", bench.alpha, "link", "set", "eth9", "down");
    await until(() => {
      const { wires, attachments } = bench.status("alpha");
      const asking = attachments.find(({ name }) => name === "machine");
      assert.deepEqual([wires[0]?.state, asking?.state], ["waiting", "waiting"]);
      assert.match(asking?.reason ?? "", /^port eth9 is down/);
      return true;
    });
    bench.delete("machine");
    await bench.gone();
  },
);

test(
  "the machine behind a TAP reaches services of its host and of another one, and is reached from a port",
  { skip },
  async (t) => {
    const bench = await Bench.up(t);
    const vm = await bench.vm();
    const before = bench.borrowed();
    const ping = async (address: string): Promise<void> => {
      vm.say(`ping ${address}`);
      assert.equal(await vm.next(), `answer ${address}`);
    };
    const have = async (addresses: readonly string[]): Promise<void> => {
      for (const address of addresses) {
        vm.say(`have ${address}`);
        assert.equal(await vm.next(), `have ${address}`);
      }
    };
    for (const [service, host] of [
      ["web", "alpha"],
      ["db", "beta"],
    ] as const) {
      const { own, far } = bench.wire("vm", "tap0", service);
      await have(own);
      for (const address of far) await ping(address);
      // And in the other direction, with the largest packets; each end has counted them.
      bench.netloom(host, "ping", "alpha/tap0", "-c", "1");
      assert.deepEqual(bench.borrowed(), before);
      bench.delete("vm");
      await bench.gone();
    }

    // Two ports of one host.
    const offered = bench.apply(
      "---\napiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceProvider\nmetadata: { name: machine }\nspec: { workload: { port: eth9 }, services: [machine], pools: [10.7.0.0/24, 'fd07::/64'] }",
    );
    assert.equal(offered.state, "up", offered.reason);
    const { own, far } = bench.wire("vm", "tap0", "machine");
    await have(own);
    await configure(bench.machine, far);
    for (const address of far) await ping(address);
    const second = bench.apply(
      "---\napiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: web }\nspec: { workload: alpha/web, service: machine }".replace(
        "alpha/web",
        `{ lab: ${bench.lab.name}/alpha/web }`,
      ),
      TAKEN,
    );
    assert.match(second.reason ?? "", TAKEN);
    assert.deepEqual(bench.borrowed(), before);
    bench.netloom("alpha", "delete", "client/vm", "client/web", "provider/machine");
    await bench.gone();

    // A TAP with no program behind it, and a member of a bridge.
    await vm.end();
    const alone = bench.apply(connect("vm", "tap0", "web"), LONELY);
    assert.match(alone.reason ?? "", LONELY);
    ip("-n", bench.alpha, "link", "add", "br0", "type", "bridge");
    ip("-n", bench.alpha, "link", "set", "tap0", "master", "br0");
    await bench.gone();
    const member = bench.apply(connect("vm", "tap0", "web"), BRIDGED);
    assert.deepEqual([member.state, member.topic], ["waiting", "NL-411"]);
    assert.match(member.reason ?? "", BRIDGED);
  },
);

test("a lab makes the cable to a machine itself, and tests the wire from there", { skip }, async (t) => {
  const lab = await labFixture(t);
  const ports = "ports: { eth1: [10.9.0.1/31, 'fd09::1/127'] }";
  const asking =
    "---\napiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: machine }\nspec: { workload: alpha/eth1, service: db }\n";
  const text = LAB.replace("alpha: { workloads: [web] }", `alpha: { workloads: [web], ${ports} }`) + asking;
  await lab.up(text);
  const { wires } = await lab.assertHealthy();
  assert.deepEqual(
    wires.map(({ wire, state, ping = [] }) => [wire, state, ping.length]),
    [["alpha/eth1", "up", 2]],
  );
  const again = await lab.up(text);
  assert.deepEqual([again.namespaces.added, again.namespaces.removed], [[], []]);
  await lab.up(LAB);
  const left = ip("-n", namespaceName(lab.name, "alpha"), "-o", "link");
  assert.doesNotMatch(left, /eth1|nl[vxp]/);
});
