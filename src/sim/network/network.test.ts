import { watchOf } from "../../async/watch.ts";
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { NetloomError } from "../../errors/errors.ts";
import type { HostWorld } from "../../world/world.ts";
import type { Handler, IncomingMessage, Message } from "../../world/hops.ts";
import type { Fault } from "../faults.ts";
import { onAlpha, twoHosts } from "../../../fixtures/sim/simulate.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (content: Uint8Array | undefined): string | undefined =>
  content && new TextDecoder().decode(content);
const message = (content: string): Message => ({ bytes: bytes(content), metadata: {} });
const handler = (call: (incoming: IncomingMessage) => Promise<Message>): Handler => ({
  methods: [{ path: "m", kind: "call" }],
  call,
  watch: () => assert.fail("there are no streams here"),
});
const echo = handler(async ({ bytes }) => ({ bytes, metadata: {} }));

/** Asks for an echo of `hello`. */
const call = (world: HostWorld, address: string, timeoutMs = 500): Promise<string | undefined> =>
  world.hops
    .dial(address)
    .call("echo", message("hello"), { timeoutMs })
    .then((answer) => text(answer.bytes));

suite("hops (R10, R11)", () => {
  test("a call carries bytes there and back without sharing them", async () => {
    const simulation = twoHosts();
    const seen: Uint8Array[] = [];
    simulation.start("beta", async ({ hops }) => {
      await hops.serve(
        "beta/echo",
        handler(async (request) => {
          seen.push(request.bytes);
          return request;
        }),
      );
    });
    await onAlpha(simulation, async ({ hops }) => {
      const request = message("hello");
      const pending = hops.dial("beta/echo").call("echo", request, { timeoutMs: 500 });
      request.bytes.fill(0);
      const answer = await pending;
      assert.equal(text(answer.bytes), "hello");
      assert.notEqual(answer.bytes, seen[0]);
    });
  });

  test("an address has one listener, and without one calls fail with UNAVAILABLE, also after a crash", async () => {
    const simulation = twoHosts();
    simulation.start("beta", async ({ hops }) => {
      await hops.serve("beta/echo", echo);
      await assert.rejects(hops.serve("beta/echo", echo), { code: "ALREADY_EXISTS" });
    });
    await onAlpha(simulation, async (world) => {
      await assert.rejects(call(world, "nowhere"), { code: "UNAVAILABLE" });
      assert.equal(await call(world, "beta/echo"), "hello");
      simulation.crash("beta");
      await assert.rejects(call(world, "beta/echo"), { code: "UNAVAILABLE" });
      simulation.restart("beta");
      assert.equal(await call(world, "beta/echo"), "hello");
    });
  });

  test("an error keeps its code", async () => {
    const simulation = twoHosts();
    simulation.start("beta", async ({ hops }) => {
      await hops.serve(
        "beta/no",
        handler(async () => {
          throw new NetloomError("PERMISSION_DENIED", "not you", { hint: "ask" });
        }),
      );
    });
    await onAlpha(simulation, async (world) => {
      await assert.rejects(call(world, "beta/no"), {
        code: "PERMISSION_DENIED",
        message: "not you",
        hint: "ask",
      });
    });
  });
});

suite("hops under faults (R10)", () => {
  for (const [what, faults] of [
    ["the question is lost", [{ kind: "message", from: "alpha", to: "beta", n: 0, how: "lose", delayMs: 0 }]],
    ["the answer is lost", [{ kind: "message", from: "beta", to: "alpha", n: 0, how: "lose", delayMs: 0 }]],
    ["the hosts are parted", [{ kind: "partition", hosts: ["beta", "alpha"], atMs: 0, forMs: 100 }]],
  ] as const satisfies readonly (readonly [string, readonly Fault[]])[]) {
    test(`when ${what}, the call ends with DEADLINE_EXCEEDED at its deadline, and the next one succeeds`, async () => {
      const simulation = twoHosts(faults);
      simulation.start("beta", async ({ hops }) => void (await hops.serve("beta/echo", echo)));
      await onAlpha(simulation, async (world) => {
        await assert.rejects(call(world, "beta/echo"), { code: "DEADLINE_EXCEEDED" });
        assert.equal(world.clock.monotonicMs(), 500);
        assert.equal(await call(world, "beta/echo"), "hello");
      });
      assert.equal(simulation.faults.struck, 1);
    });
  }

  test("a duplicated message is handled twice and answered once, and a late answer is dropped", async () => {
    const simulation = twoHosts([
      { kind: "message", from: "alpha", to: "beta", n: 0, how: "duplicate", delayMs: 20 },
      { kind: "message", from: "beta", to: "alpha", n: 2, how: "delay", delayMs: 1000 },
    ]);
    let handled = 0;
    simulation.start("beta", async ({ hops }) => {
      await hops.serve(
        "beta/echo",
        handler(async (request) => {
          handled += 1;
          return request;
        }),
      );
    });
    await onAlpha(simulation, async (world) => {
      assert.equal(await call(world, "beta/echo"), "hello");
      await world.clock.sleep(50);
      assert.equal(handled, 2);
      await assert.rejects(call(world, "beta/echo", 100), { code: "DEADLINE_EXCEEDED" });
    });
    await simulation.runUntilQuiet();
    assert.ok(simulation.scheduler.history.entries().some(({ what }) => what.endsWith("too late")));
  });
});

suite("streams under faults (R10)", () => {
  /** Sends a byte every 10 ms, for a second. */
  const ticking = (world: HostWorld, ended: string[]): Handler => ({
    methods: [{ path: "ticks", kind: "watch" }],
    call: () => assert.fail("there are no calls here"),
    watch: ({ scope }) => {
      let n = 0;
      scope.onEnd(() => void ended.push(`scope at ${Math.floor(world.clock.monotonicMs())}`));
      return watchOf({
        take: async () => {
          await world.clock.sleep(10, scope);
          return n < 100 ? Uint8Array.of(n++) : undefined;
        },
        close: () => undefined,
      });
    },
  });
  /** Reads until the end or the error. */
  async function read(faults: readonly Fault[]) {
    const simulation = twoHosts(faults);
    const ended: string[] = [];
    simulation.start("beta", async (world) => {
      await world.hops.serve("tcp://beta:1", ticking(world, ended));
    });
    const seen: (number | string | undefined)[] = [];
    await onAlpha(simulation, async ({ hops }) => {
      const ticks = hops.dial("tcp://beta:1").watch("ticks", message(""));
      try {
        for await (const tick of ticks) {
          seen.push(tick[0]);
        }
        seen.push("end");
      } catch (error) {
        seen.push(error instanceof NetloomError ? error.code : String(error));
      }
    });
    await simulation.runUntilQuiet();
    assert.equal(ended.length, 1, "the handler's scope ends once");
    const last = seen.pop();
    assert.deepEqual(seen, [...seen.keys()], "in order and without a gap");
    return { count: seen.length, last };
  }

  test("late and duplicated messages change nothing", async () => {
    const faults = Array.from({ length: 30 }, (_, n): Fault => {
      const how = n % 2 === 0 ? "delay" : "duplicate";
      return { kind: "message", from: "beta", to: "alpha", n: 3 * n, how, delayMs: 7 * n };
    });
    assert.deepEqual(await read(faults), { count: 100, last: "end" });
  });

  test("a lost message breaks the stream for both sides", async () => {
    const lose = { kind: "message", from: "beta", to: "alpha", n: 40, how: "lose", delayMs: 0 } as const;
    assert.deepEqual(await read([lose]), { count: 40, last: "UNAVAILABLE" });
  });

  test("each of two partitioned hosts notices the partition by itself", async () => {
    const part = { kind: "partition", hosts: ["alpha", "beta"], atMs: 300, forMs: 50 } as const;
    const { count, last } = await read([part]);
    assert.ok(count > 10 && count < 40, `${count} came`);
    assert.equal(last, "UNAVAILABLE");
  });

  test("the death of a reader ends the handler's scope", async () => {
    const simulation = twoHosts([{ kind: "crash", host: "alpha", atMs: 300, downMs: 10 }]);
    const ended: string[] = [];
    simulation.start("beta", async (world) => {
      await world.hops.serve("tcp://beta:1", ticking(world, ended));
    });
    let lives = 0;
    simulation.start("alpha", async ({ hops }) => {
      if (lives++ > 0) return;
      const ticks = hops.dial("tcp://beta:1").watch("ticks", message(""));
      while (await ticks.take());
    });
    await simulation.runUntilQuiet();
    assert.match(ended.join(), /^scope at 30[0-9]$/);
  });
});
