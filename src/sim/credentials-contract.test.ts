import { suite, test } from "node:test";
import { drain } from "../../scripts/simulated-toy.ts";
import { PLAIN_CREDENTIALS } from "../identity/identities.ts";
import { MemoryStore } from "../store/memory/memory-store.ts";
import { credentialsContract } from "../../fixtures/transport/credentials-contract.ts";
import type { HostWorld } from "../world/world.ts";
import { SimAuthorities } from "../../fixtures/sim/authority.ts";
import { SimMachine } from "./kernel/kernel.ts";
import { Simulation } from "./simulation.ts";

for (const url of ["tcp://10.0.0.2:5001", "unix:///run/far.sock"])
  suite(`the simulated network keeps the promises of Credentials at ${url}`, () => {
    for (const { title, check } of credentialsContract) {
      test(title, async () => {
        const simulation = new Simulation({
          seed: title,
          drain,
          hosts: ["near", "far"],
          credentials: () => PLAIN_CREDENTIALS,
          kernel: ({ clock, random }) => new SimMachine({ clock, random }).kernel(),
          store: (clock, scope) => new MemoryStore({ clock, scope }),
        });
        const worldOf = (host: string): Promise<HostWorld> =>
          new Promise((resolve) => simulation.start(host, async (world) => resolve(world)));
        const far = await worldOf("far");
        // A socket is reached on its own host.
        const near = url.startsWith("unix:") ? far : await worldOf("near");
        await simulation.run(check({ near, far, url, newAuthority: new SimAuthorities().make }));
      });
    }
  });
