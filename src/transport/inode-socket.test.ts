import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findSocket } from "./inode-socket.ts";

test("a socket is found by the identity of its file for as long as somebody listens on it", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "netloom-inode-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "a b.sock");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const { dev, ino } = statSync(path, { bigint: true });
  const found = findSocket(`inode://${dev}/${ino}`);
  assert.equal(statSync(found, { bigint: true }).ino, ino);
  await new Promise((resolve) => server.close(resolve));
  assert.throws(() => findSocket(`inode://${dev}/${ino}`), { code: "UNAVAILABLE" });
});
