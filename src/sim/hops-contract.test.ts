import { suite, test } from "node:test";
import { drain } from "../../scripts/simulated-toy.ts";
import { MemoryStore } from "../store/memory/memory-store.ts";
import { hopsContract } from "../../fixtures/transport/hops-contract.ts";
import type { HostWorld } from "../world/world.ts";
import { SimMachine } from "./kernel/kernel.ts";
import { Simulation } from "./simulation.ts";
import { PLAIN_CREDENTIALS } from "../identity/identities.ts";

suite("the simulated network keeps the promises of Hops", () => {
  for (const { title, check } of hopsContract) {
    test(title, async () => {
      const simulation = new Simulation({
        seed: title,
        drain,
        hosts: ["near", "far"],
        kernel: ({ clock, random }) => new SimMachine({ clock, random }).kernel(),
        credentials: () => PLAIN_CREDENTIALS,
        store: (clock, scope) => new MemoryStore({ clock, scope }),
      });
      const worldOf = (host: string): Promise<HostWorld> =>
        new Promise((resolve) => simulation.start(host, async (world) => resolve(world)));
      const [near, far] = await Promise.all([worldOf("near"), worldOf("far")]);
      const kill = async (): Promise<void> => simulation.crash("far");
      await simulation.run(check({ near, far, url: "tcp://10.0.0.2:5001", kill }));
    });
  }
});
