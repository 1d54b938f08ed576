/** Random changes of a wire by others are repaired, also while other wires come and go. Objects of others stay. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NO_LOG } from "../../observe/log.ts";
import type { KernelObject, Netns } from "../../kernel/kernel.ts";
import type { SimMachine } from "../../sim/kernel/kernel.ts";
import { isDevice, endsOf } from "../../kernel/objects.ts";
import { AgentMesh, WEB } from "../../../fixtures/roles/agent.ts";

const ALPHA: Netns = "file:///run/netns/nl-lab-alpha";
const OTHER = WEB.replace("web-db", "other-db").replace("interface: to-db", "interface: also-db");

const place = fc.constantFrom("workload", "pair", "tunnel");
const tampering = fc.oneof(
  fc.record({
    what: fc.constant("change"),
    place,
    change: fc.constantFrom(
      { isUp: false },
      { mtuBytes: 1300 },
      { mac: "02:00:00:00:00:77" },
      { name: "stolen" },
    ),
  }),
  fc.record({
    what: fc.constant("flush"),
    place,
    flush: fc.constantFrom("addresses", "routes", "neighbors"),
  }),
  fc.record({ what: fc.constantFrom("remove", "program"), place }),
);
const request = fc.record({ what: fc.constantFrom("apply", "delete") });
const step = fc.tuple(
  fc.oneof({ weight: 3, arbitrary: tampering }, { weight: 1, arbitrary: request }),
  fc.integer({ min: 0, max: 2_000 }),
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Makes the change, unless the device is missing at that moment. */
function tamper(machine: SimMachine, [netns, name]: readonly [Netns, string], action: Step[0]): void {
  try {
    if ("change" in action) machine.changeDevice(netns, name, action.change);
    else if ("flush" in action) machine.flush(netns, name, action.flush);
    else if (action.what === "remove") machine.removeDevice(netns, name);
    else if (netns === ALPHA) machine.dropProgram(netns, name);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

test("after random changes a wire is restored, and the objects of others stay", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
      const mesh = new AgentMesh({ log: NO_LOG });
      const { machine } = mesh;
      const web = mesh.netnsOf("alpha", "a1");
      const observed = async (): Promise<KernelObject[]> =>
        await mesh.simulation.kernel("alpha").observe([{ netns: "host" }, { netns: web }]);
      await mesh.runWithWire(async () => {
        machine.plantCable([
          { netns: web, name: "theirs", addresses: ["192.0.2.1/24"] },
          { netns: ALPHA, name: "theirs" },
        ]);
        const theirs = async (): Promise<unknown> =>
          await mesh.simulation.kernel("alpha").devices([
            { netns: web, link: "theirs" },
            { netns: "host", link: "eth0" },
          ]);
        const before = await observed();
        const devices = before.filter(isDevice).flatMap(endsOf);
        const inHost = devices.filter(({ netns }) => netns === "host").map(({ name }) => name);
        const places: Record<string, readonly [Netns, string]> = {
          workload: [web, "to-db"],
          pair: [ALPHA, inHost[0] ?? ""],
          tunnel: [ALPHA, inHost[1] ?? ""],
        };
        const ofOthers = await theirs();
        const { attachments } = mesh.agent("alpha");
        for (const [action, pauseMs] of steps) {
          if (action.what === "apply") await mesh.apply("alpha", OTHER);
          else if (action.what === "delete")
            await attachments.delete([{ kind: "NetworkServiceClient", name: "other-db" }]);
          else if ("place" in action) tamper(machine, places[action.place] ?? [web, ""], action);
          await mesh.sleep(pauseMs);
        }
        await mesh.sleep(90_000);
        const after = new Set((await observed()).map((each) => JSON.stringify(each)));
        for (const object of before) assert.ok(after.has(JSON.stringify(object)), JSON.stringify(object));
        assert.deepEqual(await theirs(), ofOthers);
        mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
        for (const name of ["web-db", "other-db"])
          await attachments.delete([{ kind: "NetworkServiceClient", name }]);
        await mesh.agent("beta").attachments.delete([{ kind: "NetworkServiceProvider", name: "db" }]);
        await mesh.sleep(5_000);
        await mesh.holdsNothing();
      });
    }),
    { numRuns: 25 },
  );
});
