import assert from "node:assert/strict";
import { test } from "node:test";
import { type Call, Memory } from "../chain/call.ts";
import type { Identity } from "../identity/identity.ts";
import type { Metadata } from "../world/hops.ts";
import { pathOfCall, readPath, updatePath } from "./registry-path.ts";
import { SELF } from "../world/peer.ts";
import { peerNamed } from "../../fixtures/world/peer.ts";

const identity: Pick<Identity, "token" | "tokenOf" | "vouch"> = {
  token: () => ({ text: "own", expiresAtMs: 1 }),
  tokenOf: (metadata) => (metadata["token"] ? { text: metadata["token"], expiresAtMs: 1 } : undefined),
  vouch: () => ({ token: "own" }),
};

/** The path after the element, as later elements and the next station see it. */
async function enter(
  metadata: Metadata,
): Promise<{ readonly outgoing: Metadata; readonly tokens: string[] }> {
  // The element reads nothing else of a call.
  const call = {
    metadata,
    memory: new Memory(),
    peer: peerNamed("tcp:1"),
  } as unknown as Call;
  let outgoing: Metadata = {};
  let tokens: string[] = [];
  await updatePath<string>(identity).request?.(call, "entry", (entry, next) => {
    outgoing = { ...next?.outgoing, ...next?.vouch?.(SELF) };
    tokens = pathOfCall(next ?? call).pathSegments.map(({ token }) => token);
    return Promise.resolve(entry);
  });
  return { outgoing, tokens };
}

test("a path begins with the tokens of the caller and of this process", async () => {
  const { outgoing, tokens } = await enter({ path: '{"Index":0,"PathSegments":null}', token: "caller" });
  assert.deepEqual(tokens, ["caller", "own"]);
  assert.deepEqual(outgoing, {
    token: "own",
    path: '{"Index":1,"PathSegments":[{"token":"caller"},{"token":"own"}]}',
  });
});

test("a path continues behind the caller's segment, and the segments that followed it before are dropped", async () => {
  const path = '{"Index":1,"PathSegments":[{"token":"a"},{"token":"b"},{"token":"old"},{"token":"older"}]}';
  const { tokens } = await enter({ path, token: "new b" });
  assert.deepEqual(tokens, ["a", "new b", "own"]);
});

test("a caller without a path gets no path", async () => {
  assert.deepEqual(await enter({}), { outgoing: { token: "own" }, tokens: [] });
});

test("a malformed path is refused", () => {
  for (const path of [
    "",
    "{",
    "1",
    "null",
    "[]",
    '{"Index":-1}',
    '{"Index":1}',
    '{"Index":0.5}',
    '{"Index":"0"}',
    '{"PathSegments":{}}',
    `{"PathSegments":[${"{},".repeat(64)}{}]}`,
  ])
    assert.throws(() => readPath({ path }), { code: "INVALID_ARGUMENT" }, path);
  assert.equal(readPath({ path: '{"PathSegments":[null,{"token":7},{}]}' })?.pathSegments.length, 3);
});
