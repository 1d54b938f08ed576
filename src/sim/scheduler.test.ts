import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { drain } from "../../fixtures/sim/simulate.ts";
import { SimClock } from "./clock.ts";
import { formatHistoryEntry } from "./history.ts";
import { Life } from "./life.ts";
import { SimRandom } from "./random.ts";
import { Scheduler, SimulationStuck } from "./scheduler.ts";

function setting(seed: string) {
  const scheduler = new Scheduler({ seed, drain, limitMs: 10_000 });
  return { scheduler, clock: new SimClock(new Life(scheduler, "alpha", 0)) };
}

async function order(seed: string): Promise<string> {
  const { scheduler, clock } = setting(seed);
  const log: string[] = [];
  const sleeper = async (name: string): Promise<void> => {
    await clock.sleep(5);
    log.push(name);
  };
  await scheduler.run(Promise.all(["a", "b", "c", "d"].map(sleeper)));
  return log.join("");
}

suite("one event a turn (R4)", () => {
  test("all microtasks of one settled promise run before the next promise settles", async () => {
    for (const seed of ["1", "2", "3", "4", "5"]) {
      const { scheduler, clock } = setting(seed);
      const log: string[] = [];
      const chain = async (name: string): Promise<void> => {
        await clock.sleep(5);
        for (let step = 0; step < 100; step++) {
          log.push(name);
          await Promise.resolve();
        }
      };
      await scheduler.run(Promise.all([chain("a"), chain("b")]));
      assert.match(log.join(""), /^(a{100}b{100}|b{100}a{100})$/);
    }
  });

  test("the order of simultaneous events depends on the seed alone", async () => {
    const orders = await Promise.all(Array.from({ length: 40 }, (_, seed) => order(String(seed))));
    const again = await Promise.all(Array.from({ length: 40 }, (_, seed) => order(String(seed))));
    assert.deepEqual(orders, again);
    assert.ok(new Set(orders).size > 12, "most of the 24 orders were tried");
  });

  test("virtual time passes in order and without real time", async () => {
    const { scheduler, clock } = setting("1");
    const log: number[] = [];
    const sleeps = [300, 100, 200].map((ms) => clock.sleep(ms).then(() => log.push(clock.monotonicMs())));
    await scheduler.run(Promise.all(sleeps));
    assert.deepEqual(log, [100, 200, 300]);
  });
});

suite("the end of a run", () => {
  test("when no event is left, the error names who waits for what", async () => {
    const { scheduler, clock } = setting("1");
    const stuck = scheduler.run(clock.sleep(5).then(() => new Promise(() => undefined)));
    scheduler.onStuck(() => ["alpha: task serve"]);
    await assert.rejects(stuck, (error) => {
      assert.ok(error instanceof SimulationStuck);
      assert.deepEqual(error.waiting, ["alpha: task serve"]);
      assert.match(
        error.message,
        /seed 1 to 5.000 ms: nothing is left to happen; waiting: alpha: task serve/,
      );
      return true;
    });
  });

  test("an endless loop is stopped at the limit", async () => {
    const { scheduler, clock } = setting("1");
    const loop = async (): Promise<void> => {
      for (;;) await clock.sleep(100);
    };
    await assert.rejects(scheduler.run(loop()), /no end after 10000 ms; waiting: alpha: clock.sleep 100 ms/);
  });

  test("a bug fails the run", async () => {
    const { scheduler } = setting("1");
    scheduler.after(5, { host: "alpha", kind: "bug", detail: "" }, () =>
      scheduler.fail(new TypeError("oops")),
    );
    await assert.rejects(scheduler.runUntilQuiet(), TypeError);
  });
});

suite("the history (R7)", () => {
  test("the hash covers time, host and outcome of every event, kept or not", async () => {
    const hashes = await Promise.all(
      ["a", "b", "a"].map(async (outcome) => {
        const scheduler = new Scheduler({ seed: "1", drain, keepHistory: 0 });
        scheduler.after(1, { host: "alpha", kind: "disk.read", detail: "x" }, () => outcome);
        await scheduler.runUntilQuiet();
        assert.deepEqual([scheduler.history.entries(), scheduler.history.count], [[], 1]);
        return scheduler.history.hash;
      }),
    );
    assert.equal(hashes[0], hashes[2]);
    assert.notEqual(hashes[0], hashes[1]);
  });

  test("an entry is one readable line, and only the last entries are kept", async () => {
    const scheduler = new Scheduler({ seed: "1", drain, keepHistory: 3 });
    for (let n = 0; n < 10; n++) {
      scheduler.after(n, { host: "alpha", kind: "disk.sync", detail: `file-${n}` }, () => "INTERNAL");
    }
    await scheduler.runUntilQuiet();
    const lines = scheduler.history.entries().map(formatHistoryEntry);
    assert.equal(lines.length, 3);
    assert.equal(lines[2], "     9.000 ms  alpha        disk.sync file-9: INTERNAL");
  });
});

suite("randomness without a stream (R5)", () => {
  const random = new SimRandom("7", "alpha");

  test("a draw depends on seed, host, purpose and n, and on no other draw", () => {
    const first = random.fraction("delay", 3);
    for (let n = 0; n < 100; n++) random.fraction("other", n);
    assert.equal(random.fraction("delay", 3), first);
    const others = [
      new SimRandom("8", "alpha").fraction("delay", 3),
      new SimRandom("7", "beta").fraction("delay", 3),
      random.fraction("loss", 3),
      random.fraction("delay", 4),
    ];
    assert.equal(new Set([first, ...others]).size, 5);
  });

  test("fractions are spread evenly over [0, 1)", () => {
    const buckets = Array.from({ length: 10 }, () => 0);
    for (let n = 0; n < 10_000; n++) {
      const bucket = Math.floor(random.fraction("spread", n) * 10);
      buckets[bucket] = (buckets[bucket] ?? Number.NaN) + 1;
    }
    assert.ok(
      buckets.every((count) => count > 850 && count < 1150),
      String(buckets),
    );
  });

  test("bytes have the requested length, and differ by n", () => {
    for (const length of [0, 1, 8, 13, 64]) assert.equal(random.bytes("key", 0, length).length, length);
    assert.notDeepEqual(random.bytes("key", 0, 16), random.bytes("key", 1, 16));
    assert.deepEqual(random.bytes("key", 0, 16), random.bytes("key", 0, 16));
  });
});
