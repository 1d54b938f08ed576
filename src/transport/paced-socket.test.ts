/** A paced socket over a real one; the test gives the peer its turns. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { temporaryFolder } from "../../fixtures/transport/grpc.ts";
import { PacedSocket } from "./paced-socket.ts";
import type { PeerConnection } from "./peer-book.ts";

const TOTAL = 300_000;

/** `turn` runs the first waiting work; with `isGiven` all work runs at once. */
async function scene(t: TestContext, streamsPerPiece: number, isGiven: boolean) {
  const path = join(await temporaryFolder(t), "a.sock");
  const arrived = Promise.withResolvers<Socket>();
  const server = createServer((socket) => arrived.resolve(socket)).listen(path);
  await once(server, "listening");
  const far = connect(path);
  const turn = Promise.withResolvers<() => void>();
  const account = {
    opened: 0,
    time: { run: (work: () => void) => (isGiven ? work() : turn.resolve(work)) },
  };
  const connection = { account } as unknown as PeerConnection;
  const paced = new PacedSocket(await arrived.promise, connection);
  const sizes: number[] = [];
  const ended = once(paced, "end");
  paced.on("data", (piece: Buffer) => {
    sizes.push(piece.length);
    account.opened += streamsPerPiece;
  });
  t.after(() => {
    far.destroy();
    paced.destroy();
    server.close();
  });
  return { far, paced, turn: turn.promise, sizes, ended };
}

test("pieces grow while they open few streams, and all bytes and the end arrive", async (t) => {
  const { far, sizes, ended } = await scene(t, 0, true);
  far.end(Buffer.alloc(TOTAL));
  await ended;
  assert.equal(
    sizes.reduce((sum, size) => sum + size),
    TOTAL,
  );
  assert.ok(Math.max(...sizes) > 30_000, sizes.join());
});

test("pieces shrink while each opens many streams", async (t) => {
  const { far, sizes, ended } = await scene(t, 100, true);
  far.end(Buffer.alloc(TOTAL));
  await ended;
  assert.equal(
    sizes.reduce((sum, size) => sum + size),
    TOTAL,
  );
  assert.deepEqual(sizes.slice(0, 4), [4096, 2048, 1024, 512]);
  assert.equal(Math.max(...sizes.slice(3)), 512);
});

test("nothing is read before the peer's turn, and writes go out", async (t) => {
  const { far, paced, turn, sizes } = await scene(t, 0, false);
  const heard = once(far, "data");
  far.write(Buffer.alloc(10_000));
  paced.cork();
  paced.write("to");
  paced.write("gether");
  paced.uncork();
  assert.equal(String((await heard)[0]), "together");
  const read = await turn;
  assert.deepEqual(sizes, []);
  read();
  assert.deepEqual(sizes, [4096]);
});
