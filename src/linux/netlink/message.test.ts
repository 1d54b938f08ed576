import assert from "node:assert/strict";
import test from "node:test";
import { NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR } from "./constants.ts";
import {
  DecodeError,
  isDumpInterrupted,
  type NetlinkMessage,
  messages,
  readAck,
  readAttributes,
} from "./message-reader.ts";
import { batch, change, MessageWriter } from "./message-writer.ts";

function only(datagram: Uint8Array): NetlinkMessage {
  const [message, ...others] = messages(datagram);
  assert(message && others.length === 0);
  return message;
}

test("written values are read back", () => {
  const m = new MessageWriter(99, 0).u8(1).be16(0x0203).u16(0x0504);
  m.attributeU8(1, 7).attributeU32(2, 0xffffffff).attributeString(3, "nl-1").attributeText(4, "é");
  m.attributeIp(5, "2001:db8::1").attributeMac(6, "02:00:00:00:00:01");
  m.attribute(7, () => m.attribute(1, () => m.u64(2 ** 53 - 1)).attribute(2, () => m.i32(-1)));
  const message = only(m.finish());
  assert.deepEqual([...message.body.subarray(0, 8)], [1, 2, 3, 4, 5, 0, 0, 0]);
  const attributes = readAttributes("test", message.body, 8);
  assert.equal(attributes.u8(1), 7);
  assert.equal(attributes.u32(2), 0xffffffff);
  assert.equal(attributes.string(3), "nl-1");
  assert.equal(attributes.string(4), "é");
  assert.equal(attributes.ip(5), "2001:db8::1");
  assert.equal(attributes.mac(6), "02:00:00:00:00:01");
  assert.equal(attributes.nested(7)?.u64(1), 2 ** 53 - 1);
  assert.equal(attributes.nested(7)?.i32(2), -1);
  assert.equal(attributes.u32(8), undefined);
});

test("a message can outgrow its first buffer", () => {
  const text = "x".repeat(5000);
  const message = only(new MessageWriter(99, 0).attributeString(1, text).finish());
  assert.equal(readAttributes("test", message.body, 0).string(1), text);
});

test("a value out of range asserts", () => {
  const m = new MessageWriter(99, 0);
  assert.throws(() => m.u8(256), assert.AssertionError);
  assert.throws(() => m.u32(-1), assert.AssertionError);
  assert.throws(() => m.u16(1.5), assert.AssertionError);
  assert.throws(() => m.i32(2 ** 31), assert.AssertionError);
  assert.throws(() => m.attributeString(1, "a\0b"), assert.AssertionError);
  assert.throws(() => m.attributeText(1, "x".repeat(70_000)), assert.AssertionError);
});

test("a batch numbers its messages, and the numbers wrap around", () => {
  const joined = batch([change(16).finish(), change(20).u32(1).finish(), change(24).finish()], 0xfffffffe);
  assert.deepEqual(
    messages(joined).map(({ type, sequence }) => [type, sequence]),
    [
      [16, 0xfffffffe],
      [20, 0xffffffff],
      [24, 0],
    ],
  );
});

test("an attribute with a length of zero or beyond the end is an error and no hang", () => {
  for (const length of [0, 3, 9, 0xffff]) {
    const body = Uint8Array.of(length & 0xff, length >> 8, 1, 0, 0, 0, 0, 0);
    assert.throws(() => readAttributes("test", body, 0), DecodeError);
  }
  assert.throws(() => readAttributes("test", new Uint8Array(3), 0), DecodeError);
  assert.throws(() => readAttributes("test", new Uint8Array(3), 4), DecodeError);
});

test("a message with a length of zero or a truncated one is an error and no hang", () => {
  const message = new MessageWriter(99, 0).u32(1).finish();
  assert.throws(() => messages(message.subarray(0, 19)), DecodeError);
  assert.throws(() => messages(message.subarray(0, 5)), DecodeError);
  assert.throws(() => messages(new Uint8Array(16)), DecodeError);
});

test("the error for an attribute shorter than its type names the part", () => {
  const message = only(new MessageWriter(99, 0).attributeU8(4, 1).finish());
  assert.throws(() => readAttributes("link", message.body, 0).u32(4), {
    name: "DecodeError",
    message: "decode link attribute 4: 1 bytes, needs 4",
  });
});

test("an acknowledgement reads the same with and without the whole request inside", () => {
  const request = change(16).u32(0).attributeU32(4, 1500).finish();
  for (const isCapped of [false, true]) {
    const m = new MessageWriter(NLMSG_ERROR, NLM_F_ACK_TLVS | (isCapped ? NLM_F_CAPPED : 0));
    m.i32(-22).bytes(isCapped ? request.subarray(0, 16) : request);
    m.attributeString(1, "invalid MTU").attributeU32(2, 20).attributeU32(5, 3);
    assert.deepEqual(readAck(only(m.finish())), {
      errno: 22,
      message: "invalid MTU",
      offset: 20,
      missingType: 3,
    });
  }
});

test("the end of a dump is an acknowledgement that may be an error, and other messages are none", () => {
  assert.deepEqual(readAck(only(new MessageWriter(NLMSG_DONE, 0).i32(0).finish())), { errno: 0 });
  const failed = new MessageWriter(NLMSG_DONE, NLM_F_ACK_TLVS).i32(-2).attributeString(1, "no such table");
  assert.deepEqual(readAck(only(failed.finish())), { errno: 2, message: "no such table" });
  assert.equal(readAck(only(new MessageWriter(16, 0).finish())), undefined);
});

test("an acknowledgement with an absurd inner length is an error", () => {
  const m = new MessageWriter(NLMSG_ERROR, NLM_F_ACK_TLVS).i32(-1).u32(0xfffffffd);
  m.u32(0).u32(0).u32(0);
  assert.throws(() => readAck(only(m.finish())), DecodeError);
});

test("an interrupted dump is recognised by its flag", () => {
  assert(isDumpInterrupted(only(new MessageWriter(16, NLM_F_DUMP_INTR).finish())));
  assert(!isDumpInterrupted(only(new MessageWriter(16, 0).finish())));
});
