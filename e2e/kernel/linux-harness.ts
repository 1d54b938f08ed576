/** A harness for the kernel of this machine, in new namespaces, for the cases of the kernel contract. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { netnsFixture } from "../../fixtures/linux/netns.ts";
import type { Netns } from "../../src/kernel/kernel.ts";
import type { LinuxMachine } from "../../src/linux/machine/machine.ts";
import type { CableChange, KernelHarness, StrangersRoute } from "./kernel-contract-harness.ts";

/** The same as in the simulated kernel. */
const WATCH_LIMIT = 256;

export async function linuxHarness(t: TestContext, machine?: LinuxMachine): Promise<KernelHarness> {
  const net = await netnsFixture(t, machine);
  return {
    watchLimit: WATCH_LIMIT,
    netns: () => net.netns(),
    removeNetns: (netns) => net.machine.removeNetns(pathOf(netns)),
    async recreateNetns(netns) {
      await net.machine.removeNetns(pathOf(netns));
      await net.machine.createNetns(pathOf(netns));
    },
    kernel: (options) => net.kernel({ watchLimit: WATCH_LIMIT, ...options }),
    send: (from, address) => sendDatagram(net.nameOf(from), address),
    async pins() {
      return (await readdir(join(net.bpffs, "links")).catch(() => [])).length;
    },
    plug: (netns, name, far) => plugCable([net.nameOf(netns), net.nameOf(far)], name),
    tend: (netns, name, change) => tendCable(net.nameOf(netns), name, change),
    lead: (netns, route) => leadBy(net.nameOf(netns), route),
    flush: (netns, name, what) => flush(net.nameOf(netns), name, what),
    dropRule: (netns, priority) => ip(net.nameOf(netns), "rule", "delete", "pref", String(priority)),
    dropProgram: (netns, name) =>
      run("tc", "-n", net.nameOf(netns), "qdisc", "delete", "dev", name, "ingress"),
    unplug: (netns, name) => ip(net.nameOf(netns), "link", "delete", name),
    say: (line) => t.diagnostic(line),
  };
}

/** Adds a veth pair without Netloom's mark. */
async function plugCable([near, far]: readonly [string, string], name: string): Promise<void> {
  await ip(near, "link", "add", name, "type", "veth", "peer", "name", name, "netns", far);
  for (const each of [near, far]) await ip(each, "link", "set", name, "up");
}

async function tendCable(netns: string, name: string, change: CableChange): Promise<void> {
  const { isUp, mtuBytes, mac, master, address } = change;
  if (master !== undefined) {
    await ip(netns, "link", "add", master, "type", "bridge");
    await ip(netns, "link", "set", name, "master", master);
  }
  if (isUp !== undefined) await ip(netns, "link", "set", name, isUp ? "up" : "down");
  if (mtuBytes !== undefined) await ip(netns, "link", "set", name, "mtu", String(mtuBytes));
  if (mac !== undefined) await ip(netns, "link", "set", name, "address", mac);
  if (address !== undefined) await ip(netns, "address", "add", address, "dev", name);
  if (change.name === undefined) return;
  await ip(netns, "link", "set", name, "down");
  await ip(netns, "link", "set", name, "name", change.name);
  await ip(netns, "link", "set", change.name, "up");
}

async function leadBy(netns: string, { destination, hops, mtuBytes }: StrangersRoute): Promise<void> {
  // `ip -6 route replace` with several next hops adds to the old route. Removing the old route first gives both families
  // the same result.
  await ip(netns, destination.includes(":") ? "-6" : "-4", "route", "flush", "exact", destination);
  if (hops.length === 0) return;
  const metric = mtuBytes === undefined ? [] : ["mtu", "lock", String(mtuBytes)];
  const words = hops.flatMap(({ link, via }) => ["nexthop", "via", via, "dev", link]);
  await ip(netns, "route", "add", destination, ...metric, ...words);
}

async function flush(netns: string, name: string, what: "addresses" | "routes" | "neighbors"): Promise<void> {
  if (what === "neighbors") return await ip(netns, "neighbor", "flush", "dev", name, "nud", "permanent");
  const noun = what === "addresses" ? "address" : "route";
  for (const family of ["-4", "-6"]) await ip(netns, family, noun, "flush", "dev", name);
}

async function ip(netns: string, ...args: readonly string[]): Promise<void> {
  await run("ip", "-n", netns, ...args);
}

async function run(command: string, ...args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"] });
  const [code] = (await once(child, "exit")) as [number | null];
  assert.equal(code, 0, args.join(" "));
}

/** Sends one UDP datagram with 100 bytes of payload to the discard port. */
async function sendDatagram(name: string, address: string): Promise<void> {
  const script = `head -c 100 /dev/zero > /dev/udp/${address}/9`;
  const child = spawn("ip", ["netns", "exec", name, "bash", "-c", script], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [code] = (await once(child, "exit")) as [number | null];
  assert.equal(code, 0, script);
}

function pathOf(netns: Netns): string {
  return netns.slice("file://".length);
}
