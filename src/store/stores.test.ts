/** Every kind of store keeps the contract of a store. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { rootScope } from "../async/task-scope.ts";
import type { Hops } from "../world/hops.ts";
import { storeContract } from "../../fixtures/store/contract.ts";
import { HandClock } from "../../fixtures/store/hand-clock.ts";
import type { StoreKind } from "./store-kind.ts";
import { openStore, STORES } from "./stores.ts";

/** The most changes that any kind keeps. */
const HISTORY = 10_000;

const NOWHERE: Hops = {
  dial: () => assert.fail("a store that is on this host dials nobody"),
  addressesOf: () => assert.fail("a store asks for no addresses"),
  hold: () => Promise.resolve(() => undefined),
  serve: () => assert.fail("a store serves nobody"),
};

for (const kind of STORES as readonly StoreKind[]) {
  suite(`a store of the kind ${kind.scheme}`, () => {
    for (const { title, check } of storeContract) {
      test(title, async (context) => {
        const folder = mkdtempSync(join(tmpdir(), "nlt-"));
        context.after(() => rmSync(folder, { recursive: true }));
        const url = kind.inFolder?.(folder) ?? `${kind.scheme}:`;
        const clock = new HandClock();
        const open = async () => {
          const scope = rootScope("store", clock);
          const opened = await openStore(url, "open", { world: { clock, scope }, hops: NOWHERE });
          const end = async (): Promise<void> => {
            await scope.end();
            await opened.close();
          };
          return { store: opened.store, end };
        };
        const first = await open();
        const second = kind.isShared ? await open() : first;
        await check({
          store: first.store,
          other: second.store,
          pass: async (durationMs) => {
            clock.pass(durationMs);
            // Finishes the work that became due before the next call.
            for (const { store } of [first, second]) await store.get("");
          },
          compact: async () => {
            const filler = (): Promise<number> => first.store.put("filler", new Uint8Array());
            await Promise.all(Array.from({ length: HISTORY }, filler));
          },
        });
        await first.end();
        if (second !== first) await second.end();
      });
    }
  });
}

test("an unknown URL is refused with all kinds listed, and the name of a kind alone is short for its URL", async () => {
  const clock = new HandClock();
  const options = { world: { clock, scope: rootScope("store", clock) }, hops: NOWHERE };
  for (const url of ["disk", "sqlite", "sqlite:", "memory:x", "", ":"])
    await assert.rejects(openStore(url, "--store", options), {
      code: "INVALID_ARGUMENT",
      message: `--store ${JSON.stringify(url)}: there is no such store`,
      hint: "use memory, or sqlite:PATH",
    });
  for (const url of ["memory", "memory:"]) {
    const { store } = await openStore(url, "--store", options);
    assert.equal(await store.put("a", new Uint8Array()), 1);
  }
  await options.world.scope.end();
});
