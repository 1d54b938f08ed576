import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { NetloomError } from "../errors/errors.ts";
import { STORE_HOST } from "../sim/faults.ts";
import type { Fault } from "../sim/faults.ts";
import type { HostWorld } from "../world/world.ts";
import type { Store } from "../world/store.ts";
import { type Hosts, withHosts } from "../../fixtures/registry/registry.ts";
import { type Shelf, StoreView } from "./store-view.ts";

/** Texts by name, and all that was reported of them. */
class Texts implements Shelf {
  readonly prefix = "texts/";
  readonly told: string[] = [];
  readonly #texts = new Map<string, { readonly text: string; readonly revision: number }>();

  get all(): Record<string, string> {
    return Object.fromEntries([...this.#texts].map(([name, { text }]) => [name, text]));
  }

  revisionOf(name: string): number {
    return this.#texts.get(name)?.revision ?? 0;
  }

  names(): Iterable<string> {
    return this.#texts.keys();
  }

  put(name: string, value: Uint8Array, revision: number): void {
    const text = new TextDecoder().decode(value);
    this.told.push(`${name}=${text}`);
    this.#texts.set(name, { text, revision });
  }

  remove(name: string): void {
    if (this.#texts.delete(name)) this.told.push(`-${name}`);
  }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** One registry's view. */
class Viewer {
  readonly texts = new Texts();
  readonly world: HostWorld;
  readonly view: StoreView;

  constructor(world: HostWorld) {
    this.world = world;
    this.view = new StoreView({ world, store: world.store });
    this.view.add(this.texts);
  }

  async put(name: string, text: string): Promise<void> {
    const show = (revision: number): void => this.texts.put(name, bytes(text), revision);
    await this.view.put(this.texts, name, bytes(text), { show });
  }

  delete(name: string): Promise<void> {
    return this.view.delete(this.texts, name);
  }
}

interface Setting {
  readonly one: Viewer;
  readonly two: Viewer;
  readonly hosts: Hosts;
}

async function withViews(
  body: (setting: Setting) => Promise<void>,
  options: { readonly faults?: readonly Fault[]; readonly store?: (store: Store) => Store } = {},
): Promise<void> {
  const viewers = new Map<string, Viewer>();
  const program = (name: string) => async (world: HostWorld) => {
    const viewer = new Viewer(world);
    await viewer.view.start();
    viewers.set(name, viewer);
  };
  await withHosts(
    { one: program("one"), two: program("two") },
    async (hosts) => {
      await hosts.until(() => viewers.size === 2);
      const [one, two] = [viewers.get("one"), viewers.get("two")];
      assert.ok(one && two);
      await body({ one, two, hosts });
    },
    options,
  );
}

const aborted = (promise: Promise<unknown>): Promise<void> => assert.rejects(promise, { code: "ABORTED" });

suite("a view of a shared store", () => {
  test("shows its own writes at once, and those of another view when the store reports them, each once", async () => {
    await withViews(async ({ one, two, hosts }) => {
      await one.put("a", "1");
      assert.deepEqual(one.texts.all, { a: "1" });
      await hosts.until(() => two.texts.all["a"] === "1");
      await two.put("a", "2");
      await two.put("b", "3");
      await two.delete("b");
      assert.deepEqual(two.texts.all, { a: "2" });
      await hosts.clock.sleep(100);
      assert.deepEqual(one.texts.told, ["a=1", "a=2", "b=3", "-b"]);
      assert.deepEqual(two.texts.told, ["a=1", "a=2", "b=3", "-b"]);
    });
  });

  test("refuses a write if another view was faster, and then has the other's value", async () => {
    await withViews(async ({ one, two, hosts }) => {
      const outcomes = await Promise.allSettled([one.put("a", "1"), two.put("a", "2")]);
      const won = outcomes[0].status === "fulfilled" ? "1" : "2";
      assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
      assert.deepEqual([one.texts.all, two.texts.all], [{ a: won }, { a: won }]);
      const both = await Promise.allSettled([one.put("a", "3"), two.delete("a")]);
      const [isPut, isDeleted] = both.map(({ status }) => status === "fulfilled");
      assert.notEqual(isPut, isDeleted);
      const left = isPut ? { a: "3" } : {};
      assert.deepEqual([one.texts.all, two.texts.all], [left, left]);
      await hosts.clock.sleep(100);
      assert.deepEqual([one.texts.all, two.texts.all], [left, left]);
    });
  });

  test("asks the store before it reports that there is nothing to delete", async () => {
    await withViews(async ({ one, hosts }) => {
      await one.put("a", "1");
      // A view that has heard of nothing yet.
      const late = new Viewer(await hosts.world("two"));
      await aborted(late.delete("a"));
      assert.deepEqual(late.texts.all, { a: "1" });
      await late.delete("a");
      await late.delete("nothing");
      await hosts.until(() => one.texts.revisionOf("a") === 0);
      assert.equal(await late.view.refresh(late.texts, "a"), false);
      await one.put("a", "2");
      assert.equal(await late.view.refresh(late.texts, "a"), true);
      assert.deepEqual(late.texts.all, { a: "2" });
    });
  });
});

suite("a view whose watch breaks", () => {
  test("reports only the changes since it lost the store, and that it was out of step", async () => {
    const faults: Fault[] = [{ kind: "partition", hosts: ["two", STORE_HOST], atMs: 10_000, forMs: 20_000 }];
    await withViews(
      async ({ one, two, hosts }) => {
        const reasons: string[] = [];
        two.view.onLost(({ code, message }) => reasons.push(`${code} ${message}`));
        for (const name of ["a", "b", "c"]) await one.put(name, "1");
        await hosts.until(() => two.texts.told.length === 3);
        await hosts.clock.sleep(11_000 - two.world.clock.monotonicMs());
        await one.put("a", "2");
        await one.delete("b");
        await one.put("d", "1");
        await hosts.clock.sleep(5000);
        assert.ok(two.view.lost);
        assert.deepEqual(two.texts.all, { a: "1", b: "1", c: "1" });
        await assert.rejects(two.put("c", "2"), { code: "DEADLINE_EXCEEDED" });
        await hosts.until(() => two.view.lost === undefined);
        assert.deepEqual(two.texts.all, { a: "2", c: "1", d: "1" });
        assert.deepEqual(two.texts.told.slice(3).sort(), ["-b", "a=2", "d=1"]);
        assert.equal(reasons.length, 1);
        assert.match(reasons[0] ?? "", /^UNAVAILABLE this registry does not reach its store: /);
        assert.equal(one.view.lost, undefined);
      },
      { faults },
    );
  });

  test("lists again when the store no longer has the missed changes", async () => {
    let isForgetful = false;
    const store = (inner: Store): Store => ({
      get: (key) => inner.get(key),
      list: (prefix) => inner.list(prefix),
      put: (key, value, options) => inner.put(key, value, options),
      delete: (key, options) => inner.delete(key, options),
      keepAlive: (lease) => inner.keepAlive(lease),
      watch: (prefix, revision) => {
        const watch = inner.watch(prefix, revision);
        const take = watch.take.bind(watch);
        watch.take = async () => {
          const event = await take();
          if (!isForgetful) return event;
          throw new NetloomError("FAILED_PRECONDITION", "the store has forgotten changes");
        };
        return watch;
      },
    });
    await withViews(
      async ({ one, two, hosts }) => {
        await one.put("a", "1");
        await hosts.until(() => two.texts.told.length === 1);
        isForgetful = true;
        await one.put("a", "2");
        await hosts.clock.sleep(20);
        isForgetful = false;
        await hosts.until(() => two.texts.all["a"] === "2");
        await one.put("b", "1");
        await hosts.until(() => two.texts.all["b"] === "1");
        assert.deepEqual(two.texts.told, ["a=1", "a=2", "b=1"]);
        assert.equal(two.view.lost, undefined);
      },
      { store },
    );
  });
});
