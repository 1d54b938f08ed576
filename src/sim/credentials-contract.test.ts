import { suite, test } from "node:test";
import { credentialsContract } from "../../fixtures/transport/credentials-contract.ts";
import type { HostWorld } from "../world/world.ts";
import { SimAuthorities } from "../../fixtures/sim/authority.ts";
import { simulate } from "../../fixtures/sim/simulate.ts";

for (const url of ["tcp://10.0.0.2:5001", "unix:///run/far.sock"])
  suite(`the simulated network keeps the Credentials contract at ${url}`, () => {
    for (const { title, check } of credentialsContract) {
      test(title, async () => {
        const simulation = simulate({
          seed: title,
          hosts: ["near", "far"],
        });
        const worldOf = (host: string): Promise<HostWorld> =>
          new Promise((resolve) => simulation.start(host, async (world) => resolve(world)));
        const far = await worldOf("far");
        // A socket is reachable from its own host only.
        const near = url.startsWith("unix:") ? far : await worldOf("near");
        await simulation.run(check({ near, far, url, newAuthority: new SimAuthorities().make }));
      });
    }
  });
