/**
 * Borrowed devices: made by others, they get a program of Netloom, and nothing else.
 *
 *   [far: eth1]===a stranger's cable===[host: eth1] -redirect-> ch-1 ===veth=== [workload: nl-1]
 */
import assert from "node:assert/strict";
import type { Kernel, Netns, Program } from "../../src/kernel/kernel.ts";
import {
  add,
  assertRefusal,
  type ContractCase,
  kernelError,
  type KernelHarness,
  remove,
  stateOf,
} from "./kernel-contract-harness.ts";
import { scene, vxlan } from "./kernel-contract-specimens.ts";

interface Ports {
  readonly kernel: Kernel;
  /** The namespace of the kernel. */
  readonly host: Netns;
  readonly workload: Netns;
  readonly far: Netns;
  /** Redirects from `eth1` to the workload. */
  readonly program: Program & { readonly index: number };
}

/** Makes the scene above without the program. */
async function ports(harness: KernelHarness): Promise<Ports> {
  const [host, workload, far] = [await harness.netns(), await harness.netns(), await harness.netns()];
  const kernel = await harness.kernel({ host });
  await harness.plug(host, "eth1", far);
  await kernel.apply(add(...scene(workload)));
  const index = await indexOf(kernel, "eth1");
  const program = {
    kind: "program",
    netns: "host",
    link: "eth1",
    verdict: "redirect",
    target: "ch-1",
    index,
  } as const;
  return { kernel, host, workload, far, program };
}

async function indexOf(kernel: Kernel, link: string): Promise<number> {
  const [facts] = await kernel.devices([{ netns: "host", link }]);
  return facts?.index ?? assert.fail(`there is no device ${link}`);
}

export const portCases: readonly ContractCase[] = [
  {
    title: "devices returns the current state of a device, whoever has made it",
    async run(harness) {
      const { kernel, host, far } = await ports(harness);
      const look = async () => await kernel.devices([{ netns: "host", link: "eth1" }]);
      const [first] = await look();
      assert.ok(first && first.index > 0);
      const { index, sort: _sort, ...facts } = first;
      const expected = { mtuBytes: 1500, isUp: true, hasCarrier: true, isEthernet: true, isOurs: false };
      assert.deepEqual(facts, { ...expected, addresses: [] });
      await harness.tend(host, "eth1", { mtuBytes: 1400, address: "10.7.0.1/24" });
      const [changed] = await look();
      assert.deepEqual(
        [changed?.index, changed?.mtuBytes, changed?.addresses],
        [index, 1400, ["10.7.0.1/24"]],
      );
      await harness.tend(far, "eth1", { isUp: false });
      const [cut] = await look();
      assert.deepEqual([cut?.isUp, cut?.hasCarrier], [true, false]);
      await harness.tend(host, "eth1", { isUp: false, master: "br-1" });
      const [member] = await look();
      assert.deepEqual([member?.isUp, member?.master], [false, "br-1"]);
      const others = await kernel.devices([
        { netns: "host", link: "ch-1" },
        { netns: "host", link: "none" },
      ]);
      assert.deepEqual(
        others.map((each) => each?.isOurs),
        [true, undefined],
      );
    },
  },
  {
    title:
      "a program on a borrowed device is found by the device's index, redirects, counts, and can be removed",
    needs: ["tcx links"],
    async run(harness) {
      const { kernel, host, far, program } = await ports(harness);
      const before = await stateOf(kernel, "host");
      await kernel.apply(add(program));
      assert.deepEqual(await kernel.observe([{ netns: "host", links: ["eth1"] }]), [program]);
      await harness.tend(far, "eth1", { address: "10.0.0.9/24" });
      const count = async (link: string): Promise<number> =>
        (await kernel.counters([{ netns: "host", link }]))[0]?.packets ?? 0;
      const sent = await count("eth1");
      await harness.send(far, "10.0.0.2");
      assert.ok((await count("eth1")) > sent, "what the far end sends is counted");
      await kernel.apply([{ verb: "change", object: { ...program, target: "ch-1" }, from: program }]);
      await kernel.apply(remove(program));
      assert.deepEqual(await stateOf(kernel, "host"), before);
      assert.equal(await harness.pins(), 0);
      await harness.tend(host, "eth1", { isUp: true });
    },
  },
  {
    title:
      "a borrowed device takes one program, only if its index matches, and none as a member of another device",
    needs: ["tcx links"],
    async run(harness) {
      const { kernel, host, program } = await ports(harness);
      await kernel.apply(add(program));
      const refused = async (object: Program, errno: string): Promise<void> => {
        const [operation] = add(object);
        assert.ok(operation);
        assertRefusal(await kernelError(kernel.apply([operation])), operation, errno, 0);
      };
      await refused(program, "EEXIST");
      await kernel.apply(remove(program));
      await refused({ ...program, index: program.index + 1000 }, "ENODEV");
      await refused({ ...program, link: "none" }, "ENODEV");
      await harness.tend(host, "eth1", { master: "br-1" });
      await refused(program, "EBUSY");
      assert.equal(await harness.pins(), 0);
    },
  },
  {
    title: "a program is removed from a renamed device, and the undo restores it there",
    needs: ["tcx links"],
    async run(harness) {
      const { kernel, host, program } = await ports(harness);
      await kernel.apply(add(program));
      await harness.tend(host, "eth1", { name: "eth2" });
      const renamed = { ...program, link: "eth2" };
      assert.deepEqual(await kernel.observe([{ netns: "host", links: ["eth2"] }]), [renamed]);
      const failpoint = { operation: 0, when: "after", how: "error" } as const;
      await kernelError(kernel.apply(remove(program), { failpoint }));
      assert.deepEqual(await kernel.observe([{ netns: "host", links: ["eth2"] }]), [renamed]);
      await kernel.apply(remove(program));
      assert.deepEqual(await kernel.observe([{ netns: "host", links: ["eth2"] }]), []);
      assert.equal(await harness.pins(), 0);
    },
  },
  {
    title: "a program goes with its device, and another device with the name is free",
    needs: ["tcx links"],
    async run(harness) {
      const { kernel, host, far, program } = await ports(harness);
      await kernel.apply(add(program));
      await harness.unplug(host, "eth1");
      await kernel.apply(remove(program));
      assert.equal(await harness.pins(), 0);
      await harness.plug(host, "eth1", far);
      const index = await indexOf(kernel, "eth1");
      assert.deepEqual(await kernel.observe([{ netns: "host", links: ["eth1"] }]), []);
      await kernel.apply(add({ ...program, index }));
      await kernel.apply(remove({ ...program, index }));
    },
  },
  {
    title: "a program on a borrowed device switches from one target to another",
    needs: ["tcx links"],
    async run(harness) {
      const { kernel, program } = await ports(harness);
      await kernel.apply(add(vxlan("host", "vx-1"), program));
      const changed = { ...program, target: "vx-1" };
      await kernel.apply([{ verb: "change", object: changed, from: program }]);
      assert.deepEqual(await kernel.observe([{ netns: "host", links: ["eth1"] }]), [changed]);
      await kernel.apply(remove(vxlan("host", "vx-1")));
      const { target: _gone, ...rest } = changed;
      assert.deepEqual(await kernel.observe([{ netns: "host", links: ["eth1"] }]), [rest]);
      await kernel.apply(remove(changed));
    },
  },
];
