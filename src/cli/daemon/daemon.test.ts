/** The end of a daemon that cannot start. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { netloom } from "../spawn-netloom.ts";
import { LAB_WORDS } from "../../identity/identities.ts";

test("a registry whose port is in use reports that, with the page that explains it, and ends", async (t) => {
  const stranger = createServer().listen(0, "127.0.0.1");
  await once(stranger, "listening");
  t.after(() => stranger.close());
  const address = stranger.address();
  assert.ok(address !== null && typeof address === "object");
  const url = `tcp://127.0.0.1:${address.port}`;
  const { code, stdout, stderr } = await netloom([
    "registry",
    ...LAB_WORDS,
    "--store",
    "memory",
    "--listen",
    url,
  ]);
  assert.equal(code, 1, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, new RegExp(`error: listen on ${url}: EADDRINUSE`));
  assert.match(stderr, /NL-702/);
});

test("plaintext must be requested explicitly, and the page says why", async () => {
  const { code, stderr } = await netloom(["registry", "--store", "memory"]);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /NL-703/);
  for (const word of LAB_WORDS) assert.ok(stderr.includes(word), stderr);
});
