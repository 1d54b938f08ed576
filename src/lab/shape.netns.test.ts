import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { Pinger } from "../linux/icmp/icmp.ts";
import { needsRoot } from "../../fixtures/linux/netns.ts";
import { probe } from "../linux/probe/probe.ts";
import { NetloomError } from "../errors/errors.ts";
import { labFixture } from "../../fixtures/lab/lab.ts";
import { leftovers } from "./state.ts";
import { netnsOf } from "./topology/topology.ts";
import { wireTexts } from "../../fixtures/documents/documents.ts";

const skip = needsRoot;

function linked(options: string): string {
  return `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts:
    alpha: { workloads: [a] }
    beta: { workloads: [b] }
  links:
    - { ends: [alpha, beta]${options} }
${wireTexts(["{ client: alpha/a/w, endpoint: beta/b/w, addresses: ipv4 }"])}`;
}

async function supports(name: string): Promise<boolean> {
  return (await probe()).some((feature) => feature.name.includes(name) && feature.supported);
}

/** The kernel's counters at the shapers of a host that have a rate. */
function rates(lab: string, host: string): { bytesPerSecond: number; overlimits: number }[] {
  const text = execFileSync("ip", ["netns", "exec", `nl-${lab}-${host}`, "tc", "-s", "-j", "qdisc", "show"]);
  const found: { kind: string; overlimits: number; options: { rate?: number } }[] = JSON.parse(String(text));
  return found
    .filter(({ kind }) => kind === "tbf")
    .map(({ options, overlimits }) => ({ bytesPerSecond: options.rate ?? 0, overlimits }));
}

test(
  "a link with a rate limits its traffic to that rate, and does not limit it after the rate is removed",
  { skip },
  async (t) => {
    if (!(await supports("tbf"))) return t.skip("no tbf (CONFIG_NET_SCH_TBF)");
    const lab = await labFixture(t);
    const { lab: model } = await lab.up(linked(", rate: 2mbit"));
    await lab.assertHealthy();
    const [wire] = model.wires;
    const fill = async (from: string, to: string | undefined): Promise<void> => {
      const pinger = await Pinger.open(lab.machine, netnsOf(lab.name, from), to ?? "");
      t.after(() => pinger.close());
      // This is far more than a bucket holds, so the last packets have to wait.
      for (let n = 0; n < 40; n++)
        assert.notEqual((await pinger.probe({ payloadBytes: 1300, timeoutMs: 10_000 })).rttMs, undefined);
    };
    // Each end has its own shaper. A packet that has waited at one does not wait again at the other.
    const fillBoth = async (): Promise<void> => {
      await fill("alpha/a", wire?.endpoint.addresses[0]);
      await fill("beta/b", wire?.client.addresses[0]);
    };
    await fillBoth();
    for (const host of ["alpha", "beta"]) {
      const [shaper, ...others] = rates(lab.name, host);
      assert.deepEqual([shaper?.bytesPerSecond, others], [250_000, []], host);
      assert.ok((shaper?.overlimits ?? 0) > 0, `no packet has waited in ${host}`);
    }
    const changed = await lab.up(linked(""));
    assert.ok(changed.changed && changed.wires.changed.length === 0);
    await fillBoth();
    assert.deepEqual([rates(lab.name, "alpha"), rates(lab.name, "beta")], [[], []]);
  },
);

test(
  "delay and loss work, or are refused with the reason and the remedy and leave nothing",
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
