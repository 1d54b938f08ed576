import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { suite, test } from "node:test";
import { temporaryFolder } from "../../fixtures/transport/grpc.ts";
import { nodeDisk } from "./node-disk.ts";
import { nodeKeys, nodeRandom } from "./node-keys.ts";
import { nodeWorld } from "./node-world.ts";
import { labIdentity } from "../identity/lab-identity.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (content: Uint8Array | undefined): string | undefined =>
  content && new TextDecoder().decode(content);

suite("the disk of a real machine", () => {
  test("files are read in the order in which they were appended and replaced, and belong to this user only", async (t) => {
    const folder = join(await temporaryFolder(t), "state");
    const disk = nodeDisk(folder);
    assert.equal(await disk.read("journal"), undefined);
    const buffer = bytes("c");
    const appended = [bytes("a"), bytes("b"), buffer].map((data) => disk.append("log", data));
    buffer.fill(0);
    await Promise.all(appended);
    await disk.replace("state", bytes("old"));
    await disk.replace("state", bytes("new"));
    await disk.sync("log");
    await disk.sync("state");
    assert.deepEqual([text(await disk.read("log")), text(await disk.read("state"))], ["abc", "new"]);
    assert.deepEqual(await readdir(folder), ["log", "state"], "nothing temporary is left");
    const modes = await Promise.all(
      [folder, join(folder, "log")].map(async (path) => (await stat(path)).mode),
    );
    assert.deepEqual(
      modes.map((mode) => mode & 0o077),
      [0, 0],
    );
  });

  test("a volatile file outlives its writer without a sync, and is not delayed by a failing sync", async (t) => {
    const folder = await temporaryFolder(t);
    const disk = nodeDisk(folder, { volatile: ["lately"] });
    await assert.rejects(disk.sync("other"), { code: "INTERNAL", message: /ENOENT/ });
    await disk.sync("lately");
    await disk.append("lately", bytes("a"));
    await disk.sync("lately");
    assert.equal(text(await nodeDisk(folder).read("lately")), "a");
  });

  test("a name that leads out of the folder is a programmer's error; a file in place of the folder is INTERNAL", async (t) => {
    const folder = await temporaryFolder(t);
    await assert.rejects(nodeDisk(folder).read("../etc"), TypeError);
    await writeFile(join(folder, "file"), "");
    await assert.rejects(nodeDisk(join(folder, "file")).append("log", bytes("a")), {
      code: "INTERNAL",
      message: /append to .*: (EEXIST|ENOTDIR): /,
    });
    const disk = nodeDisk(folder);
    await mkdir(join(folder, "log"));
    await assert.rejects(disk.append("log", bytes("a")), { code: "INTERNAL" });
    await disk.append("other", bytes("a"));
  });
});

suite("keys, random numbers and time of a real machine", () => {
  test("signatures verify for their data only, and a uuid never repeats", () => {
    const keys = nodeKeys();
    const signature = keys.sign(bytes("data"));
    assert.deepEqual([signature.length, keys.digest(bytes("data")).length], [64, 32]);
    const [own, other] = [keys.publicKey(), nodeKeys()];
    for (const verifier of [keys, other]) {
      assert.equal(verifier.verify(bytes("data"), signature, own), true);
      assert.equal(verifier.verify(bytes("date"), signature, own), false);
      assert.equal(verifier.verify(bytes("data"), signature.subarray(1), own), false);
      assert.equal(verifier.verify(bytes("data"), signature, other.publicKey()), false);
    }
    const { publicKey: foreign } = generateKeyPairSync("ec", { namedCurve: "secp384r1" });
    for (const key of [new Uint8Array(), own.subarray(1), foreign.export({ type: "spki", format: "der" })])
      assert.equal(keys.verify(bytes("data"), signature, key), false);
    assert.match(keys.uuid(), /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    assert.notEqual(keys.uuid(), keys.uuid());
  });

  test("fractions are at least 0 and less than 1", () => {
    const random = nodeRandom();
    const drawn = Array.from({ length: 1000 }, (_, n) => random.fraction("test", n));
    assert.ok(drawn.every((fraction) => fraction >= 0 && fraction < 1));
    const mean = drawn.reduce((sum, fraction) => sum + fraction, 0) / drawn.length;
    assert.ok(mean > 0.4 && mean < 0.6, `mean ${mean}`);
    assert.equal(random.bytes("test", 0, 5).length, 5);
  });
});

test("closing a World ends everything that it has started", async (t) => {
  const folder = await temporaryFolder(t);
  const world = nodeWorld({
    host: "alpha",
    identity: labIdentity,
  });
  const url = `unix://${join(folder, "a.sock")}`;
  await world.hops.serve(url, {
    methods: [{ path: "/a.B/C", kind: "call" }],
    call: async ({ bytes: request }) => ({ bytes: request, metadata: {} }),
    watch: () => assert.fail("there are no streams here"),
  });
  const request = { bytes: bytes("hello"), metadata: {} };
  const answer = await world.hops.dial(url).call("/a.B/C", request, { timeoutMs: 1000 });
  assert.equal(text(answer.bytes), "hello");
  world.scope.spawn("sleeper", (scope) => world.clock.sleep(1_000_000, scope));
  const before = world.clock.monotonicMs();
  await world.clock.sleep(2);
  assert.ok(world.clock.monotonicMs() - before >= 2);
  await assert.rejects(world.clock.sleep(50, world.scope.child("short", { timeoutMs: 1 })), {
    code: "CANCELLED",
  });
  await world.close();
  assert.deepEqual(world.scope.running, []);
  assert.deepEqual(await readdir(folder), []);
});
