/** The resolvers of workloads pass their contract on the simulated machine. */
import { test } from "node:test";
import { rootScope } from "../../src/async/task-scope.ts";
import { labPlacePath } from "../../src/resolvers/lab/places.ts";
import { SimMachine } from "../../src/sim/kernel/kernel.ts";
import { type ResolverHarness, resolverContract, type Specimen } from "./resolver-contract.ts";
import { VirtualClock } from "../virtual-clock.ts";

for (const each of resolverContract) test(each.title, () => each.run(simHarness()));

function simHarness(): ResolverHarness {
  const clock = new VirtualClock();
  const machine = new SimMachine({ clock });
  const { processes } = machine;
  let count = 0;
  const namespace = (path: string, ref: Specimen["ref"]): Specimen => ({
    ref,
    come: () => Promise.resolve(machine.createNetns(path)),
    go: () => Promise.resolve(machine.removeNetns(path)),
  });
  return {
    world: { clock, scope: rootScope("test", clock) },
    outside: { kernel: machine.kernel(), processes },
    held: () => processes.holds,
    specimens: {
      netns: () => {
        const path = `/run/netns/sim-${count++}`;
        return Promise.resolve(namespace(path, { netns: path }));
      },
      lab: () => {
        const place = `sim/alpha/w${count++}`;
        return Promise.resolve(namespace(labPlacePath(place), { lab: place }));
      },
      port: () => {
        const name = `eth${count++}`;
        const [here, far] = ["file:///proc/1/ns/net", machine.createNetns(`/run/netns/far-${name}`)] as const;
        return Promise.resolve({
          ref: { port: name },
          come: () => {
            machine.plantCable([
              { netns: here, name },
              { netns: far, name },
            ]);
            return Promise.resolve(here);
          },
          go: () => Promise.resolve(machine.removeDevice(here, name)),
          tend: (change) => Promise.resolve(machine.changeDevice(here, name, change)),
        });
      },
      pid: () => {
        const pid = 100 + count++;
        return Promise.resolve({
          ref: { pid },
          come: () => {
            const path = `/run/netns/process-${count++}`;
            processes.start(pid, machine.createNetns(path));
            machine.unnameNetns(path);
            return Promise.resolve(`file:///proc/${pid}/ns/net` as const);
          },
          go: () => Promise.resolve(processes.end(pid)),
          isOnce: true,
        });
      },
    },
  };
}
