import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { hasCode, mostTelling, NetloomError, reasonOf } from "./errors.ts";
import { reason, REASONS } from "./reasons.ts";

const noCandidate = reason("NO_CANDIDATE", { service: "db" });

suite("an error that wraps another one", () => {
  const cause = new NetloomError("NOT_FOUND", "find it", {
    reason: noCandidate,
    topic: "NL-303",
    side: "client",
  });

  test("inherits its reason, its side and its page", () => {
    const { reason: why, side, topic } = new NetloomError("NOT_FOUND", "connect", { cause });
    assert.deepEqual([why, side, topic], [noCandidate, "client", "NL-303"]);
  });

  test("with another code keeps the reason, and has the new code's page", () => {
    const { reason: why, topic } = new NetloomError("UNAVAILABLE", "connect", { cause });
    assert.deepEqual([why, topic], [noCandidate, "NL-014"]);
  });

  test("may have its own reason", () => {
    const own = reason("PORT_TAKEN", { port: "tap0" });
    assert.deepEqual(new NetloomError("NOT_FOUND", "connect", { cause, reason: own }).reason, own);
  });
});

test("reasonOf returns the fields of the named reason, and undefined for another or an incomplete one", () => {
  const error = new NetloomError("NOT_FOUND", "find it", { reason: noCandidate });
  assert.equal(reasonOf(error, "NO_CANDIDATE")?.service, "db");
  assert.equal(reasonOf(error, "PORT_TAKEN"), undefined);
  const broken = new NetloomError("NOT_FOUND", "find it", { reason: { name: "NO_CANDIDATE", fields: {} } });
  assert.equal(reasonOf(broken, "NO_CANDIDATE"), undefined);
  assert.equal(reasonOf(new Error("find it"), "NO_CANDIDATE"), undefined);
});

suite("of several failures the most telling one", () => {
  const gone = new NetloomError("UNAVAILABLE", "a", {
    reason: reason("PEER_UNREACHABLE", { url: "tcp://a", why: "ECONNREFUSED" }),
  });
  const late = new NetloomError("DEADLINE_EXCEEDED", "b");
  const refused = new NetloomError("INTERNAL", "c");
  const full = new NetloomError("RESOURCE_EXHAUSTED", "d", {
    reason: reason("NO_FREE_IDENTIFIER", { identifier: "vni" }),
  });

  test("is a refusal before a failure on the path, and of these one with a reason", () => {
    assert.equal(mostTelling([full, refused, gone]), full);
    assert.equal(mostTelling([refused, gone, late]), refused);
    assert.equal(mostTelling([gone, late]), gone);
  });

  test("is the last of equal ones, and undefined for an empty list", () => {
    const later = new NetloomError("INTERNAL", "e");
    assert.equal(mostTelling([refused, later]), later);
    assert.equal(mostTelling([]), undefined);
  });
});

test("names of reasons and their fields conform to AIP-193, and stay clear of the keys `hint` and `topic`", () => {
  for (const [name, { fields }] of Object.entries(REASONS)) {
    assert.match(name, /^[A-Z][A-Z0-9_]{1,62}$/);
    assert.equal(hasCode(new NetloomError(name as "INTERNAL", ""), "INTERNAL"), false);
    for (const field of Object.keys(fields)) {
      assert.match(field, /^[a-z][a-zA-Z0-9]{0,63}$/);
      assert.ok(!["topic", "hint"].includes(field), `${name}.${field}`);
    }
  }
});
