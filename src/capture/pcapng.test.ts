import assert from "node:assert/strict";
import { test } from "node:test";
import { linesOf, needsTcpdump } from "../../fixtures/capture/tcpdump.ts";
import { ethernet, ETHERTYPE, ipv4 } from "../../fixtures/linux/frame.ts";
import { interfaceBlock, packetBlock, sectionHeader, statisticsBlock } from "./pcapng.ts";

const TIME_NS = 1_764_454_095_123_456_789n;
const ENDS = { to: "02:00:00:00:00:02", from: "02:00:00:00:00:01" };

/** An echo request of an odd length. */
const frame = ethernet(
  ENDS,
  ETHERTYPE.ipv4,
  ipv4({ to: "10.9.0.2", from: "10.9.0.1" }, 1, Uint8Array.of(8, 0, 0xf7, 0xfd, 0, 1, 0, 1, 0)),
);

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function file(): Uint8Array {
  const one = (index: number, timeNs: bigint, lengthBytes: number) =>
    packetBlock({
      interface: index,
      timeNs,
      data: frame,
      lengthBytes,
      isOutbound: index === 0,
      comment: "wire alpha/web/to-db: client → endpoint",
    });
  return Buffer.concat([
    sectionHeader("netloom 0.1.0"),
    interfaceBlock({ name: "to-db", description: "alpha/web/to-db", snapBytes: 262_144 }),
    interfaceBlock({ name: "to-log", description: "alpha/web/to-log", snapBytes: 262_144, filter: "icmp" }),
    one(0, TIME_NS, frame.length),
    one(1, TIME_NS + 1n, 1_500),
    statisticsBlock({ interface: 0, startNs: 0n, timeNs: TIME_NS, received: 3n, accepted: 1n, dropped: 2n }),
  ]);
}

test(
  "tcpdump reads packets of several interfaces, with nanoseconds and the length on the wire",
  { skip: needsTcpdump },
  () => {
    const [first, second, ...others] = linesOf(file());
    assert.match(
      first ?? "",
      /^1764454095\.123456789 02:00:00:00:00:01 > 02:00:00:00:00:02, .* length 43: 10\.9\.0\.1 > 10\.9\.0\.2: ICMP echo request/,
    );
    assert.match(second ?? "", /^1764454095\.123456790 .* length 1500: 10\.9\.0\.1 > 10\.9\.0\.2/);
    assert.deepEqual(others, []);
  },
);

test("a packet has its direction in the flags and its wire in a comment, each padded to 32 bits", () => {
  const block = packetBlock({
    interface: 1,
    timeNs: (7n << 32n) + 9n,
    data: Uint8Array.of(0xaa),
    lengthBytes: 60,
    isOutbound: true,
    comment: "w",
  });
  const expected = [
    "06000000 38000000 01000000 07000000 09000000 01000000 3c000000 aa000000",
    "0100 0100 77000000",
    "0200 0400 02000000",
    "00000000 38000000",
  ];
  assert.equal(hex(block), expected.join("").replaceAll(" ", ""));
});

test("an interface block has its name, a resolution of nanoseconds, and its filter", () => {
  const block = interfaceBlock({ name: "ab", description: "c", snapBytes: 96, filter: "arp" });
  const expected = [
    "01000000 38000000 0100 0000 60000000",
    "0200 0200 61620000",
    "0300 0100 63000000",
    "0900 0100 09000000",
    "0b00 0400 00617270",
    "00000000 38000000",
  ];
  assert.equal(hex(block), expected.join("").replaceAll(" ", ""));
});

test("statistics have start, end, and the packets received, accepted and dropped", () => {
  const block = statisticsBlock({
    interface: 2,
    startNs: 1n,
    timeNs: 2n,
    received: 3n,
    accepted: 4n,
    dropped: 5n,
  });
  const expected = [
    "05000000 58000000 02000000 00000000 02000000",
    "0200 0800 00000000 01000000",
    "0300 0800 00000000 02000000",
    "0400 0800 0300000000000000",
    "0600 0800 0400000000000000",
    "0700 0800 0500000000000000",
    "00000000 58000000",
  ];
  assert.equal(hex(block), expected.join("").replaceAll(" ", ""));
});
