import assert from "node:assert/strict";
import { test } from "node:test";
import { attachmentName, plainServiceName } from "./command.ts";

test("an attachment is called after the workload and the service, in letters that a name may have", () => {
  assert.equal(attachmentName("web", "db"), "web-db");
  assert.equal(attachmentName("Web_1", "db@other.example"), "web-1-db-other.example");
  assert.equal(attachmentName("-", "."), "unnamed");
  assert.match(attachmentName("x".repeat(62), "-y"), /^x{62}$/);
});

test("a service is called by its name, also where it is written as an address", () => {
  assert.equal(plainServiceName("db@other.example"), "db@other.example");
  assert.equal(plainServiceName("kernel://db.example/nsm-1?app=web"), "db.example");
});
