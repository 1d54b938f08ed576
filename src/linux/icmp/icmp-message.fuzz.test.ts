import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeEchoReply } from "./icmp-message.ts";

test("any bytes decode to a reply or to undefined, and never throw", () => {
  const family = fc.constantFrom(4 as const, 6 as const);
  const packets = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc
      .tuple(fc.constantFrom(0x45, 0x46, 0x4f), fc.uint8Array({ minLength: 8, maxLength: 100 }))
      .map(([first, rest]) => {
        const packet = Uint8Array.of(first, ...rest);
        packet[9] = 1;
        return packet;
      }),
  );
  fc.assert(
    fc.property(family, packets, (family, packet) => {
      const reply = decodeEchoReply(family, packet);
      if (reply) assert.ok(reply.payload.length <= packet.length - 8 && reply.identifier <= 0xffff);
    }),
    { numRuns: 2000 },
  );
});
