import assert from "node:assert/strict";
import { test } from "node:test";
import { attachmentName, plainServiceName } from "./command.ts";

test("the name of an attachment joins the workload and the service, in characters that a name allows", () => {
  assert.equal(attachmentName("web", "db"), "web-db");
  assert.equal(attachmentName("Web_1", "db@other.example"), "web-1-db-other.example");
  assert.equal(attachmentName("-", "."), "unnamed");
  assert.match(attachmentName("x".repeat(62), "-y"), /^x{62}$/);
});

test("plainServiceName returns the service's name, also of an address", () => {
  assert.equal(plainServiceName("db@other.example"), "db@other.example");
  assert.equal(plainServiceName("kernel://db.example/nsm-1?app=web"), "db.example");
});
