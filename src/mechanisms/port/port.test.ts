/** PORT: its parameters, the devices it refuses, and its half. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import type { PortFacts } from "../../kernel/kernel.ts";
import { readMechanism } from "../list.ts";
import { interfaceNameProblem } from "../../net/interface-name.ts";
import { port } from "./port.ts";

const parameters = { inodeURL: "inode://4/4026531840", name: "tap0", ifindex: "7", MTU: "1400" };
const facts: PortFacts = {
  index: 7,
  mtuBytes: 1500,
  isUp: true,
  hasCarrier: true,
  isEthernet: true,
  isOurs: false,
  sort: "tun",
  addresses: [],
};

/** A kernel with one device, `tap0`. */
function kernel(device: PortFacts | undefined, host = "inode://4/4026531840" as const) {
  return {
    devices: () => Promise.resolve([device]),
    resolve: (netns: string) =>
      Promise.resolve({
        netns: (netns === "host" ? host : netns) as `inode://${string}`,
        cookie: "1",
      }),
  };
}

suite("PORT", () => {
  test("is read as it was written, and anything else is refused with all problems", () => {
    const read = readMechanism({ type: "PORT", parameters });
    assert.deepEqual(port.write(read as Parameters<typeof port.write>[0]), parameters);
    const wrong = port.read({ inodeURL: "net:[1]", name: "a/b", ifindex: "0" });
    assert.ok(!wrong.ok);
    assert.equal(wrong.problems.length, 3, wrong.problems.join("\n"));
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom("inodeURL", "name", "ifindex", "MTU"), fc.string()),
        (given) => {
          const result = port.read(given);
          if (!result.ok) return assert.ok(result.problems.length > 0);
          const again = port.read(port.write(result.value));
          assert.deepEqual(again, result);
        },
      ),
    );
    fc.assert(
      fc.property(
        fc.record({
          netns: fc.constantFrom("file:///run/netns/a", "inode://4/1"),
          device: fc
            .stringMatching(/^[a-z][a-z0-9.]{0,14}$/)
            .filter((name) => interfaceNameProblem(name) === undefined),
          index: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
          mtuBytes: fc.integer({ min: 1, max: 65_535 }),
        }),
        (given) => {
          const mechanism = { type: "PORT", ...given } as const;
          assert.deepEqual(port.read(port.write(mechanism)), { ok: true, value: mechanism });
        },
      ),
    );
  });

  test("is the device itself: its half makes no device", () => {
    const place = {
      connectionId: "c",
      side: "client",
      mtuBytes: 1400,
      macs: { client: "02:00:00:00:00:01", endpoint: "02:00:00:00:00:02" },
    } as const;
    const half = port.half({ type: "PORT", netns: "host", device: "tap0", index: 7 }, place);
    assert.deepEqual(half, { devices: [], port: { end: { netns: "host", name: "tap0" }, index: 7 } });
    assert.deepEqual(port.problems({ type: "PORT", netns: "host", device: "tap0" }, "client"), [
      "Nobody has looked at the client's port tap0 yet.",
    ]);
  });

  test("fits a workload that is a port, and KERNEL one that is a namespace", () => {
    const netns = "inode://4/1" as const;
    assert.equal(port.forWorkload({ netns }, { name: "" }), undefined);
    assert.deepEqual(port.forWorkload({ netns, port: { device: "tap0", index: 7 } }, { name: "" }), {
      inodeURL: netns,
      name: "tap0",
      ifindex: "7",
    });
  });

  test("gets the device's index and MTU anew at each request", async () => {
    const read = port.read({ inodeURL: parameters.inodeURL, name: "tap0", MTU: "9000" });
    assert.ok(read.ok);
    const borrowed = await port.borrow?.(read.value, kernel(facts));
    assert.deepEqual(borrowed, { ...parameters, MTU: "1500" });
  });
});

suite("PORT on a host", () => {
  for (const [what, device, code, reason] of [
    ["a missing device", undefined, "NOT_FOUND", /this host has no device of that name/],
    [
      "another device of that name",
      { ...facts, index: 8 },
      "NOT_FOUND",
      /another device has that name by now/,
    ],
    [
      "a device that Netloom made",
      { ...facts, isOurs: true },
      "FAILED_PRECONDITION",
      /Netloom has made it for a wire/,
    ],
    ["a device without MACs", { ...facts, isEthernet: false }, "FAILED_PRECONDITION", /no MAC addresses/],
    ["a member of a bridge", { ...facts, master: "br0" }, "FAILED_PRECONDITION", /member of br0/],
    ["a macvtap", { ...facts, sort: "macvtap" }, "FAILED_PRECONDITION", /it is a macvtap/],
    [
      "a device with an address of the host",
      { ...facts, addresses: ["10.0.0.1/24"] },
      "FAILED_PRECONDITION",
      /10\.0\.0\.1\/24/,
    ],
  ] as const)
    test(`refuses ${what}, with the reason`, async () => {
      const read = port.read(parameters);
      assert.ok(read.ok && port.borrow);
      await assert.rejects(port.borrow(read.value, kernel(device)), { code, message: reason });
    });

  test("refuses a device outside of its host's namespace", async () => {
    const read = port.read(parameters);
    assert.ok(read.ok && port.borrow);
    await assert.rejects(port.borrow(read.value, kernel(facts, "inode://4/9" as never)), {
      code: "FAILED_PRECONDITION",
      topic: "NL-411",
      message: /it is in another namespace than this host/,
    });
  });
});
