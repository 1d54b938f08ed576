import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { MAX_OFFENCES, MAX_STRANGERS } from "../../kernel/drops.ts";
import { DROP_SLOTS, DROPPED_BYTES, STRANGER_BYTES } from "./drop-maps.ts";
import { ARRIVAL_BYTES, ARRIVAL_KEY_BYTES, TUNNEL_BYTES } from "./tunnel-entry.ts";
import { NetloomError } from "../../errors/errors.ts";
import { readObject } from "./object.ts";

const object = readFileSync(new URL("../../../datapath/build/wire.bpf.o", import.meta.url));

function readsOrRefuses(bytes: Uint8Array): void {
  try {
    readObject(bytes);
  } catch (error) {
    assert(error instanceof NetloomError, String(error));
    assert.equal(error.code, "INVALID_ARGUMENT");
  }
}

test("the committed object has these maps and programs", () => {
  const spec = readObject(object);
  assert.equal(spec.license, "Dual MIT/GPL");
  assert.deepEqual(
    // In the compiler's order, which is that of first use.
    new Map(
      spec.maps.map(({ name, type, keyBytes, valueBytes, maxEntries, flags }) => [
        name,
        [type, keyBytes, valueBytes, maxEntries, flags],
      ]),
    ),
    new Map([
      ["wires", [5, 4, 64, 65536, 1]],
      ["tunnels", [1, 4, TUNNEL_BYTES, 65536, 1]],
      ["devices", [2, 4, 4, 256, 0]],
      ["arrivals4", [1, ARRIVAL_KEY_BYTES[4], ARRIVAL_BYTES, 65536, 1]],
      ["arrivals6", [1, ARRIVAL_KEY_BYTES[6], ARRIVAL_BYTES, 65536, 1]],
      ["sources", [11, 28, 4, 524288, 1]],
      ["grants", [1, 8, 144, 131072, 1]],
      ["drops", [6, 4, DROPPED_BYTES, DROP_SLOTS, 0]],
      ["slow", [2, 4, 4, 1, 0]],
      ["strangers", [9, ARRIVAL_KEY_BYTES[6], STRANGER_BYTES, MAX_STRANGERS, 0]],
      ["offences", [9, 8, 8, MAX_OFFENCES, 0]],
    ]),
  );
  assert.deepEqual(
    spec.programs.map(({ name, section, references }) => [
      name,
      section,
      [...new Set(references.map(({ map }) => map))].toSorted(),
    ]),
    [
      [
        "wire",
        "tcx/wire",
        [
          "arrivals4",
          "arrivals6",
          "devices",
          "drops",
          "offences",
          "slow",
          "sources",
          "strangers",
          "tunnels",
          "wires",
        ],
      ],
      ["uplink", "tcx/uplink", ["arrivals4", "arrivals6", "drops", "offences", "slow", "sources", "wires"]],
      ["retarget", "syscall", ["wires"]],
    ],
  );
});

test("random bytes are refused with a typed error", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 512 }), readsOrRefuses));
});

test("an object with changed bytes is read, or refused with a typed error", () => {
  const changes = fc.array(fc.tuple(fc.nat(object.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(changes, (list) => {
      const mutated = Buffer.from(object);
      for (const [at, value] of list) {
        mutated[at] = value;
      }
      readsOrRefuses(mutated);
    }),
    { numRuns: 2000 },
  );
});

test("an object with an extreme value in any 32-bit word is read, or refused with a typed error", () => {
  for (let at = 0; at + 4 <= object.length; at += 4) {
    for (const value of [0, 0x7fffffff, 0xffffffff]) {
      const mutated = Buffer.from(object);
      mutated.writeUInt32LE(value, at);
      readsOrRefuses(mutated);
    }
  }
});

test("an object truncated anywhere is read, or refused with a typed error", () => {
  for (let length = 0; length < object.length; length += 7) {
    readsOrRefuses(object.subarray(0, length));
  }
});
