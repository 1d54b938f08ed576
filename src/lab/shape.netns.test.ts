import assert from "node:assert/strict";
import { test } from "node:test";
import { Pinger } from "../linux/icmp.ts";
import { needsRoot } from "../linux/netns-fixture.ts";
import { probe } from "../linux/probe.ts";
import { NetloomError } from "../world/errors.ts";
import { labFixture } from "./lab-fixture.ts";
import { leftovers } from "./state.ts";
import { netnsOf } from "./topology.ts";

const skip = needsRoot;

function linked(options: string): string {
  return `name: NAME
hosts:
  alpha: { workloads: [a] }
  beta: { workloads: [b] }
links:
  - { ends: [alpha, beta]${options} }
wires:
  - { client: alpha/a/w, endpoint: beta/b/w, addresses: ipv4 }
`;
}

async function supports(name: string): Promise<boolean> {
  return (await probe()).some((feature) => feature.name.includes(name) && feature.supported);
}

test("a link with a rate carries that much and no more", { skip }, async (t) => {
  if (!(await supports("tbf"))) return t.skip("no tbf (CONFIG_NET_SCH_TBF)");
  const lab = await labFixture(t);
  const { lab: model } = await lab.up(linked(", rate: 2mbit"));
  await lab.assertHealthy();
  const pinger = await Pinger.open(
    lab.machine,
    netnsOf(lab.name, "alpha/a"),
    model.wires[0]?.endpoint.addresses[0] ?? "",
  );
  t.after(() => pinger.close());
  const payloadBytes = 1300;
  const count = 60;
  // Each bucket holds its burst at first: it is spent before the time counts.
  for (let n = 0; n < 10; n++) await pinger.probe({ payloadBytes });
  const startedAt = performance.now();
  for (let n = 0; n < count; n++) assert.notEqual((await pinger.probe({ payloadBytes })).rttMs, undefined);
  const seconds = (performance.now() - startedAt) / 1000;
  // ICMP and IP, then Ethernet, VXLAN, UDP, IP and Ethernet around them.
  const mbitPerSecond = (count * (payloadBytes + 28 + 14 + 8 + 8 + 20 + 14) * 8) / seconds / 1e6;
  t.diagnostic(`${mbitPerSecond.toFixed(2)} Mbit/s each way through 2 Mbit/s`);
  assert.ok(mbitPerSecond < 2.1 && mbitPerSecond > 1, `${mbitPerSecond} Mbit/s`);
  const changed = await lab.up(linked(""));
  assert.ok(changed.changed && changed.wires.changed.length === 0);
  const free = performance.now();
  for (let n = 0; n < count; n++) await pinger.probe({ payloadBytes });
  assert.ok((performance.now() - free) / 1000 < seconds / 3, "the limit is gone");
});

test(
  "delay and loss are in force, or refused with the reason and the remedy, and nothing is left",
  { skip },
  async (t) => {
    const lab = await labFixture(t);
    const text = linked(", delay: 20ms");
    if (await supports("netem")) {
      await lab.up(text);
      const { wires } = await lab.assertHealthy();
      assert.ok((wires[0]?.ping?.[0]?.rttMs ?? 0) >= 40);
      return;
    }
    await assert.rejects(lab.up(text), (error: unknown) => {
      assert.ok(error instanceof NetloomError);
      assert.equal(error.code, "UNIMPLEMENTED");
      assert.match(
        error.message,
        /^shape to-beta in alpha: this kernel has no netem \(CONFIG_NET_SCH_NETEM\), which delay and loss of a link need$/,
      );
      assert.match(error.hint ?? "", /modprobe sch_netem/);
      return true;
    });
    assert.deepEqual(await leftovers(lab.name), []);
  },
);
