import assert from "node:assert/strict";
import { test } from "node:test";
import type { Way, WayQuery } from "../../kernel/kernel.ts";
import { TunnelWays, type TunnelWaysOptions } from "./tunnel-ways.ts";

const PAIR = { from: "10.1.0.1", to: "10.2.0.2", udpPort: 4789 };
const holder = (connectionId: string) => ({ connectionId, towards: "endpoint" }) as const;

function setUp(options: Pick<TunnelWaysOptions, "mostBytes"> = {}) {
  const asked: WayQuery[][] = [];
  const misfits: string[] = [];
  const kernel = {
    mtuBytes: 1500 as number | undefined,
    ways: (queries: readonly WayQuery[]): Promise<Way[]> => {
      asked.push([...queries]);
      return Promise.resolve(queries.map(() => wayOf(kernel.mtuBytes)));
    },
  };
  const ways = new TunnelWays({ kernel, ...options, onMisfit: (ids) => misfits.push(...ids) });
  const look = async (mtuBytes: number | undefined): Promise<string[]> => {
    kernel.mtuBytes = mtuBytes;
    misfits.length = 0;
    await ways.look();
    return [...misfits];
  };
  return { kernel, ways, asked, look, misfits };
}

function wayOf(mtuBytes: number | undefined): Way {
  if (mtuBytes === undefined) return { unreachable: "ENETUNREACH" };
  return { mtuBytes, hops: [{ link: "eth0", mtuBytes, boundBy: "device" }] };
}

test("a width is that of the way, and at most the operator's limit", async () => {
  const { kernel, ways } = setUp({ mostBytes: 1400 });
  assert.equal(await ways.widthOf(PAIR), 1400);
  kernel.mtuBytes = 1300;
  assert.equal(await ways.widthOf(PAIR), 1300);
});

test("a way that is gone keeps its last width; the width of one that never existed is unknown", async () => {
  const { kernel, ways, look } = setUp();
  kernel.mtuBytes = undefined;
  assert.equal(await ways.widthOf(PAIR), undefined);
  kernel.mtuBytes = 1450;
  assert.equal(await ways.widthOf(PAIR), 1450);
  ways.use(holder("c1"), { pair: PAIR, ownBytes: 1450, usedBytes: 1450 });
  assert.deepEqual(await look(undefined), []);
  assert.equal(await ways.widthOf(PAIR), 1450);
  assert.deepEqual(ways.told(holder("c1")), {
    to: "10.2.0.2",
    widthBytes: 1450,
    words: "by the device eth0; there is no way now: ENETUNREACH",
  });
});

test("a look asks the kernel once for each pair of addresses, however many wires use it", async () => {
  const { ways, asked, look } = setUp();
  for (let i = 0; i < 100; i++)
    ways.use(holder(`c${i}`), { pair: { ...PAIR, to: `10.2.0.${i % 2}` }, ownBytes: 1500, usedBytes: 1500 });
  assert.deepEqual(await look(1500), []);
  assert.deepEqual(
    asked.map((queries) => queries.length),
    [2],
  );
  assert.equal((await look(1400)).length, 100);
});

test("a use misfits a narrower way, and a wider one if this host was the limit, until it is agreed on again", async () => {
  const { ways, look } = setUp();
  ways.use(holder("here"), { pair: PAIR, ownBytes: 1400, usedBytes: 1400 });
  ways.use(holder("there"), { pair: PAIR, ownBytes: 1400, usedBytes: 1300 });
  assert.deepEqual(await look(1400), []);
  assert.deepEqual(await look(1350), ["here"]);
  assert.deepEqual(await look(1350), ["here"], "nobody has agreed on another one");
  assert.deepEqual(await look(1250), ["here", "there"]);
  assert.deepEqual(await look(1500), ["here"]);
  ways.use(holder("here"), { pair: PAIR, ownBytes: 1500, usedBytes: 1500 });
  assert.deepEqual(await look(1500), []);
  ways.drop(holder("here"));
  assert.deepEqual(await look(1000), ["there"]);
});

test("a way that changes and changes back while the hosts agree is reported as soon as they have agreed", async () => {
  const { kernel, ways, look, misfits } = setUp();
  ways.use(holder("c1"), { pair: PAIR, ownBytes: 1500, usedBytes: 1500 });
  assert.deepEqual(await look(1400), ["c1"]);
  const ownBytes = await ways.widthOf(PAIR);
  assert.deepEqual(await look(1500), [], "what is used is what there is");
  ways.use(holder("c1"), { pair: PAIR, ownBytes, usedBytes: 1400 });
  assert.deepEqual(misfits, ["c1"]);
  assert.equal(kernel.mtuBytes, 1500);
});

test("a way that a look forgot while the hosts agreed is asked for again", async () => {
  const { ways, look, misfits } = setUp();
  const ownBytes = await ways.widthOf(PAIR);
  assert.deepEqual(await look(1400), [], "nobody uses it yet");
  ways.use(holder("c1"), { pair: PAIR, ownBytes, usedBytes: 1500 });
  assert.deepEqual(misfits, ["c1"]);
});
