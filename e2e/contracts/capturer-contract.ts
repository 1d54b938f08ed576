/** The contract of `Capturer` (src/kernel/capturer.ts), for the kernel of this machine and the simulated one. */
import assert from "node:assert/strict";
import { next, add, remove, veth } from "../../fixtures/linux/machine.ts";
import type { Capturer } from "../../src/kernel/capturer.ts";
import type { Kernel, Netns } from "../../src/kernel/kernel.ts";

/** A host for one case. Its maker cleans it up. */
interface CapturerHarness {
  readonly capturer: Capturer;
  readonly kernel: Kernel;
  /** A new, empty namespace, as a path. */
  readonly netns: () => Promise<Netns>;
  /** Removes the name of a namespace, which is all that keeps it alive. */
  readonly removeNetns: (netns: Netns) => Promise<void>;
}

export interface CapturerCase {
  readonly title: string;
  run(harness: CapturerHarness): Promise<void>;
}

const NOWHERE: Netns = "file:///run/netns/nlt-nowhere";
const OPTIONS = { snapBytes: 256, bufferBytes: 2 ** 20, onReady: () => undefined };

export const capturerContract: readonly CapturerCase[] = [
  {
    title: "a missing namespace or device is NOT_FOUND",
    async run({ capturer, netns }) {
      const a = await netns();
      for (const place of [NOWHERE, a])
        await assert.rejects(capturer.open({ netns: place, link: "nl-1a" }, OPTIONS), { code: "NOT_FOUND" });
    },
  },
  {
    title: "a device that is quiet or down delivers no frames and loses none",
    async run({ capturer, kernel, netns }) {
      const [a, b] = [await netns(), await netns()];
      await kernel.apply(add(veth(a, b)));
      const capture = await capturer.open({ netns: a, link: "nl-1a" }, OPTIONS);
      assert.deepEqual(await capture.read(), { frames: [], isAll: true });
      assert.deepEqual(capture.counts(), { passed: 0, lost: 0 });
      capture.close();
      assert.deepEqual(await capture.read(), { frames: [], isAll: true });
      capture.close();
    },
  },
  {
    title:
      "a device that is gone is NOT_FOUND to who captured on it, also when there is another one of its name",
    async run({ capturer, kernel, netns }) {
      const [a, b] = [await netns(), await netns()];
      const captures = [];
      for (let n = 0; n < 2; n++) {
        await kernel.apply(add(veth(a, b)));
        captures.push(await capturer.open({ netns: a, link: "nl-1a" }, OPTIONS));
        if (n === 0) await kernel.apply(remove(veth(a, b)));
        await kernel.settle();
      }
      const [first, second] = captures;
      await assert.rejects(async () => await first?.read(), { code: "NOT_FOUND" });
      assert.deepEqual(await second?.read(), { frames: [], isAll: true });
      for (const each of captures) each.close();
    },
  },
  {
    title: "a namespace held only by the capture ends with it",
    async run({ capturer, kernel, netns, removeNetns }) {
      const [a, b] = [await netns(), await netns()];
      await kernel.apply(add(veth(a, b)));
      const watch = kernel.watch("namespaces");
      const capture = await capturer.open({ netns: a, link: "nl-1a" }, OPTIONS);
      await removeNetns(a);
      await assert.rejects(kernel.resolve(a), { code: "NOT_FOUND" });
      capture.close();
      assert.equal((await next(watch, "netns-removed")).type, "netns-removed");
      watch.close();
    },
  },
];
