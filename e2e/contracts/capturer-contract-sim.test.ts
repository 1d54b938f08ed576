/** The simulated captures pass the contract. */
import { test } from "node:test";
import { simCapturer } from "../../fixtures/sim/capturer.ts";
import { SimMachine } from "../../src/sim/kernel/kernel.ts";
import { VirtualClock } from "../virtual-clock.ts";
import { capturerContract } from "./capturer-contract.ts";

for (const each of capturerContract)
  test(each.title, async () => {
    const clock = new VirtualClock();
    const machine = new SimMachine({ clock });
    let count = 0;
    const kernel = machine.kernel({ host: machine.createNetns("/run/netns/sim-host") });
    await each.run({
      capturer: simCapturer(kernel),
      kernel,
      netns: () => Promise.resolve(machine.createNetns(`/run/netns/sim-${count++}`)),
      removeNetns: (netns) => Promise.resolve(machine.removeNetns(netns.slice("file://".length))),
    });
  });
