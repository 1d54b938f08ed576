// Golden checksums: the sum of RFC 1071 over the same bytes, computed with python3.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeEchoReply, encodeEchoRequest, internetChecksum } from "./icmp-message.ts";

const echo = { identifier: 0x1234, sequence: 1, payload: Uint8Array.of(1, 2, 3, 4) };
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));

test("an IPv4 echo request has a checksum, and an IPv6 one leaves it to the kernel", () => {
  assert.equal(hex(encodeEchoRequest(4, echo)), "0800e1c41234000101020304");
  assert.equal(hex(encodeEchoRequest(6, echo)), "800000001234000101020304");
});

test("reads a reply after an IPv4 header with and without options", () => {
  const reply = "0000 e9c4 1234 0001 01020304";
  assert.deepEqual(decodeEchoReply(4, bytes(`45000020 00000000 4001 0000 7f000001 7f000001 ${reply}`)), echo);
  assert.deepEqual(
    decodeEchoReply(4, bytes(`46000024 00000000 4001 0000 7f000001 7f000001 01010100 ${reply}`)),
    echo,
  );
  assert.deepEqual(decodeEchoReply(6, bytes("8100 0000 1234 0001 01020304")), echo);
});

test("anything but a complete and valid reply decodes to undefined", () => {
  for (const packet of [
    "",
    "45",
    "45000020 00000000 4001 0000 7f000001 7f000001 0000 e9c5 1234 0001 01020304", // checksum
    "45000020 00000000 4001 0000 7f000001 7f000001 0800 e1c4 1234 0001 01020304", // a request
    "45000020 00000000 4011 0000 7f000001 7f000001 0000 e9c4 1234 0001 01020304", // UDP
    "4f000020 00000000 4001 0000 7f000001 7f000001 0000 e9c4 1234 0001 01020304", // header past the end
    "65000020 00000000 4001 0000 7f000001 7f000001 0000 e9c4 1234 0001 01020304", // version
  ]) {
    assert.equal(decodeEchoReply(4, bytes(packet)), undefined, packet);
  }
  for (const packet of ["", "8100", "8101 0000 1234 0001", "8000 0000 1234 0001"]) {
    assert.equal(decodeEchoReply(6, bytes(packet)), undefined, packet);
  }
});

test("the checksum of a message with its checksum is 0, whatever the length", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1500 }), (payload) => {
      assert.equal(internetChecksum(encodeEchoRequest(4, { ...echo, payload })), 0);
    }),
  );
});
