/**
 * A reader that applies all events of a watch has, when it is quiet, the result of a new find, and at most entries that have
 * changed so that they no longer match: for all changes and all reading speeds.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { NetworkServiceEndpointSchema, type NetworkServiceEndpoint } from "../api/gen/nsm/registry_pb.js";
import { NetloomError } from "../errors/errors.ts";
import { Catalog } from "./catalog.ts";
import type { CatalogEvent, CatalogWatch } from "./watch/catalog-watch.ts";
import { endpointKind, type Listed } from "./entry-kind.ts";
import { matchesEndpointQuery } from "./matching/match.ts";

const NAMES = ["a", "b", "c", "d", "e", "f"];
const SERVICES = ["shop", "bank", "post"];
const URLS = ["tcp://10.0.0.1:5001", "tcp://10.0.0.2:5001", ""];

const labels = fc.dictionary(
  fc.constantFrom(...SERVICES),
  fc.record({
    labels: fc.dictionary(fc.constantFrom("color", "zone"), fc.constantFrom("1", "2"), { maxKeys: 2 }),
  }),
  { maxKeys: 2 },
);
const endpoint = fc
  .record({
    name: fc.constantFrom(...NAMES),
    networkServiceNames: fc.subarray(SERVICES),
    networkServiceLabels: labels,
    url: fc.constantFrom(...URLS),
  })
  .map((init) => create(NetworkServiceEndpointSchema, init));
const query = fc
  .record(
    {
      name: fc.constantFrom(...NAMES),
      networkServiceNames: fc.subarray(SERVICES, { maxLength: 2 }),
      networkServiceLabels: labels,
      url: fc.constantFrom("10.0.0.1", "tcp://", "5001"),
    },
    { requiredKeys: [] },
  )
  .map((init) => create(NetworkServiceEndpointSchema, init));
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ put: endpoint }) },
  { weight: 2, arbitrary: fc.record({ remove: fc.constantFrom(...NAMES) }) },
  { weight: 1, arbitrary: fc.record({ touch: fc.constantFrom(...NAMES) }) },
  { weight: 3, arbitrary: fc.record({ watcher: fc.nat(3), reads: fc.integer({ min: 1, max: 5 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      open: query,
      overflow: fc.constantFrom("cut" as const, "resync" as const),
      touches: fc.boolean(),
    }),
  },
);

/** Applies the events of a watch. */
class Follower {
  readonly #like: NetworkServiceEndpoint;
  readonly #catalog: Catalog<NetworkServiceEndpoint>;
  readonly #options: Parameters<Catalog<NetworkServiceEndpoint>["watch"]>[1];
  readonly held = new Map<string, Listed>();
  /** Names of entries that matched, and were changed so that they no longer match. */
  readonly #hasLeft = new Set<string>();
  #watch: CatalogWatch<Listed>;

  constructor(
    catalog: Catalog<NetworkServiceEndpoint>,
    like: NetworkServiceEndpoint,
    options: { readonly overflow: "cut" | "resync"; readonly touches: boolean },
  ) {
    this.#catalog = catalog;
    this.#like = like;
    this.#options = { ...options, limit: 2 };
    this.#watch = catalog.watch(like, this.#options);
  }

  changes(now: NetworkServiceEndpoint, before: NetworkServiceEndpoint | undefined): void {
    if (before && matchesEndpointQuery(this.#like, before) && !matchesEndpointQuery(this.#like, now))
      this.#hasLeft.add(now.name);
  }

  /** Reads one event. False if there was none. */
  read(): boolean {
    let event: CatalogEvent<Listed> | undefined;
    try {
      event = this.#watch.takeNow();
    } catch (error) {
      assert.ok(error instanceof NetloomError && error.code === "RESOURCE_EXHAUSTED");
      // A peer that was cut off begins again.
      this.#watch.close();
      this.held.clear();
      this.#watch = this.#catalog.watch(this.#like, this.#options);
      return true;
    }
    if (event?.type === "found") this.held.set(event.entry.name, event.entry);
    if (event?.type === "removed") this.held.delete(event.entry.name);
    if (event?.type === "reset") this.held.clear();
    return event !== undefined;
  }

  assertEqual(model: ReadonlyMap<string, NetworkServiceEndpoint>): void {
    while (this.read());
    const wanted = [...model.values()].filter((each) => matchesEndpointQuery(this.#like, each));
    const encode = (entries: readonly Listed[]) =>
      entries.map(({ name, bytes }) => [name, ...bytes].join()).sort();
    const found = encode([...this.#catalog.find(this.#like)]);
    assert.deepEqual(found, encode(wanted.map((each) => endpointKind.list(each))));
    const held = encode([...this.held.values()]);
    assert.deepEqual(
      held.filter((each) => found.includes(each)),
      found,
    );
    const beside = [...this.held.keys()].filter((name) => !wanted.some((each) => each.name === name));
    assert.deepEqual(
      beside.filter((name) => !this.#hasLeft.has(name)),
      [],
    );
  }

  close(): void {
    this.#watch.close();
  }
}

test("find and every watch agree with a linear search of a list", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const catalog = new Catalog<NetworkServiceEndpoint>(endpointKind);
      const model = new Map<string, NetworkServiceEndpoint>();
      const everything = create(NetworkServiceEndpointSchema);
      const followers = [new Follower(catalog, everything, { overflow: "resync", touches: false })];
      for (const each of steps) {
        if ("put" in each) {
          for (const follower of followers) follower.changes(each.put, model.get(each.put.name));
          catalog.put(endpointKind.list(each.put));
          model.set(each.put.name, each.put);
        } else if ("remove" in each) {
          assert.equal(catalog.remove(each.remove) !== undefined, model.delete(each.remove));
        } else if ("touch" in each) {
          catalog.touch(each.touch);
        } else if ("open" in each) {
          followers.push(
            new Follower(catalog, each.open, { overflow: each.overflow, touches: each.touches }),
          );
        } else {
          const follower = followers[each.watcher % followers.length];
          for (let n = 0; n < each.reads; n++) follower?.read();
        }
      }
      for (const follower of followers) follower.assertEqual(model);
      for (const follower of followers) follower.close();
      assert.equal(catalog.watches, 0);
      assert.equal(catalog.size, model.size);
    }),
    { numRuns: 1500 },
  );
});

test("an unread watch holds no more than its limit", () => {
  const catalog = new Catalog<NetworkServiceEndpoint>(endpointKind);
  const watch = catalog.watch(create(NetworkServiceEndpointSchema), { overflow: "resync", limit: 10 });
  for (let n = 0; n < 1000; n++)
    catalog.put(
      endpointKind.list(create(NetworkServiceEndpointSchema, { name: `e${n % 20}`, url: `tcp://${n}` })),
    );
  const told: string[] = [];
  for (let event = watch.takeNow(); event; event = watch.takeNow()) told.push(event.type);
  assert.deepEqual(told, ["reset", ...Array.from({ length: 20 }, () => "found"), "synced"]);
  watch.close();
});

test("a watch of changes is not notified of an entry that was put unchanged", async () => {
  const catalog = new Catalog<NetworkServiceEndpoint>(endpointKind);
  const entry = (zone: string): Listed =>
    endpointKind.list(
      create(NetworkServiceEndpointSchema, {
        name: "a",
        networkServiceLabels: { b: { labels: { zone } }, a: {} },
      }),
    );
  catalog.put(entry("1"));
  const watch = catalog.watch(create(NetworkServiceEndpointSchema), { overflow: "cut" });
  assert.equal(watch.takeNow()?.type, "found");
  assert.equal(watch.takeNow()?.type, "synced");
  catalog.put(entry("1"));
  catalog.touch("a");
  assert.equal(watch.takeNow(), undefined);
  const next = watch.take();
  catalog.put(entry("2"));
  assert.equal((await next)?.type, "found");
  watch.close();
  assert.equal(await watch.take(), undefined);
});
