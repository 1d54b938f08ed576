import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { FEATURES } from "./probe-features.ts";
import { featuresOf, missing, probe } from "./probe.ts";

const options = { skip: process.getuid?.() === 0 ? false : "needs root" };

function run(command: string): string {
  const [program = "", ...words] = command.split(" ");
  return execFileSync(program, words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
}

const links = (): string => run("ip -o link").replace(/state \w+/g, "");
const descriptors = (): number => readdirSync("/proc/self/fd").length;

function taskNamespaces(): Set<string> {
  return new Set(
    readdirSync("/proc/self/task").map((task) => readlinkSync(`/proc/self/task/${task}/ns/net`)),
  );
}

test("this kernel has the required features, each with its evidence", options, async (t: TestContext) => {
  const features = await probe();
  assert.deepEqual(missing(features), []);
  assert.equal(features.length, FEATURES.length);
  for (const { name, supported, evidence } of features) {
    t.diagnostic(`${supported ? "has  " : "lacks"} ${name}: ${evidence}`);
    assert.notEqual(evidence, "");
  }
});

test("a kind of link or qdisc is supported exactly if iproute2 can make it", options, async () => {
  const features = await probe();
  const netns = `nlt${process.pid}-probe`;
  run(`ip netns add ${netns}`);
  try {
    const can = (command: string): boolean => {
      try {
        run(`ip netns exec ${netns} ${command}`);
        return true;
      } catch {
        return false;
      }
    };
    const made: Record<string, boolean> = {
      veth: can("ip link add p0 type veth peer name p1"),
      bridge: can("ip link add br0 type bridge"),
      vxlan: can("ip link add vx0 type vxlan id 9 dstport 4789"),
      macvlan: can("ip link add mv link p0 type macvlan"),
      ipvlan: can("ip link add iv link p1 type ipvlan"),
      vlan: can("ip link add vl link p0 type vlan id 7"),
      vrf: can("ip link add vr type vrf table 9"),
      dummy: can("ip link add du type dummy"),
      wireguard: can("ip link add wg type wireguard"),
      geneve: can("ip link add ge type geneve id 9 remote 192.0.2.1"),
      gretap: can("ip link add gr type gretap remote 192.0.2.1 local 192.0.2.2"),
      tbf: can("tc qdisc add dev p0 root tbf rate 1mbit burst 10k limit 10k"),
      htb: can("tc qdisc add dev p1 root htb"),
      netem: can("tc qdisc add dev br0 root netem delay 1ms"),
      fq: can("tc qdisc add dev vx0 root fq"),
      clsact: can("tc qdisc add dev p0 clsact"),
    };
    for (const [name, expected] of Object.entries(made)) {
      const feature = features.find((candidate) => candidate.name === name);
      assert.equal(feature?.supported, expected, `${name}: ${feature?.evidence ?? "not asked"}`);
    }
  } finally {
    run(`ip netns del ${netns}`);
  }
});

test("probing leaves no device and no descriptor, and no thread in another namespace", options, async () => {
  await probe();
  const before = { links: links(), descriptors: descriptors() };
  await probe();
  assert.deepEqual({ links: links(), descriptors: descriptors() }, before);
  assert.equal(taskNamespaces().size, 1);
});

test("an untried feature is unsupported, and a missing required one is reported", () => {
  const features = featuresOf([]);
  assert(features.every(({ supported }) => !supported));
  assert.deepEqual(
    missing(features).map(({ name }) => name),
    FEATURES.filter(({ use }) => use === "every wire" || use === "remote wires").map(({ name }) => name),
  );
});
