/** Notifications: each event with its place, by the caller's name for the namespace; and a resync after losses. */
import assert from "node:assert/strict";
import type { KernelEvent, Operation } from "../../src/kernel/kernel.ts";
import { add, type ContractCase, eventOf, remove, STRANGERS_MARK } from "./kernel-contract-harness.ts";
import { tamperCases } from "./kernel-contract-tampering.ts";
import { lone, scene, veth } from "./kernel-contract-specimens.ts";

export const watchCases: readonly ContractCase[] = [
  ...tamperCases,
  {
    title: "a watch reports new and removed links in every namespace in use, including strangers' links",
    async run(harness) {
      const host = await harness.netns();
      const workload = await harness.netns();
      const kernel = await harness.kernel({ host });
      const stranger = await harness.kernel({ host, mark: STRANGERS_MARK });
      await kernel.resolve(workload);
      const watch = kernel.watch();
      await kernel.apply(add(veth(workload)));
      await eventOf(watch, link("host", "ch-1", "new"));
      await kernel.apply(remove(veth(workload)));
      await eventOf(watch, link("host", "ch-1", "removed"));
      await stranger.apply(add(lone("host", "dev-1")));
      await eventOf(watch, link("host", "dev-1", "new"));
      await kernel.apply(add(lone(workload, "dev-2")));
      await eventOf(watch, link(workload, "dev-2", "new"));
      watch.close();
    },
  },
  {
    title: "a watch reports addresses",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      const address = { kind: "address", netns: workload, link: "nl-1", address: "10.6.0.1/24" } as const;
      await kernel.apply(add(...scene(workload)));
      const watch = kernel.watch();
      await kernel.apply(add(address));
      await eventOf(
        watch,
        (event) =>
          event.type === "address" &&
          event.address === "10.6.0.1/24" &&
          event.netns === workload &&
          event.change === "new",
      );
      await kernel.apply(remove(address));
      await eventOf(
        watch,
        (event) => event.type === "address" && event.netns === workload && event.change === "removed",
      );
      watch.close();
    },
  },
  {
    title: "a watch reports a removed namespace, and the vanished far end of its veth",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      await kernel.apply(add(...scene(workload)));
      const watch = kernel.watch();
      await harness.removeNetns(workload);
      const wanted = [
        link("host", "ch-1", "removed"),
        (event: KernelEvent) => event.type === "netns-removed" && event.netns === workload,
      ];
      while (wanted.length > 0) {
        const event = await eventOf(watch, (each) => wanted.some((fits) => fits(each)));
        wanted.splice(
          wanted.findIndex((fits) => fits(event)),
          1,
        );
      }
      watch.close();
      assert.deepEqual(await kernel.observe([{ netns: "host" }]), []);
    },
  },
  {
    title: "an unread watch loses its events, gets a resync, and continues",
    async run(harness) {
      const kernel = await harness.kernel();
      await kernel.apply(add(lone("host", "dev-1")));
      const watch = kernel.watch();
      // Several changes of a device are reported as one, but each change of an address is reported. The events arrive while
      // batches are applied.
      const object = { kind: "address", netns: "host", link: "dev-1", address: "10.6.0.1/24" } as const;
      const toAndFro: Operation[] = Array.from({ length: 100 }, (_, i) => ({
        verb: i % 2 === 0 ? "add" : "remove",
        object,
      }));
      for (let events = 0; events < 2 * harness.watchLimit; events += toAndFro.length)
        await kernel.apply(toAndFro);
      await kernel.apply(toAndFro);
      await eventOf(watch, (event) => event.type === "resync");
      // Events that are still arriving may overflow the watch again and give another resync. Later events get through.
      for (let n = 2, isHeard = false; !isHeard; n++) {
        const isNew = link("host", `dev-${n}`, "new");
        await kernel.apply(add(lone("host", `dev-${n}`)));
        isHeard = isNew(await eventOf(watch, (event) => isNew(event) || event.type === "resync"));
      }
      watch.close();
    },
  },
  {
    title: "a closed watch returns undefined, also to a pending take",
    async run(harness) {
      const kernel = await harness.kernel();
      const watch = kernel.watch();
      const waiting = watch.take();
      watch.close();
      assert.equal(await waiting, undefined);
      assert.equal(await watch.take(), undefined);
    },
  },
];

function link(netns: string, name: string, change: "new" | "removed"): (event: KernelEvent) => boolean {
  return (event) =>
    event.type === "link" && event.netns === netns && event.link === name && event.change === change;
}
