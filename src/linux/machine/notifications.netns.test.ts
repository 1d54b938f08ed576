import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test, type TestContext } from "node:test";
import { needsRoot, netnsFixture } from "../../../fixtures/linux/netns.ts";
import * as k from "../netlink/constants.ts";
import { Notifications } from "./notifications.ts";

const PROTOCOL = 78;
/** The first number for the namespaces of the tests in this namespace. */
const FIRST_NSID = 47_000;
let count = 0;

/**
 * Notifications of a namespace, and `ip` in it. `said` returns the notifications since its last call, by type, and only of
 * the given types: notifications of links and addresses may arrive at any time, because of a carrier or duplicate address
 * detection.
 */
async function listening(t: TestContext) {
  const net = await netnsFixture(t);
  const netns = await net.netns();
  const nsid = FIRST_NSID + count++;
  execFileSync("ip", ["netns", "set", net.nameOf(netns), String(nsid)]);
  const notifications = Notifications.open(PROTOCOL);
  t.after(() => notifications.close());
  notifications.listen("everything");
  const ip = (command: string): void => {
    execFileSync("ip", ["-n", net.nameOf(netns), ...command.split(" ")]);
  };
  const tc = (command: string): void => {
    execFileSync("tc", ["-n", net.nameOf(netns), ...command.split(" ")]);
  };
  const said = (...about: readonly number[]): number[] => {
    const types: number[] = [];
    notifications.drain(
      (each) => {
        const { type } = each.message;
        if (each.nsid === nsid && (about.length === 0 || about.includes(type))) types.push(type);
      },
      () => assert.fail("lost"),
    );
    return types;
  };
  ip("link set lo up");
  ip("link add dev-1 type veth peer name dev-2");
  ip("link set dev-2 up");
  ip("link set dev-1 up");
  ip("address add 10.0.0.1/24 dev dev-1");
  said();
  return { ip, said, tc };
}

test(
  "of routes only losses without those of daemons, and manual replacements, are reported",
  { skip: needsRoot },
  async (t) => {
    const { ip, said } = await listening(t);
    for (const destination of ["10.1.0.0/16", "fd01::/64"]) {
      ip(`route add ${destination} dev dev-1 proto bgp`);
      ip(`route replace ${destination} dev lo proto bgp`);
      ip(`route delete ${destination} proto bgp`);
      ip(`route add ${destination} dev dev-1 proto ${PROTOCOL}`);
      assert.deepEqual(said(k.RTM_NEWROUTE, k.RTM_DELROUTE), []);
      ip(`route replace ${destination} dev lo proto static`);
      ip(`route replace ${destination} dev dev-1 proto ${PROTOCOL}`);
      assert.deepEqual(said(k.RTM_NEWROUTE, k.RTM_DELROUTE), [k.RTM_NEWROUTE, k.RTM_NEWROUTE]);
      ip(`route delete ${destination}`);
      assert.deepEqual(said(k.RTM_NEWROUTE, k.RTM_DELROUTE), [k.RTM_DELROUTE]);
    }
    ip("route delete 10.0.0.0/24");
    assert.deepEqual(said(k.RTM_NEWROUTE, k.RTM_DELROUTE), [k.RTM_DELROUTE]);
  },
);

test("only neighbours with the mark are reported", { skip: needsRoot }, async (t) => {
  const { ip, said } = await listening(t);
  for (const address of ["10.0.0.2", "fe80::2"]) {
    ip(`neighbor add ${address} dev dev-1 lladdr 02:00:00:00:00:02 nud permanent`);
    ip(`neighbor replace ${address} dev dev-1 lladdr 02:00:00:00:00:03 nud reachable`);
    ip(`neighbor delete ${address} dev dev-1`);
    assert.deepEqual(said(k.RTM_NEWNEIGH, k.RTM_DELNEIGH), []);
    ip(`neighbor add ${address} dev dev-1 lladdr 02:00:00:00:00:02 nud permanent protocol ${PROTOCOL}`);
    ip(`neighbor delete ${address} dev dev-1`);
    assert.equal(said(k.RTM_NEWNEIGH, k.RTM_DELNEIGH).at(-1), k.RTM_DELNEIGH);
  }
});

test("the removal of an ingress qdisc is reported", { skip: needsRoot }, async (t) => {
  const { said, tc } = await listening(t);
  tc("qdisc add dev dev-1 root pfifo");
  tc("qdisc delete dev dev-1 root");
  tc("qdisc add dev dev-1 clsact");
  assert.deepEqual(said(k.RTM_NEWQDISC, k.RTM_DELQDISC), []);
  tc("qdisc delete dev dev-1 clsact");
  assert.deepEqual(said(k.RTM_NEWQDISC, k.RTM_DELQDISC), [k.RTM_DELQDISC]);
});

test("rules, links and addresses are reported", { skip: needsRoot }, async (t) => {
  const { ip, said } = await listening(t);
  ip("rule add pref 77 lookup 77");
  ip("rule delete pref 77");
  ip("address delete 10.0.0.1/24 dev dev-1");
  ip("link delete dev-1");
  const types = new Set(said());
  for (const type of [k.RTM_NEWRULE, k.RTM_DELRULE, k.RTM_DELADDR, k.RTM_DELLINK])
    assert.ok(types.has(type), String(type));
});
