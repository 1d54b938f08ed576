import assert from "node:assert/strict";
import { test } from "node:test";
import { NetloomError } from "../../errors/errors.ts";
import { checkTunnelAddresses } from "./underlay.ts";

for (const address of ["127.0.0.1", "::1", "0.0.0.0", "::", "169.254.1.1", "fe80::1", "224.0.0.1", "ff02::1"])
  test(`${address} is refused as a tunnel address: no other host can reach it`, () => {
    assert.throws(
      () => checkTunnelAddresses([address]),
      (error: unknown) =>
        error instanceof NetloomError &&
        error.message === `--tunnel-ip ${address}: no other host can reach this address`,
    );
  });
