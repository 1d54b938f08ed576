import assert from "node:assert/strict";
import { test } from "node:test";
import { NetloomError } from "../../errors/errors.ts";
import { KernelError } from "../../kernel/kernel.ts";
import { errorFromData, errorToData } from "./messages.ts";

test("an error keeps its class, code, hint, errno and operation between threads", () => {
  const error = new KernelError("ALREADY_EXISTS", "add x: EEXIST: x exists", {
    errno: "EEXIST",
    operation: 3,
    hint: "remove x",
  });
  const copy = errorFromData(structuredClone(errorToData(error)));
  assert.ok(copy instanceof KernelError);
  const { code, message, errno, operation, hint } = copy;
  assert.deepEqual(
    { code, message, errno, operation, hint },
    { code: error.code, message: error.message, errno: "EEXIST", operation: 3, hint: "remove x" },
  );
  assert.match(String(copy.cause), /messages\.test\.ts/);
});

test("an error without errno becomes a NetloomError, and an assertion a plain Error", () => {
  const plain = errorFromData(errorToData(new NetloomError("NOT_FOUND", "no")));
  assert.ok(plain instanceof NetloomError && !(plain instanceof KernelError));
  const assertion = errorFromData(errorToData(new TypeError("wrong")));
  assert.ok(!(assertion instanceof NetloomError));
  assert.equal(assertion.message, "wrong");
});
