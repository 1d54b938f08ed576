import assert from "node:assert/strict";
import { test } from "node:test";
import { changeLink } from "../netlink/link.ts";
import * as k from "../netlink/constants.ts";
import { messages, type NetlinkMessage } from "../netlink/message-reader.ts";
import { LinkEvents } from "./link-events.ts";

const HOST = { nsid: "own", netns: "host" } as const;
const GROUPS = { ours: 1, doomed: 2 };

/** A notification of device 7. `change` is the mask of changed flags. */
function heard(
  type: number,
  given: { name: string; up?: boolean; group?: number; change?: number },
): NetlinkMessage {
  const { change = 0, up = true, ...rest } = given;
  const [message] = messages(changeLink(7, { group: GROUPS.ours, ...rest, up }));
  assert.ok(message);
  const body = Uint8Array.from(message.body);
  new DataView(body.buffer).setUint32(12, change, true);
  return { ...message, type, body };
}

const ALL = 0xffffffff;

test("an unknown device is reported when it is added, changed and removed", () => {
  for (const [message, change] of [
    [heard(k.RTM_NEWLINK, { name: "a", change: ALL }), "new"],
    [heard(k.RTM_NEWLINK, { name: "a" }), "changed"],
    [heard(k.RTM_DELLINK, { name: "a", change: ALL }), "removed"],
  ] as const) {
    const events = new LinkEvents(GROUPS);
    events.take(HOST, message, false);
    assert.deepEqual(
      events.flush().map((event) => [event.link, event.change]),
      [["a", change]],
    );
  }
});

test("an unchanged device gives no event, a rename both names, and a device added and removed in one go none", () => {
  const events = new LinkEvents(GROUPS);
  const take = (message: NetlinkMessage): unknown[] => {
    events.take(HOST, message, false);
    return events.flush().map(({ link, change, formerly }) => [link, change, formerly]);
  };
  assert.deepEqual(take(heard(k.RTM_NEWLINK, { name: "a", change: ALL })), [["a", "new", undefined]]);
  assert.deepEqual(take(heard(k.RTM_NEWLINK, { name: "a" })), []);
  assert.deepEqual(take(heard(k.RTM_NEWLINK, { name: "b" })), [["b", "changed", "a"]]);
  assert.deepEqual(take(heard(k.RTM_NEWLINK, { name: "b", group: GROUPS.doomed })), [
    ["b", "removed", undefined],
  ]);
  assert.deepEqual(take(heard(k.RTM_DELLINK, { name: "b", group: GROUPS.doomed, change: ALL })), []);
  events.take(HOST, heard(k.RTM_NEWLINK, { name: "c", change: ALL }), false);
  assert.deepEqual(take(heard(k.RTM_DELLINK, { name: "c", change: ALL })), []);
});

test("down and up again in one go is reported, unless the own batch has done it", () => {
  for (const isOwn of [true, false]) {
    const events = new LinkEvents(GROUPS);
    events.take(HOST, heard(k.RTM_NEWLINK, { name: "a", change: ALL }), false);
    events.flush();
    for (const up of [false, true]) events.take(HOST, heard(k.RTM_NEWLINK, { name: "a", up }), isOwn);
    assert.deepEqual(
      events.flush().map(({ wentDown }) => wentDown),
      isOwn ? [] : [true],
    );
  }
});
