import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { suite, test, type TestContext } from "node:test";
import { bytes, be16, ethernet, FrameSocket } from "../../../fixtures/linux/frame.ts";
import { add, mac, veth } from "../../../fixtures/linux/machine.ts";
import { needsRoot, netnsFixture } from "../../../fixtures/linux/netns.ts";
import { until } from "../../../fixtures/async/until.ts";
import type { Capture, CapturedFrame, CaptureOptions } from "../../kernel/capturer.ts";
import { linuxCapturer } from "./capturer.ts";

/** An unused ethertype: no stack sends or answers it. */
const ETHERTYPE = 0x88b5;
const ENDS = { to: mac(3), from: mac(2) };

interface Pair {
  /** In the namespace of the near end. */
  readonly ip: (...words: readonly string[]) => void;
  /** Send from either end. */
  readonly near: FrameSocket;
  readonly far: FrameSocket;
  readonly open: (options?: Partial<CaptureOptions>) => Promise<Capture>;
}

async function pair(t: TestContext): Promise<Pair> {
  const net = await netnsFixture(t);
  const [a, b] = [await net.netns(), await net.netns()];
  const kernel = await net.kernel();
  const ends = [
    { netns: a, link: "nl-1a" },
    { netns: b, link: "nl-1b" },
  ] as const;
  await kernel.apply(add(veth(a, b), ...ends.map((on) => ({ kind: "up", ...on }) as const)));
  const near = await FrameSocket.open(net.machine, ends[0], ETHERTYPE);
  const far = await FrameSocket.open(net.machine, ends[1], ETHERTYPE);
  const captures: Capture[] = [];
  t.after(() => {
    for (const each of [near, far, ...captures]) each.close();
  });
  const capturer = linuxCapturer(net.machine);
  return {
    ip: (...words) => void execFileSync("ip", ["-n", net.nameOf(a), ...words]),
    near,
    far,
    open: async (options) => {
      const all = { snapBytes: 65_536, bufferBytes: 2 ** 20, onReady: () => undefined, ...options };
      const capture = await capturer.open(ends[0], all);
      captures.push(capture);
      return capture;
    },
  };
}

/** Reads the next frames of the test, and skips those of the kernel (IPv6 neighbour discovery). */
async function ours(capture: Capture, count: number): Promise<CapturedFrame[]> {
  const found: CapturedFrame[] = [];
  await until(async () => {
    const { frames } = await capture.read();
    found.push(...frames.filter(({ data }) => data.at(-1) === 0xee && data.length < 2_000));
    return found.length >= count;
  });
  return found;
}

suite("a capture on a device of this kernel", { skip: needsRoot }, () => {
  test("gets outgoing and incoming frames in order, with kernel timestamps", async (t) => {
    const { near, far, open } = await pair(t);
    const capture = await open();
    near.send(ethernet(ENDS, ETHERTYPE, Uint8Array.of(1, 0xee)));
    far.send(ethernet(ENDS, ETHERTYPE, Uint8Array.of(2, 0xee)));
    const frames = await ours(capture, 2);
    assert.deepEqual(
      frames.map(({ isOutgoing, lengthBytes, data }) => [isOutgoing, lengthBytes, data[14]]),
      [
        [true, 16, 1],
        [false, 16, 2],
      ],
    );
    const [first, second] = frames.map(({ timeNs }) => timeNs);
    // Nanoseconds since the epoch, so later than 2023.
    assert.ok(
      first && second && first > 1_700_000_000n * 1_000_000_000n && first <= second,
      `${first} ${second}`,
    );
  });

  test("restores the VLAN tag that the kernel removes, and counts its bytes", async (t) => {
    const { far, near, open } = await pair(t);
    const capture = await open();
    const once = ethernet(ENDS, 0x8100, bytes(be16(42), be16(ETHERTYPE), [1, 0xee]));
    const twice = ethernet(ENDS, 0x88a8, bytes(be16(7), be16(0x8100), be16(42), be16(ETHERTYPE), [1, 0xee]));
    for (const frame of [once, twice]) far.send(frame);
    near.send(once);
    const frames = await ours(capture, 3);
    assert.deepEqual(
      frames.map(({ data, lengthBytes }) => [Buffer.from(data).toString("hex"), lengthBytes]),
      [once, twice, once].map((frame) => [Buffer.from(frame).toString("hex"), frame.length]),
    );
  });

  test("keeps the requested bytes of a frame, and reports its length", async (t) => {
    const { far, open } = await pair(t);
    const capture = await open({ snapBytes: 20 });
    far.send(ethernet(ENDS, ETHERTYPE, new Uint8Array(1_000).fill(0xee)));
    const [frame] = await ours(capture, 1);
    assert.deepEqual([frame?.data.length, frame?.lengthBytes], [20, 1_014]);
  });

  test("counts the frames that did not fit into the buffer", async (t) => {
    const { far, open } = await pair(t);
    const capture = await open({ bufferBytes: 4_096 });
    for (let n = 0; n < 200; n++) far.send(ethernet(ENDS, ETHERTYPE, new Uint8Array(1_000).fill(0xee)));
    const { passed, lost } = await until(() => {
      const counts = capture.counts();
      return counts.passed >= 200 && counts;
    });
    let read = 0;
    for (let isAll = false; !isAll;) {
      const more = await capture.read();
      read += more.frames.length;
      isAll = more.isAll;
    }
    const now = capture.counts();
    assert.ok(lost > 100, `${lost} lost`);
    assert.ok(
      read > 0 && read >= passed - lost && read <= now.passed - now.lost,
      `${read} read, ${now.passed} passed, ${now.lost} lost`,
    );
  });

  test("calls onReady when there are frames again", async (t) => {
    const { far, open } = await pair(t);
    let times = 0;
    const capture = await open({ onReady: () => times++ });
    for (let n = 1; n <= 3; n++) {
      const before = times;
      far.send(ethernet(ENDS, ETHERTYPE, Uint8Array.of(n, 0xee)));
      await until(() => times > before);
      await ours(capture, 1);
    }
  });
});

suite("a capture on a device of this kernel that changes", { skip: needsRoot }, () => {
  test("returns the waiting frames of a removed device, and then NOT_FOUND", async (t) => {
    const { far, ip, open } = await pair(t);
    const capture = await open();
    const sent = ethernet(ENDS, ETHERTYPE, Uint8Array.of(1, 0xee));
    far.send(sent);
    ip("link", "del", "nl-1a");
    const frames: CapturedFrame[] = [];
    await assert.rejects(
      async () => {
        for (;;) {
          const more = await capture.read();
          frames.push(...more.frames);
          // After the last frame only onReady would tell, and it does not come.
          if (more.isAll) return;
        }
      },
      { code: "NOT_FOUND" },
    );
    assert.ok(frames.some(({ data }) => Buffer.from(data).equals(sent)));
  });

  test("continues when the device has been down and was renamed", async (t) => {
    const { far, ip, open } = await pair(t);
    const capture = await open();
    ip("link", "set", "nl-1a", "down");
    ip("link", "set", "nl-1a", "name", "other");
    assert.ok((await capture.read()).isAll);
    ip("link", "set", "other", "up");
    // The kernel restores the carrier of the other end a moment later, and drops earlier frames.
    await until(async () => {
      far.send(ethernet(ENDS, ETHERTYPE, Uint8Array.of(1, 0xee)));
      return (await capture.read()).frames.some(({ data }) => data.at(-1) === 0xee);
    });
  });
});
