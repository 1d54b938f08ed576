import assert from "node:assert/strict";
import { test } from "node:test";
import { mtuNotes } from "./mtu-notes.ts";
import { hopOf, type HopView } from "./way.ts";

function hop(mtu: number, ...widths: readonly number[]): HopView {
  const ways = widths.map((mtuBytes, i) => ({
    host: i === 0 ? "alpha" : "beta",
    to: i === 0 ? "10.0.0.2" : "10.0.0.1",
    mtuBytes,
    words: "by the device eth0",
  }));
  const tunnel = { type: "VXLAN", parameters: { MTU: String(mtu) }, source: "", destination: "", ways };
  return hopOf({ from: "alpha", to: "beta", carriers: ["vxlan"], tunnel });
}

test("a wire whose MTU is enough for IPv6, or not known, has no note", () => {
  assert.deepEqual(mtuNotes(1280, [hop(1280, 1334)]), []);
  assert.deepEqual(mtuNotes(0, []), []);
});

test("a wire with a smaller MTU names the narrowest way, on any host", () => {
  assert.deepEqual(mtuNotes(1146, [hop(1146, 1500, 1200)]), [
    "its MTU of 1146 bytes is below 1280, which IPv6 needs: the way from beta to 10.0.0.1 carries 1200 bytes, by the device eth0",
  ]);
});

test("no way is named for an MTU that an end has requested, or if no host reports a way", () => {
  const bare = ["its MTU of 1000 bytes is below 1280, which IPv6 needs"];
  assert.deepEqual(mtuNotes(1000, [hop(1446, 1500)]), bare);
  assert.deepEqual(mtuNotes(1000, [hop(1000, 0)]), bare);
  assert.deepEqual(mtuNotes(1000, []), bare);
});
