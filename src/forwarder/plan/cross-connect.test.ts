/** The programs that join the halves of a wire with port ends, and the objects made besides. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { describeObject } from "../../kernel/kernel-text.ts";
import type { Mechanism } from "../../mechanisms/list.ts";
import type { Wire } from "../wire.ts";
import { plan } from "./plan.ts";

const CONTEXT = { srcIpAddrs: ["10.0.0.1/32"], dstIpAddrs: ["10.0.0.0/32"] } as const;
const port = (device: string, index: number, mtuBytes = 1500): Mechanism => ({
  type: "PORT",
  netns: "inode://4/1",
  device,
  index,
  mtuBytes,
});
const WORKLOAD: Mechanism = { type: "KERNEL", netns: "file:///run/netns/db", interfaceName: "nse-1" };
const TUNNEL: Mechanism = {
  type: "VXLAN",
  sourceIp: "10.8.0.1",
  destinationIp: "10.8.0.2",
  vni: 7,
  underlayMtuBytes: 1500,
};

function objectsOf(client: Mechanism, endpoint: Mechanism, rest: Partial<Wire> = {}) {
  return plan({ connectionId: "c1", client, endpoint, context: CONTEXT, ...rest }).objects;
}

function words(client: Mechanism, endpoint: Mechanism, rest: Partial<Wire> = {}): string[] {
  return objectsOf(client, endpoint, rest).map((object) =>
    describeObject(object).replaceAll(/\b(nl[vxp])[0-9a-z]{12}\b/g, "$1"),
  );
}

const on = (device: string, all: readonly string[]): string[] =>
  all.filter((each) => each.includes(` on ${device}`));

suite("a wire that ends in a port", () => {
  test("leads to a tunnel on a new veth pair, and sets nothing on the port", () => {
    const all = words(port("tap0", 7), TUNNEL);
    assert.deepEqual(all, [
      "veth nlp and nlp",
      "program redirect to nlp on tap0",
      "program redirect to tap0 on nlp",
      "tunnel vni 7 to 10.8.0.2 on nlp",
      "sysctl net/ipv6/conf/nlp/disable_ipv6=1",
      "sysctl net/ipv6/conf/nlp/disable_ipv6=1",
      "up nlp",
      "up nlp",
    ]);
    const programs = objectsOf(port("tap0", 7), TUNNEL).flatMap((each) =>
      each.kind === "program" ? [each] : [],
    );
    assert.deepEqual(
      programs.map(({ index }) => index),
      [7, undefined, undefined],
    );
  });

  test("leads to a workload through its veth pair, without a neighbour entry", () => {
    const all = words(port("tap0", 7), WORKLOAD);
    assert.deepEqual(on("tap0", all), ["program redirect to nlv on tap0"]);
    assert.deepEqual(on("nlv", all), ["program redirect to tap0 on nlv"]);
    assert.ok(!all.some((each) => each.startsWith("neighbor")), all.join("\n"));
  });

  test("leads to another port of the host through a pair between them", () => {
    const all = words(port("tap0", 7, 1500), port("tap1", 8, 1400));
    assert.deepEqual(on("tap0", all), ["program redirect to nlp on tap0"]);
    assert.deepEqual(on("tap1", all), ["program redirect to nlp on tap1"]);
    assert.equal(on("nlp", all).length, 2);
    const [pair] = objectsOf(port("tap0", 7, 1500), port("tap1", 8, 1400));
    assert.ok(pair?.kind === "veth");
    assert.deepEqual(
      pair.ends.map(({ alias, mtuBytes }) => [alias, mtuBytes]),
      [
        ["patch-server-c1", 1400],
        ["patch-client-c1", 1400],
      ],
    );
  });

  test("on another host makes this host's workload ask for the MAC behind it", () => {
    const known = words(WORKLOAD, TUNNEL).filter((each) => each.startsWith("neighbor"));
    const learned = words(WORKLOAD, TUNNEL, { learned: ["endpoint"] }).filter((each) =>
      each.startsWith("neighbor"),
    );
    assert.deepEqual([known.length, learned.length], [1, 0]);
  });
});
