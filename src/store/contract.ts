/**
 * The promises of a `Store`, as data: every kind of the list runs all of them. A test file turns each into a test of its own.
 * `pass` is the store's time: virtual where it has no server of its own.
 */
import { type ErrorCode, NetloomError } from "../errors/errors.ts";
import type { Store, StoreEvent } from "../world/store.ts";

interface StoreUnderTest {
  readonly store: Store;
  /** What is in `store`, as another process reaches it; the same object for a kind that is not shared. */
  readonly other: Store;
  /** Lets at least `durationMs` pass on the store's clock. */
  readonly pass: (durationMs: number) => Promise<void>;
  /** Makes the store forget all changes so far, as etcd's compaction does. */
  readonly compact: () => Promise<void>;
}

export interface StorePromise {
  /** A sentence of behaviour. */
  readonly title: string;
  /** Throws if the promise is broken. The store is empty before. */
  readonly check: (under: StoreUnderTest) => Promise<void>;
}

const TTL_MS = 1000;
const lease = { name: "a lease", ttlMs: TTL_MS };

export const storeContract: readonly StorePromise[] = [
  {
    title: "a key that was never put is not there",
    check: async ({ store }) => equal(await store.get("a"), undefined),
  },
  {
    title: "get returns what was put, with the revision that put returned",
    check: async ({ store }) => {
      const revision = await store.put("a", bytes(1, 2));
      equal(await store.get("a"), { key: "a", value: bytes(1, 2), revision });
    },
  },
  {
    title: "every change has a higher revision than the one before, whatever its key",
    check: async ({ store }) => {
      const first = await store.put("a", bytes(1));
      const second = await store.put("b", bytes(1));
      const third = await store.put("a", bytes(1));
      equal([second > first, third > second], [true, true]);
    },
  },
  {
    title: "a value that the caller changes later is not changed in the store",
    check: async ({ store }) => {
      const value = bytes(1);
      await store.put("a", value);
      value[0] = 2;
      const got = await store.get("a");
      got?.value.set([3]);
      equal((await store.get("a"))?.value, bytes(1));
    },
  },
  {
    title: "list returns the keys with the prefix by code unit, and the revision of the store",
    check: async ({ store }) => {
      for (const key of ["x/b", "x/B", "x/ä", "y/a", "x/a"]) await store.put(key, bytes(1));
      await store.delete("x/a");
      const { entries, revision } = await store.list("x/");
      equal(
        entries.map(({ key }) => key),
        ["x/B", "x/b", "x/ä"],
      );
      equal((await store.put("z", bytes())) > revision, true);
      equal(
        entries.every((entry) => entry.revision < revision),
        true,
      );
    },
  },
  {
    title: "put with expected revision 0 creates, and is refused with ABORTED if the key exists",
    check: async ({ store }) => {
      await store.put("a", bytes(1), { expectedRevision: 0 });
      await refuses("ABORTED", () => store.put("a", bytes(2), { expectedRevision: 0 }));
      equal((await store.get("a"))?.value, bytes(1));
    },
  },
  {
    title: "put and delete with an expected revision happen only at that revision",
    check: async ({ store }) => {
      const old = await store.put("a", bytes(1));
      const revision = await store.put("a", bytes(2), { expectedRevision: old });
      await refuses("ABORTED", () => store.put("a", bytes(3), { expectedRevision: old }));
      await refuses("ABORTED", () => store.delete("a", { expectedRevision: old }));
      await store.delete("a", { expectedRevision: revision });
      equal(await store.get("a"), undefined);
    },
  },
  {
    title: "deleting what is not there is a success, and no change",
    check: async ({ store }) => {
      const before = await store.put("a", bytes(1));
      equal(await store.delete("b"), before);
      equal((await store.list("")).revision, before);
    },
  },
  {
    title: "delete returns the revision that the watches are told",
    check: async ({ store }) => {
      const watch = store.watch("", await store.put("a", bytes(1)));
      const revision = await store.delete("a");
      equal(await watch.take(), { type: "delete", key: "a", revision });
      watch.close();
    },
  },
  {
    title: "the keys of a lease vanish when it ends, in one revision",
    check: async ({ store, pass }) => {
      await store.put("a", bytes(1), { lease });
      await store.put("b", bytes(1), { lease });
      const revision = await store.put("c", bytes(1));
      const watch = store.watch("", revision);
      await pass(2 * TTL_MS);
      equal((await store.list("")).entries.length, 1);
      const gone = [await watch.take(), await watch.take()];
      equal(gone.map((event) => event && keyOf(event)).toSorted(byCodeUnit), ["a", "b"]);
      equal(
        gone[0]?.type === "delete" && gone[1]?.type === "delete" && gone[0].revision === gone[1].revision,
        true,
      );
      watch.close();
    },
  },
  {
    title: "a lease that is kept alive does not end, and no watch hears of it",
    check: async ({ store, pass }) => {
      const revision = await store.put("a", bytes(1), { lease });
      const watch = store.watch("", revision);
      for (let round = 0; round < 4; round++) {
        await pass(TTL_MS / 2);
        equal(await store.keepAlive(lease.name), TTL_MS);
      }
      equal((await store.get("a"))?.value, bytes(1));
      await store.put("b", bytes(1));
      const event = await watch.take();
      equal(event && keyOf(event), "b");
      watch.close();
    },
  },
  {
    title: "a key that is put under a lease keeps it alive, with the time that it began with",
    check: async ({ store, pass }) => {
      await store.put("a", bytes(1), { lease });
      await pass(TTL_MS / 2);
      await store.put("b", bytes(1), { lease: { ...lease, ttlMs: 10 * TTL_MS } });
      equal(await store.keepAlive(lease.name), TTL_MS);
      await pass(TTL_MS * 0.7);
      equal((await store.list("")).entries.length, 2);
      await pass(TTL_MS);
      equal((await store.list("")).entries.length, 0);
    },
  },
  {
    title: "a lease that was never begun or is over is refused with NOT_FOUND, and begins again with a key",
    check: async ({ store, pass }) => {
      await refuses("NOT_FOUND", () => store.keepAlive(lease.name));
      await store.put("a", bytes(1), { lease });
      await pass(2 * TTL_MS);
      await refuses("NOT_FOUND", () => store.keepAlive(lease.name));
      await store.put("a", bytes(1), { lease: { ...lease, ttlMs: 2 * TTL_MS } });
      equal(await store.keepAlive(lease.name), 2 * TTL_MS);
    },
  },
  {
    title: "a put that is refused begins no lease",
    check: async ({ store }) => {
      await refuses("ABORTED", () => store.put("a", bytes(1), { lease, expectedRevision: 7 }));
      await refuses("NOT_FOUND", () => store.keepAlive(lease.name));
    },
  },
  {
    title: "a key that is put again without its lease outlives it, and one under another lives by that",
    check: async ({ store, pass }) => {
      for (const key of ["a", "b"]) await store.put(key, bytes(1), { lease });
      await store.put("a", bytes(2));
      await store.put("b", bytes(2), { lease: { name: "another", ttlMs: 5 * TTL_MS } });
      await pass(2 * TTL_MS);
      equal(
        (await store.list("")).entries.map(({ key, value }) => [key, value]),
        [
          ["a", bytes(2)],
          ["b", bytes(2)],
        ],
      );
      await pass(5 * TTL_MS);
      equal((await store.list("")).entries.length, 1);
    },
  },
  {
    title: "what one writes, another finds, and is told in the order of revisions, each once",
    check: async ({ store, other }) => {
      const { revision } = await other.list("");
      const watch = other.watch("", revision);
      await store.put("a", bytes(1));
      await other.put("b", bytes(2));
      await store.put("a", bytes(3));
      await store.delete("b");
      await other.put("c", bytes(4));
      equal((await other.get("a"))?.value, bytes(3));
      const seen: [string, string][] = [];
      for (let event = await watch.take(); event; event = await watch.take()) {
        seen.push([event.type, keyOf(event)]);
        if (keyOf(event) === "c") break;
      }
      equal(seen, [
        ["put", "a"],
        ["put", "b"],
        ["put", "a"],
        ["delete", "b"],
        ["put", "c"],
      ]);
      watch.close();
    },
  },
  {
    title: "of two that expect the same revision one is refused, whichever way they come",
    check: async ({ store, other }) => {
      const outcomes = await Promise.allSettled(
        [store, other].map((each) => each.put("a", bytes(1), { expectedRevision: 0 })),
      );
      equal(outcomes.map(({ status }) => status).toSorted(byCodeUnit), ["fulfilled", "rejected"]);
      const { revision = 0 } = (await other.get("a")) ?? {};
      await store.put("a", bytes(2), { expectedRevision: revision });
      await refuses("ABORTED", () => other.delete("a", { expectedRevision: revision }));
    },
  },
  {
    title: "a lease is one for all: either keeps it alive, and when neither does its keys are gone for both",
    check: async ({ store, other, pass }) => {
      await store.put("a", bytes(1), { lease });
      await other.put("b", bytes(1), { lease });
      for (const each of [store, other, other, store]) {
        await pass(TTL_MS * 0.7);
        equal(await each.keepAlive(lease.name), TTL_MS);
      }
      const { entries, revision } = await other.list("");
      equal(entries.length, 2);
      const watch = other.watch("", revision);
      await pass(2 * TTL_MS);
      equal((await store.list("")).entries.length, 0);
      const gone = [await watch.take(), await watch.take()];
      equal(
        gone.map((event) => event?.type),
        ["delete", "delete"],
      );
      watch.close();
    },
  },
  {
    title: "a watch from a revision delivers every later change of its prefix, in order, each once",
    check: async ({ store }) => {
      const revision = await store.put("x/a", bytes(1));
      await store.put("x/b", bytes(2));
      await store.put("y/a", bytes(3));
      const watch = store.watch("x/", revision);
      await store.delete("x/a");
      await store.put("x/b", bytes(4));
      const events = [await watch.take(), await watch.take(), await watch.take()];
      equal(
        events.map((event) => event && [event.type, keyOf(event)]),
        [
          ["put", "x/b"],
          ["delete", "x/a"],
          ["put", "x/b"],
        ],
      );
      watch.close();
    },
  },
  {
    title: "a watch waits for the next change, and ends with undefined when it is closed",
    check: async ({ store }) => {
      const watch = store.watch("", (await store.list("")).revision);
      const next = watch.take();
      await store.put("a", bytes(1));
      equal((await next)?.type, "put");
      const last = watch.take();
      watch.close();
      equal(await last, undefined);
      equal(await watch.take(), undefined);
    },
  },
  {
    title: "a watch from a revision that the store has forgotten is refused with FAILED_PRECONDITION",
    check: async ({ store, compact }) => {
      const revision = await store.put("a", bytes(1));
      await store.put("a", bytes(2));
      await compact();
      const watch = store.watch("", revision);
      await refuses("FAILED_PRECONDITION", () => watch.take());
      watch.close();
      const fresh = store.watch("", (await store.list("")).revision);
      await store.put("a", bytes(3));
      equal((await fresh.take())?.type, "put");
      fresh.close();
    },
  },
];

function keyOf(event: StoreEvent): string {
  return event.type === "put" ? event.entry.key : event.key;
}

function byCodeUnit(a: string | undefined = "", b: string | undefined = ""): number {
  return a < b ? -1 : 1;
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

/** By value: numbers, strings, booleans, arrays, bytes and plain objects. */
function equal(actual: unknown, expected: unknown): void {
  const [found, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (found !== wanted) throw new Error(`found ${found}, not ${wanted}`);
}

async function refuses(code: ErrorCode, call: () => Promise<unknown>): Promise<void> {
  const outcome = await call().then(
    () => "success",
    (error: unknown) => (error instanceof NetloomError ? error.code : String(error)),
  );
  equal(outcome, code);
}
