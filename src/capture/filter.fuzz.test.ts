/** The filter against its own text, and against tcpdump on random frames. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { needsTcpdump, secondsOf } from "../../fixtures/capture/tcpdump.ts";
import { be16, bytes } from "../../fixtures/linux/frame.ts";
import { network } from "../net/ip.ts";
import { type Filter, PROTOCOLS, printFilter } from "./filter.ts";
import { matchesFilter } from "./match-filter.ts";
import { parseFilter } from "./parse-filter.ts";
import { interfaceBlock, packetBlock, sectionHeader } from "./pcapng.ts";

/** Few addresses, so that filters often match frames. */
const addressBytes = fc.oneof(
  fc.constantFrom(
    Uint8Array.of(10, 0, 0, 1),
    Uint8Array.of(10, 0, 1, 2),
    Uint8Array.of(192, 0, 2, 1),
    Uint8Array.of(0, 0, 0, 0),
  ),
  fc.constantFrom([0xfd, 1], [0xfd, 2], [0xfe, 0x80], [0, 0]).map(([high = 0, low = 0]) => {
    const all = new Uint8Array(16);
    all.set([high, low]);
    all[15] = low;
    return all;
  }),
);
const port = fc.constantFrom(0, 53, 80, 443, 65_535);
const address = addressBytes.map((found) => ({ family: found.length === 4 ? 4 : 6, bytes: found }) as const);

const { filter } = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(
      fc.constantFrom(...PROTOCOLS).map((name): Filter => ({ type: "protocol", name })),
      address.map((found): Filter => ({ type: "host", address: found })),
      fc.tuple(address, fc.nat(128)).map(([found, length]): Filter => {
        const prefix = { address: found, length: Math.min(length, found.bytes.length * 8) };
        return { type: "net", prefix: network(prefix) };
      }),
      port.map((number): Filter => ({ type: "port", port: number })),
    ),
    tie("filter").map((of): Filter => ({ type: "not", of })),
    fc
      .tuple(fc.constantFrom("and", "or"), tie("filter"), tie("filter"))
      .map(([type, left, right]): Filter => ({ type, left, right })),
  ),
}));

test("parsing the text of a filter gives the same filter", () => {
  fc.assert(
    fc.property(filter, (given) => {
      assert.deepEqual(parseFilter(printFilter(given)), { ok: true, filter: given });
    }),
  );
});

test("any text is a filter, or has a problem at a column", () => {
  const words = fc.constantFrom(
    "(",
    ")",
    "and",
    "or",
    "not",
    "host",
    "net",
    "port",
    "tcp",
    "10.0.0.1",
    "::/0",
    "53",
    "x",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(words).map((all) => all.join(" ")),
        fc.string(),
      ),
      (text) => {
        const parsed = parseFilter(text);
        if (parsed.ok) assert.deepEqual(parseFilter(printFilter(parsed.filter)), parsed);
        else assert.ok(parsed.column >= 1 && parsed.column <= text.length + 1 && parsed.message !== "");
      },
    ),
  );
});

const protocol = fc.constantFrom(1, 6, 17, 44, 58, 132, 0);
const twoOf = (length: number) =>
  fc
    .tuple(addressBytes, addressBytes)
    .map((all) => all.map((each) => bytes(each, new Uint8Array(16)).slice(0, length)));

/** An IPv4 packet, an IPv6 packet, an ARP message, or anything; all with more bytes than any filter asks for. */
const frame = fc
  .record({
    ethertype: fc.constantFrom(0x0800, 0x0806, 0x8035, 0x86dd, 0x88cc),
    four: twoOf(4),
    six: twoOf(16),
    protocol,
    inner: protocol,
    fragment: fc.constantFrom(0, 0, 0x2000, 0x4000, 185),
    headerWords: fc.constantFrom(5, 5, 6, 15, 0),
    ports: fc.tuple(port, port),
    rest: fc.uint8Array({ minLength: 128, maxLength: 128 }),
  })
  .map((given) => {
    const { ethertype, four, six, rest } = given;
    const ports = bytes(...given.ports.map(be16));
    const body = (): Uint8Array => {
      if (ethertype === 0x0800) {
        const options = rest.subarray(0, Math.max(0, 4 * given.headerWords - 20));
        const start = [0x40 | given.headerWords, 0, 0, 60, 0, 1];
        return bytes(start, be16(given.fragment), [64, given.protocol, 0, 0], ...four, options, ports);
      }
      if (ethertype === 0x86dd) {
        // The next bytes are a fragment header, or ports.
        const next = given.protocol === 44 ? [given.inner, 0, 0, 0, 0, 0, 0, 1] : ports;
        return bytes([0x60, 0, 0, 0, 0, 60, given.protocol, 64], ...six, next);
      }
      if (ethertype === 0x88cc) return rest;
      const [sender = rest, target = rest] = four;
      return bytes([0, 1, 8, 0, 6, 4, 0, 1], rest.subarray(0, 6), sender, rest.subarray(6, 12), target);
    };
    return bytes(rest.subarray(0, 12), be16(ethertype), body(), rest);
  });

test("tcpdump passes the same frames as the filter", { skip: needsTcpdump }, () => {
  fc.assert(
    fc.property(filter, fc.array(frame, { minLength: 20, maxLength: 60 }), (given, frames) => {
      const file = Buffer.concat([
        sectionHeader("test"),
        interfaceBlock({ name: "test", description: "test", snapBytes: 262_144 }),
        ...frames.map((data, second) =>
          packetBlock({
            interface: 0,
            timeNs: BigInt(second) * 1_000_000_000n,
            data,
            lengthBytes: data.length,
            isOutbound: false,
            comment: "",
          }),
        ),
      ]);
      const own = frames.flatMap((data, second) => (matchesFilter(given, data) ? [second] : []));
      assert.deepEqual(own, secondsOf(file, printFilter(given)), printFilter(given));
    }),
    { numRuns: 60 },
  );
});
