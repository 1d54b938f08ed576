import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { NetloomError } from "../errors/errors.ts";
import type { HostWorld } from "../world/world.ts";
import type { Handler, IncomingMessage, Message } from "../world/hops.ts";
import { onAlpha, twoHosts } from "../../fixtures/sim/simulate.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (content: Uint8Array | undefined): string | undefined =>
  content && new TextDecoder().decode(content);
const message = (content: string): Message => ({ bytes: bytes(content), metadata: {} });
const handler = (call: (incoming: IncomingMessage) => Promise<Message>): Handler => ({
  methods: [{ path: "m", kind: "call" }],
  call,
  watch: () => assert.fail("there are no streams here"),
});
const tunnel = (vni: number) => {
  const end = {
    netns: "host",
    name: `vx${vni}`,
    mac: "02:00:00:00:00:01",
    mtuBytes: 1450,
    alias: "",
  } as const;
  return { kind: "vxlan", ...end, vni, local: "10.0.0.1", remote: "10.0.0.2", port: 4789 } as const;
};

suite("a crash (R6)", () => {
  test("pending calls never settle, memory is lost, and the program restarts with the same disk", async () => {
    const log: string[] = [];
    const simulation = twoHosts([{ kind: "crash", host: "alpha", atMs: 50, downMs: 100 }]);
    simulation.start("alpha", async ({ clock, disk, scope }) => {
      log.push(`start at ${clock.monotonicMs()} with ${text(await disk.read("journal"))}`);
      await disk.replace("journal", bytes("synced"));
      await disk.sync("journal");
      scope.spawn("sleeper", async () => {
        try {
          await clock.sleep(60);
          log.push("slept");
        } finally {
          log.push("finally");
        }
      });
    });
    await simulation.runUntilQuiet();
    assert.deepEqual(log, ["start at 0 with undefined", "start at 150 with synced", "slept", "finally"]);
  });

  test("the use of a World after its life is noticed", async () => {
    const simulation = twoHosts();
    const world = await onAlpha(simulation, async (world) => world);
    simulation.crash("alpha");
    assert.throws(() => world.clock.monotonicMs(), /alpha, which has crashed/);
    assert.throws(() => world.disk.read("x"), /alpha, which has crashed/);
  });

  test("unsynced writes may vanish, a torn append keeps its first bytes, and a replace is all or nothing", async () => {
    const appended = new Set<string | undefined>();
    const replaced = new Set<string | undefined>();
    for (let seed = 0; seed < 40; seed++) {
      const simulation = twoHosts([], String(seed));
      await onAlpha(simulation, async ({ disk }) => {
        await disk.append("log", bytes("one "));
        await disk.replace("state", bytes("old"));
        await disk.sync("log");
        await disk.sync("state");
        await disk.append("log", bytes("two "));
        await disk.append("log", bytes("six "));
        await disk.replace("state", bytes("new"));
        assert.equal(text(await disk.read("log")), "one two six ", "reads see what was written");
      });
      simulation.crash("alpha");
      const after = await onAlpha(simulation, async ({ disk }) => [
        text(await disk.read("log")),
        text(await disk.read("state")),
      ]);
      appended.add(after[0]);
      replaced.add(after[1]);
    }
    for (const content of appended) assert.ok("one two six ".startsWith(content ?? "?"), content);
    assert.ok(appended.has("one ") && appended.has("one two six "), "from nothing to everything");
    assert.ok(
      [...appended].some((content) => (content?.length ?? 0) % 4 !== 0),
      "some records were torn",
    );
    assert.deepEqual(replaced, new Set(["new", "old"]));
  });

  test("the kernel keeps its objects, and finishes a batch whose caller has died", async () => {
    const simulation = twoHosts();
    simulation.start("alpha", async ({ kernel }) => {
      await kernel.apply([
        { verb: "add", object: tunnel(1) },
        { verb: "add", object: tunnel(2) },
      ]);
      assert.fail("the answer came to a dead caller");
    });
    simulation.crash("alpha");
    await simulation.runUntilQuiet();
    const observed = await onAlpha(simulation, ({ kernel }) => kernel.observe([{ netns: "host" }]));
    assert.deepEqual(observed, [tunnel(1), tunnel(2)]);
  });
});

suite("time and keys (R8, R9)", () => {
  test("the wall clock jumps, and monotonic time and sleeps do not", async () => {
    const jumpMs = -3_600_000;
    const simulation = twoHosts([{ kind: "clock", host: "alpha", atMs: 5, jumpMs }]);
    await onAlpha(simulation, async ({ clock }) => {
      const before = clock.wallMs();
      await clock.sleep(10);
      assert.deepEqual([clock.monotonicMs(), clock.wallMs() - before], [10, 10 + jumpMs]);
    });
  });

  test("a sleep and a call end with CANCELLED when their scope ends", async () => {
    const simulation = twoHosts();
    simulation.start("beta", async ({ hops, clock }) => {
      await hops.serve(
        "beta/slow",
        handler(async (request) => {
          await clock.sleep(1000);
          return request;
        }),
      );
    });
    await onAlpha(simulation, async ({ clock, hops, scope }) => {
      const deadline = scope.child("deadline", { timeoutMs: 50 });
      const call = hops.dial("beta/slow").call("m", message(""), { timeoutMs: 5000, scope: deadline });
      await assert.rejects(call, { code: "CANCELLED" });
      await assert.rejects(clock.sleep(10, deadline), { code: "CANCELLED" });
      assert.equal(clock.monotonicMs(), 50);
    });
  });

  test("a signature verifies on every host, only with its signer's key and its data, and uuids are unique", async () => {
    const simulation = twoHosts();
    const uuids: string[] = [];
    const others = await simulation.run(
      new Promise<HostWorld["keys"]>((resolve) =>
        simulation.start("beta", async ({ keys }) => resolve(keys)),
      ),
    );
    for (let life = 0; life < 3; life++) {
      await onAlpha(simulation, async ({ keys }) => {
        const signature = keys.sign(bytes("data"));
        assert.equal(signature.length, 64);
        for (const verifier of [keys, others]) {
          const verify = (text: string, signed: Uint8Array, by: Uint8Array): boolean =>
            verifier.verify(bytes(text), signed, by);
          assert.equal(verify("data", signature, keys.publicKey()), true);
          assert.equal(verify("date", signature, keys.publicKey()), false);
          assert.equal(verify("data", signature.subarray(1), keys.publicKey()), false);
          assert.equal(verify("data", signature, new Uint8Array()), false);
        }
        assert.equal(keys.verify(bytes("data"), signature, others.publicKey()), false);
        assert.equal(keys.digest(bytes("data")).length, 32);
        uuids.push(keys.uuid(), keys.uuid());
      });
      simulation.crash("alpha");
    }
    assert.equal(new Set(uuids).size, 6);
    for (const uuid of uuids)
      assert.match(uuid, /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  });
});

suite("disk, kernel and store under faults (R10)", () => {
  test("a full disk and an i/o error have their codes, and are transient", async () => {
    const simulation = twoHosts([
      { kind: "disk", host: "alpha", n: 0, how: "full" },
      { kind: "disk", host: "alpha", n: 2, how: "io" },
    ]);
    await onAlpha(simulation, async ({ disk }) => {
      await assert.rejects(disk.append("log", bytes("hello")), { code: "RESOURCE_EXHAUSTED" });
      assert.ok("hello".startsWith(text(await disk.read("log")) ?? ""), "part of it may be there");
      await disk.replace("log", bytes("new"));
      await assert.rejects(disk.sync("log"), { code: "INTERNAL" });
      await disk.sync("log");
      assert.equal(text(await disk.read("log")), "new");
    });
  });

  test("disk calls take effect in order", async () => {
    await onAlpha(twoHosts(), async ({ disk }) => {
      const letters = "abcdefghij".split("");
      await Promise.all(letters.map((letter) => disk.append("log", bytes(letter))));
      assert.equal(text(await disk.read("log")), letters.join(""));
    });
  });

  test("a failed batch is undone, and a batch whose implementation crashed stays half done", async () => {
    const batch = [1, 2].map((vni) => ({ verb: "add", object: tunnel(vni) }) as const);
    const simulation = twoHosts([
      { kind: "kernel", host: "alpha", n: 0, failpoint: { operation: 1, when: "after", how: "error" } },
      { kind: "kernel", host: "alpha", n: 1, failpoint: { operation: 1, when: "before", how: "crash" } },
    ]);
    await onAlpha(simulation, async ({ kernel }) => {
      await assert.rejects(kernel.apply(batch), NetloomError);
      assert.deepEqual(await kernel.observe([{ netns: "host" }]), []);
      await assert.rejects(kernel.apply(batch), { code: "ABORTED" });
      assert.deepEqual(await kernel.observe([{ netns: "host" }]), [tunnel(1)]);
    });
  });

  test("after DEADLINE_EXCEEDED the store may have made the change, and a watch is cut off with UNAVAILABLE", async () => {
    const simulation = twoHosts([
      { kind: "message", from: "store", to: "alpha", n: 0, how: "lose", delayMs: 0 },
      { kind: "partition", hosts: ["alpha", "store"], atMs: 2000, forMs: 500 },
    ]);
    simulation.start("beta", async ({ clock, store }) => {
      await clock.sleep(2100);
      await store.put("b", bytes("2"));
    });
    await onAlpha(simulation, async ({ store }) => {
      await assert.rejects(store.put("a", bytes("1")), { code: "DEADLINE_EXCEEDED" });
      assert.equal(text((await store.get("a"))?.value), "1");
      const { revision } = await store.list("");
      const watch = store.watch("", revision);
      await assert.rejects(watch.take(), { code: "UNAVAILABLE" });
      assert.equal(await watch.take(), undefined);
    });
  });

  test("an assertion in a program fails the run", async () => {
    const simulation = twoHosts();
    simulation.start("alpha", async ({ clock, scope }) => {
      scope.spawn("buggy", async () => {
        await clock.sleep(1);
        throw new TypeError("oops");
      });
    });
    await assert.rejects(simulation.runUntilQuiet(), TypeError);
  });
});
