import { watchOf } from "../../async/watch.ts";
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { NetloomError } from "../../errors/errors.ts";
import { KernelError } from "../../kernel/kernel.ts";
import type { HostWorld } from "../../world/world.ts";
import type { Handler, IncomingMessage, Message } from "../../world/hops.ts";
import { drawFaults } from "../faults.ts";
import { recordWorld } from "./record.ts";
import { decodeValue, encodeValue, Recording } from "./recording.ts";
import { replayRecording } from "./replay.ts";
import { ToyAgent } from "../../../fixtures/sim/toy-agent.ts";
import { drawSpecs } from "../../../fixtures/sim/toy.ts";
import { drain, simulate } from "../../../fixtures/sim/simulate.ts";

const HOSTS = ["alpha", "beta", "gamma"];

/** Runs the toy fleet under faults and records every life of every host. */
async function recordToy(seed: string): Promise<Recording[]> {
  const recordings: Recording[] = [];
  const simulation = simulate({
    seed,
    hosts: HOSTS,
    faults: drawFaults({ seed, hosts: HOSTS, durationMs: 4000, count: 24 }),
  });
  for (const host of HOSTS) {
    simulation.start(host, (world) => {
      const recording = new Recording(host, 10_000_000);
      recordings.push(recording);
      return toy(seed)(recordWorld(world, recording));
    });
  }
  await simulation.runUntilQuiet();
  return recordings;
}

const toy = (seed: string) => (world: HostWorld) => new ToyAgent(world).run(drawSpecs(seed, 9));

/** Answers a call with its request, and a stream with one byte after the other. The byte 99 takes long. */
function echo({ clock }: HostWorld): Handler {
  const refuse = ({ bytes }: IncomingMessage): void => {
    if (bytes.length === 0) throw new NetloomError("INVALID_ARGUMENT", "nothing");
  };
  return {
    methods: [
      { path: "call", kind: "call" },
      { path: "watch", kind: "watch" },
    ],
    call: async (incoming) => {
      refuse(incoming);
      if (incoming.bytes[0] === 99) await clock.sleep(1000, incoming.scope);
      return { bytes: incoming.bytes, metadata: incoming.metadata };
    },
    watch: (incoming) => {
      refuse(incoming);
      const left = [...incoming.bytes];
      return watchOf({
        take: async () => {
          await clock.sleep(1, incoming.scope);
          const byte = left.shift();
          if (byte === 0) throw new NetloomError("NOT_FOUND", "zero");
          return byte === undefined ? undefined : Uint8Array.of(byte);
        },
        close: () => void left.splice(0),
      });
    },
  };
}

/** Uses every kind of call that the toy fleet does not use, including their errors. */
async function everything(world: HostWorld): Promise<void> {
  const { clock, random, keys, hops, disk, store, kernel, scope } = world;
  await disk.append("log", Uint8Array.of(clock.wallMs() % 256, Math.floor(random.fraction("x", 1) * 256)));
  const data = keys.digest((await disk.read("log")) ?? new Uint8Array());
  assert.equal(keys.verify(data, keys.sign(data), keys.publicKey()), true);
  const lease = { name: "lease", ttlMs: 1000 };
  const watch = store.watch("a", 0);
  await store.put(`a/${keys.uuid()}`, random.bytes("y", 2, 5), { lease });
  assert.equal((await watch.take())?.type, "put");
  watch.close();
  assert.equal(await store.keepAlive("lease"), 1000);
  await assert.rejects(store.put("a", data, { expectedRevision: 99 }), { code: "ABORTED" });
  const stop = await hops.serve("unix:///self", echo(world));
  const self = hops.dial("unix:///self");
  const message = (...bytes: number[]): Message => ({ bytes: Uint8Array.from(bytes), metadata: { a: "b" } });
  const answer = await self.call("call", message(7), { timeoutMs: 100 });
  assert.deepEqual([...answer.bytes, answer.metadata], [7, { a: "b" }]);
  await assert.rejects(self.call("call", message(), { timeoutMs: 100 }), { code: "INVALID_ARGUMENT" });
  await assert.rejects(self.call("call", message(99), { timeoutMs: 100 }), { code: "DEADLINE_EXCEEDED" });
  const answers = self.watch("watch", message(1, 2, 3));
  assert.deepEqual([...((await answers.take()) ?? []), ...((await answers.take()) ?? [])], [1, 2]);
  answers.close();
  const all = self.watch("watch", message(4));
  assert.equal((await all.take())?.[0], 4);
  assert.equal(await all.take(), undefined);
  await assert.rejects(self.watch("watch", message(0)).take(), { code: "NOT_FOUND" });
  await assert.rejects(self.watch("watch", message()).take(), { code: "INVALID_ARGUMENT" });
  await stop();
  const up = { kind: "up", netns: "host", link: "nothing" } as const;
  await assert.rejects(
    kernel.apply([{ verb: "add", object: up }]),
    (error) => error instanceof KernelError && error.operation === 0,
  );
  const child = scope.child("child", { timeoutMs: 3 });
  await assert.rejects(clock.sleep(50, child), { code: "CANCELLED" });
  await child.end();
}

async function recordEverything(): Promise<Recording> {
  const recording = new Recording("alpha", 1_000_000);
  const simulation = simulate({
    seed: "1",
    hosts: ["alpha"],
  });
  simulation.start("alpha", (world) => everything(recordWorld(world, recording)));
  await simulation.runUntilQuiet();
  return recording;
}

suite("the flight recorder (R12)", () => {
  test("every life of a simulated fleet replays byte for byte, without network, disk or kernel", async () => {
    for (const seed of ["3", "7"]) {
      const recordings = await recordToy(seed);
      assert.ok(recordings.length > HOSTS.length, "there were crashes");
      for (const recording of recordings) {
        const reread = Recording.parse(recording.text());
        assert.equal(await replayRecording(reread, toy(seed), drain), recording.lines.length);
      }
    }
  });

  test("recording changes nothing: two recordings of one seed are the same bytes", async () => {
    const [first, second] = [await recordToy("5"), await recordToy("5")];
    assert.deepEqual(
      first.map((recording) => recording.text()),
      second.map((recording) => recording.text()),
    );
  });

  test("calls of all kinds and their errors are replayed", async () => {
    const recording = await recordEverything();
    assert.equal(await replayRecording(recording, everything, drain), recording.lines.length);
  });

  test("a replay reports the first entry where the program differs", async () => {
    const recording = await recordEverything();
    const other = async (world: HostWorld): Promise<void> => {
      world.clock.wallMs();
      await world.disk.read("something else");
    };
    await assert.rejects(replayRecording(recording, other, drain), {
      code: "FAILED_PRECONDITION",
      message: /replay alpha: entry 1: the program did .*disk.read|random.fraction/,
    });
    const shorter = async (): Promise<void> => undefined;
    await assert.rejects(replayRecording(recording, shorter, drain), /entry 0: the program waits/);
  });

  test("the ring keeps the newest entries within its size, and cannot be replayed after it has dropped some", async () => {
    const recording = new Recording("alpha", 300);
    for (let call = 0; call < 100; call++) recording.add({ kind: "settle", call, outcome: { value: call } });
    assert.ok(recording.lines.join("").length <= 300);
    assert.match(recording.lines.at(-1) ?? "", /"call":99/);
    assert.equal(recording.dropped + recording.lines.length, 100);
    await assert.rejects(
      replayRecording(Recording.parse(recording.text()), everything, drain),
      /entries were dropped/,
    );
    assert.throws(() => Recording.parse("something else\n"), { code: "INVALID_ARGUMENT" });
  });

  test("values keep bytes, undefined, and errors with their class and fields", () => {
    const error = new KernelError("ALREADY_EXISTS", "add route: EEXIST: exists", {
      errno: "EEXIST",
      operation: 2,
      hint: "remove it",
    });
    const value = { a: Uint8Array.of(0, 255), b: undefined, c: [1, null, "x"], d: { e: true }, error };
    const decoded = decodeValue(encodeValue(value)) as typeof value;
    assert.deepEqual({ ...decoded, error: undefined }, { ...value, error: undefined });
    assert.ok(decoded.error instanceof KernelError);
    const { code, message, errno, operation, hint } = decoded.error;
    assert.deepEqual(
      [code, message, errno, operation, hint],
      ["ALREADY_EXISTS", "add route: EEXIST: exists", "EEXIST", 2, "remove it"],
    );
    assert.equal(encodeValue(Buffer.from([1])), encodeValue(Uint8Array.of(1)));
  });
});
