/** Two registries write the same few names, and the store is lost, late and cut off: when it is quiet both know its content. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { NetloomError } from "../errors/errors.ts";
import { drawFaults, STORE_HOST } from "../sim/faults.ts";
import { SimRandom } from "../sim/random.ts";
import type { HostWorld } from "../world/world.ts";
import { withHosts } from "../../fixtures/registry/registry.ts";
import { type Shelf, StoreView } from "./store-view.ts";

const SEEDS = 40;
const REGISTRIES = ["one", "two"];
const STEPS = 60;
const BUSY_MS = 8000;

/** Asserts that reported revisions only grow. */
class Numbers implements Shelf {
  readonly prefix = "numbers/";
  readonly numbers = new Map<string, { readonly number: number; readonly revision: number }>();

  revisionOf(name: string): number {
    return this.numbers.get(name)?.revision ?? 0;
  }

  names(): Iterable<string> {
    return this.numbers.keys();
  }

  put(name: string, value: Uint8Array, revision: number): void {
    assert.ok(revision > this.revisionOf(name), `${name} goes back to ${revision}`);
    this.numbers.set(name, { number: value[0] ?? -1, revision });
  }

  remove(name: string): void {
    this.numbers.delete(name);
  }
}

/** A writer that reads its own writes, whatever comes in between. */
async function write(world: HostWorld, view: StoreView, shelf: Numbers, seed: string): Promise<void> {
  const random = new SimRandom(seed, `writer ${world.host}`);
  for (let step = 0; step < STEPS; step++) {
    await world.clock.sleep((BUSY_MS / STEPS) * 2 * random.fraction("pause", step));
    const name = `n${Math.floor(3 * random.fraction("name", step))}`;
    try {
      if (random.fraction("what", step) < 0.3) {
        const known = shelf.revisionOf(name);
        await view.delete(shelf, name);
        assert.ok(shelf.revisionOf(name) === 0 || shelf.revisionOf(name) > known);
      } else {
        let shown = 0;
        await view.put(shelf, name, Uint8Array.of(step), {
          show: (revision) => {
            shown = revision;
            shelf.put(name, Uint8Array.of(step), revision);
          },
        });
        if (shown > 0) assert.equal(shelf.numbers.get(name)?.number, step);
      }
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
    }
  }
}

suite("without further changes every view has the content of the store", () => {
  for (let n = 1; n <= SEEDS; n++)
    test(`with seed ${n}`, async () => {
      const seed = String(n);
      const shelves = new Map<string, Numbers>();
      let running = REGISTRIES.length;
      const program = async (world: HostWorld): Promise<void> => {
        const shelf = new Numbers();
        const view = new StoreView({ world, store: world.store });
        view.add(shelf);
        while (!shelves.has(world.host)) {
          try {
            await view.start();
            shelves.set(world.host, shelf);
          } catch (error) {
            if (!(error instanceof NetloomError)) throw error;
            await world.clock.sleep(100);
          }
        }
        await write(world, view, shelf, seed);
        running -= 1;
      };
      const drawn = drawFaults({
        seed,
        hosts: [...REGISTRIES, STORE_HOST],
        durationMs: BUSY_MS,
        count: 20,
      });
      const faults = drawn.filter(({ kind }) => kind === "partition" || kind === "message");
      await withHosts(
        Object.fromEntries(REGISTRIES.map((name) => [name, program])),
        async ({ clock, until, simulation, world }) => {
          await until(() => running === 0);
          simulation.faults.calm();
          await clock.sleep(20_000);
          const { entries } = await (await world("one")).store.list("numbers/");
          const stored = entries.map(({ key, value, revision }) => `${key.slice(8)} ${value[0]} ${revision}`);
          for (const [host, { numbers }] of shelves) {
            const known = [...numbers].map(([name, { number, revision }]) => `${name} ${number} ${revision}`);
            assert.deepEqual(known.sort(), stored, host);
          }
        },
        { seed, faults },
      );
    });
});
