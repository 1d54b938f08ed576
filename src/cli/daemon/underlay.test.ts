import assert from "node:assert/strict";
import { test } from "node:test";
import { NetloomError } from "../../errors/errors.ts";
import { checkTunnelAddresses } from "./underlay.ts";

for (const [address, what] of [
  ["127.0.0.1", "a loopback address"],
  ["127.9.0.1", "a loopback address"],
  ["::1", "the loopback address"],
  ["0.0.0.0", "the unspecified address"],
  ["::", "the unspecified address"],
  ["169.254.1.1", "a link-local address"],
  ["fe80::1", "a link-local address"],
  ["224.0.0.1", "a multicast address"],
  ["ff02::1", "a multicast address"],
] as const)
  test(`${address} is refused as a tunnel address: no other host can reach it`, () => {
    assert.throws(
      () => checkTunnelAddresses([address]),
      (error: unknown) =>
        error instanceof NetloomError &&
        error.message.startsWith(`--tunnel-ip ${address}: it is ${what}: no other host can reach it`),
    );
  });

test("an address that this host does not have yet is accepted, because the daemon waits for it", () => {
  assert.deepEqual(checkTunnelAddresses(["192.0.2.77", "FD00::0:1"]), ["192.0.2.77", "fd00::1"]);
});
