/** The simulated privileges pass the contract. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SimMachine } from "../../src/sim/kernel/kernel.ts";
import { SimPrivileged } from "../../src/sim/kernel/privileged.ts";
import { privilegedContract } from "./privileged-contract.ts";
import { VirtualClock } from "../virtual-clock.ts";

for (const each of privilegedContract)
  test(each.title, async () => {
    const machine = new SimMachine({ clock: new VirtualClock() });
    const privileged = new SimPrivileged(machine);
    let count = 0;
    await each.run({
      privileged,
      bpffs: "/run/netloom/bpf",
      netns: () => Promise.resolve(machine.createNetns(`/run/netns/sim-${count++}`)),
      process: () => {
        machine.processes.start(7, machine.createNetns(`/run/netns/sim-${count++}`));
        return Promise.resolve(7);
      },
      listen: () => {
        const socket = { path: `/run/sim-${count}.sock`, identity: `inode://9/${count++}` } as const;
        const end = privileged.listen(socket);
        return Promise.resolve({ ...socket, end: () => Promise.resolve(end()) });
      },
    });
    assert.deepEqual([privileged.descriptors, machine.processes.holds], [0, 0]);
  });
