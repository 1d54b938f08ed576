/**
 * Packets that a host refuses and counts:
 *
 *   [stranger 10.8.0.9]===eth1===[host 10.8.0.1]
 */
import assert from "node:assert/strict";
import type { KernelObject, Netns } from "../../src/kernel/kernel.ts";
import { add, type ContractCase, type KernelHarness, STRANGERS_MARK } from "./kernel-contract-harness.ts";
import { end, veth } from "./kernel-contract-specimens.ts";

const PORT = 4789;
const NEGOTIATED = 7;
const STRANGE = 8;

/** A tunnel of the stranger: frames with this VNI go to the host, for any destination. */
function sender(vni: number): readonly KernelObject[] {
  const on = { netns: "host", link: `vx-${vni}` } as const;
  const tunnel = { vni, local: "10.8.0.9", remote: "10.8.0.1", port: PORT };
  return [
    { kind: "vxlan", ...end("host", on.link, 0x30 + vni), ...tunnel, mtuBytes: 1446 },
    { kind: "address", ...on, address: `10.9.${vni}.1/24` },
    { kind: "up", ...on },
    { kind: "neighbor", ...on, address: `10.9.${vni}.2`, mac: "02:00:00:00:00:77" },
  ];
}

async function hosts(harness: KernelHarness): Promise<{ readonly host: Netns; readonly stranger: Netns }> {
  const [host, stranger] = [await harness.netns(), await harness.netns()];
  await harness.plug(host, "eth1", stranger);
  await harness.tend(host, "eth1", { address: "10.8.0.1/24" });
  await harness.tend(stranger, "eth1", { address: "10.8.0.9/24" });
  return { host, stranger };
}

export const dropCases: readonly ContractCase[] = [
  {
    title:
      "a tunnel packet without a tunnel is dropped, counted and reported, and a packet of a tunnel arrives",
    async run(harness) {
      const { host, stranger } = await hosts(harness);
      const workload = await harness.netns();
      const kernel = await harness.kernel({ host });
      assert.deepEqual(await kernel.drops(), { counts: [], strangers: [], offences: [] });
      const shared = { netns: "host", link: "nlx-1" } as const;
      const tunnel = { vni: NEGOTIATED, local: "10.8.0.1", remote: "10.8.0.9", port: PORT } as const;
      await kernel.apply(
        add(
          { kind: "external-vxlan", ...end("host", shared.link, 0x50), mtuBytes: 1446, port: PORT },
          { kind: "program", ...shared, verdict: "decapsulate", port: PORT },
          { kind: "up", ...shared },
          veth(workload),
          {
            kind: "program",
            netns: "host",
            link: "ch-1",
            verdict: "encapsulate",
            tunnel,
          },
          { kind: "up", netns: "host", link: "ch-1" },
          { kind: "up", netns: workload, link: "nl-1" },
        ),
      );
      const other = await harness.kernel({ host: stranger, mark: STRANGERS_MARK });
      await other.apply(add(...sender(NEGOTIATED), ...sender(STRANGE)));
      const arrived = async (): Promise<number> => {
        const [counters] = await kernel.counters([{ netns: "host", link: "ch-1", isArrived: true }]);
        return counters?.packets ?? 0;
      };
      const before = await arrived();
      for (let i = 0; i < 3; i++) await harness.send(stranger, `10.9.${NEGOTIATED}.2`);
      assert.ok((await arrived()) >= before + 3, "what was negotiated comes in");
      for (let i = 0; i < 3; i++) await harness.send(stranger, `10.9.${STRANGE}.2`);
      const { counts, strangers } = await kernel.drops();
      const unknown = counts.find(({ reason }) => reason === "unknown");
      assert.ok(unknown && unknown.packets >= 3, JSON.stringify(counts));
      assert.ok(unknown.agoMs >= 0, JSON.stringify(counts));
      assert.ok(strangers[0] && strangers[0].packets >= 3, JSON.stringify(strangers));
      const from = { source: "10.8.0.9", destination: "10.8.0.1", port: PORT, vni: STRANGE };
      assert.deepEqual(strangers, [{ ...from, packets: strangers[0].packets }]);
    },
  },
];
