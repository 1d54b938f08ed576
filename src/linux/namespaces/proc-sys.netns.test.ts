/** More namespaces than one procfs serves: each has its own sysctls, and a failed batch restores them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import type { Netns, Sysctl } from "../../kernel/kernel.ts";
import { add, rejection, veth } from "../../../fixtures/linux/machine.ts";
import { needsRoot, netnsFixture } from "../../../fixtures/linux/netns.ts";

const KEY = "net/ipv4/conf/%/accept_redirects";

test("each namespace has its own sysctls, however many there are", { skip: needsRoot }, async (t) => {
  const net = await netnsFixture(t);
  const kernel = await net.kernel();
  const all: Netns[] = [];
  for (let n = 0; n < 70; n++) all.push(await net.netns());
  const forwarding = (netns: Netns, value: string): Sysctl => ({
    kind: "sysctl",
    netns,
    values: { "net/ipv4/ip_forward": value },
  });
  const forwardsIn = (netns: Netns): string =>
    execFileSync("ip", ["netns", "exec", net.nameOf(netns), "cat", "/proc/sys/net/ipv4/ip_forward"], {
      encoding: "utf8",
    }).trim();
  for (const [n, netns] of all.entries()) await kernel.apply(add(forwarding(netns, String(n % 2))));
  for (const n of [0, 1, 63, 64, 65, 69]) assert.equal(forwardsIn(all[n] ?? "host"), String(n % 2));

  const [first = "host", last = "host"] = [all[0], all[69]];
  const pair = veth(first, last);
  const [end] = pair.ends;
  const sealed: Sysctl = {
    kind: "sysctl",
    netns: first,
    link: end.name,
    values: { [KEY]: "0" },
    isOptional: true,
  };
  await kernel.apply(add(pair, sealed));
  const absent = { kind: "up", netns: last, link: "absent" } as const;
  const failing = [forwarding(first, "1"), { ...sealed, values: { [KEY]: "1" } }, absent];
  assert.equal((await rejection(kernel.apply(add(...failing)))).errno, "ENODEV");
  assert.equal(forwardsIn(first), "0");
  const setting = `/proc/sys/${KEY.replace("%", end.name)}`;
  const read = ["netns", "exec", net.nameOf(first), "cat", setting];
  assert.equal(execFileSync("ip", read, { encoding: "utf8" }).trim(), "0");
});
