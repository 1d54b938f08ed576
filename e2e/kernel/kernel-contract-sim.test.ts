/** The simulated kernel passes the contract. */
import { test } from "node:test";
import type { Netns } from "../../src/kernel/kernel.ts";
import { SimMachine } from "../../src/sim/kernel/kernel.ts";
import type { KernelHarness } from "./kernel-contract-harness.ts";
import { kernelContract } from "./kernel-contract.ts";
import { failpointCases } from "./kernel-failpoints.ts";
import { VirtualClock } from "../virtual-clock.ts";

for (const each of [...kernelContract, ...failpointCases])
  test(each.title, (t) => each.run(simHarness((line) => t.diagnostic(line))));

function simHarness(say: (line: string) => void): KernelHarness {
  const machine = new SimMachine({ clock: new VirtualClock() });
  let namespaces = 0;
  const createNetns = (): Netns => machine.createNetns(`/run/netns/sim-${namespaces++}`);
  return {
    say,
    pins: () => Promise.resolve(0),
    watchLimit: 256,
    netns: () => Promise.resolve(createNetns()),
    removeNetns(netns) {
      machine.removeNetns(pathOf(netns));
      return Promise.resolve();
    },
    recreateNetns(netns) {
      machine.removeNetns(pathOf(netns));
      machine.createNetns(pathOf(netns));
      return Promise.resolve();
    },
    kernel: (options = {}) => Promise.resolve(machine.kernel({ host: createNetns(), ...options })),
    plug(netns, name, far) {
      machine.plantCable([
        { netns, name },
        { netns: far, name },
      ]);
      return Promise.resolve();
    },
    tend(netns, name, change) {
      const { name: anew, ...rest } = change;
      machine.changeDevice(netns, name, rest);
      if (anew === undefined) return Promise.resolve();
      machine.changeDevice(netns, name, { isUp: false });
      machine.changeDevice(netns, name, { name: anew });
      machine.changeDevice(netns, anew, { isUp: true });
      return Promise.resolve();
    },
    lead(netns, route) {
      machine.plantRoute(netns, route);
      return Promise.resolve();
    },
    flush(netns, name, what) {
      machine.flush(netns, name, what);
      return Promise.resolve();
    },
    dropRule(netns, priority) {
      machine.dropRules(netns, priority);
      return Promise.resolve();
    },
    dropProgram(netns, name) {
      machine.dropProgram(netns, name);
      return Promise.resolve();
    },
    unplug(netns, name) {
      machine.removeDevice(netns, name);
      return Promise.resolve();
    },
    send(from, address) {
      machine.send(from, address, 142);
      return Promise.resolve();
    },
  };
}

function pathOf(netns: Netns): string {
  return netns.slice("file://".length);
}
