import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { errnoName } from "./syscall.ts";

test("an errno has the name of the kernel's sources, so that EAGAIN is recognised", () => {
  const { EAGAIN, EEXIST, EOPNOTSUPP } = constants.errno;
  assert.deepEqual([EAGAIN, EEXIST, EOPNOTSUPP, 524].map(errnoName), [
    "EAGAIN",
    "EEXIST",
    "EOPNOTSUPP",
    "errno 524",
  ]);
});
