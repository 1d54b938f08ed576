/** Labs for a test, all gone after it: `const lab = await labFixture(t); await lab.up(text)`. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import type { TestContext } from "node:test";
import { LinuxMachine } from "../linux/machine.ts";
import { strayThreads } from "../linux/netns-fixture.ts";
import {
  type DownReport,
  down,
  list,
  type LabStatus,
  status,
  up,
  type UpOptions,
  type UpReport,
} from "./lab.ts";
import { leftovers } from "./state.ts";

export interface LabFixture {
  readonly machine: LinuxMachine;
  /** A name that no other test has. */
  readonly name: string;
  /** Brings up `text`, in which NAME stands for the name. */
  up(text: string, options?: UpOptions): Promise<UpReport>;
  down(): Promise<DownReport>;
  status(): Promise<LabStatus>;
  /** Fails unless every wire answers at every address, and nothing differs from wanted. */
  assertHealthy(): Promise<LabStatus>;
}

let count = 0;

/** Fails `t` if anything of the lab is left when it was taken down, or a thread is in a foreign namespace. */
export async function labFixture(t: TestContext): Promise<LabFixture> {
  const machine = await LinuxMachine.open();
  await sweepDead(machine);
  const name = `t${process.pid.toString(36)}x${(++count).toString(36)}`;
  t.after(async () => {
    await down(machine, name);
    await machine.close();
    assert.deepEqual([...(await leftovers(name)), ...strayThreads()], []);
  });
  return {
    machine,
    name,
    up: (text, options) => up(machine, text.replaceAll("NAME", name), `${name}.yaml`, options),
    down: () => down(machine, name),
    status: () => status(machine, name, { ping: true }),
    async assertHealthy() {
      const now = await status(machine, name, { ping: true });
      assert.deepEqual([...now.underlay.differences, ...now.problems], []);
      for (const wire of now.wires) {
        assert.deepEqual(wire.differences, [], wire.wire);
        assert.ok(wire.ping && wire.ping.length > 0, wire.wire);
        for (const { address, rttMs } of wire.ping)
          assert.ok(rttMs !== undefined, `${wire.wire}: no answer from ${address}`);
      }
      return now;
    },
  };
}

/** Removes what tests left that were killed. */
async function sweepDead(machine: LinuxMachine): Promise<void> {
  for (const name of await list()) {
    const pid = /^t([0-9a-z]+)x[0-9a-z]+$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${Number.parseInt(pid, 36)}`)) await down(machine, name);
  }
}
