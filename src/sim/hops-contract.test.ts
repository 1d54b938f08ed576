import { suite, test } from "node:test";
import { hopsContract } from "../../fixtures/transport/hops-contract.ts";
import type { HostWorld } from "../world/world.ts";
import { simulate } from "../../fixtures/sim/simulate.ts";

suite("the simulated network keeps the Hops contract", () => {
  for (const { title, check } of hopsContract) {
    test(title, async () => {
      const simulation = simulate({
        seed: title,
        hosts: ["near", "far"],
      });
      const worldOf = (host: string): Promise<HostWorld> =>
        new Promise((resolve) => simulation.start(host, async (world) => resolve(world)));
      const [near, far] = await Promise.all([worldOf("near"), worldOf("far")]);
      const kill = async (): Promise<void> => simulation.crash("far");
      await simulation.run(check({ near, far, url: "tcp://10.0.0.2:5001", kill }));
    });
  }
});
