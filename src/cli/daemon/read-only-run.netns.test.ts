/**
 * A machine with a read-only `/run`, in a mount namespace of its own: the error names the machine's problem, not a bug.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { needsRoot } from "../../../fixtures/linux/netns.ts";
import { LAB_WORDS } from "../../identity/identities.ts";

const path = (place: string): string => fileURLToPath(new URL(`../../../${place}`, import.meta.url));

for (const command of [
  "lab up examples/first.yaml",
  `agent ${LAB_WORDS.join(" ")} --name a --state-dir /run/netloom/state`,
])
  test(
    `netloom ${command.split(" ")[0]} on a read-only /run reports what cannot be written, and not a bug`,
    { skip: needsRoot },
    () => {
      const words = command.split(" ").map((word) => (word.endsWith(".yaml") ? path(word) : word));
      const script = `mount -t tmpfs -o ro none /run && exec "$@"`;
      const { status, stderr } = spawnSync(
        "unshare",
        ["--mount", "--net", "sh", "-c", script, "sh", path("bin/netloom"), ...words],
        { encoding: "utf8" },
      );
      assert.equal(status, 1, stderr);
      assert.match(stderr, /error: .*\/run\/netloom.*\nhint: /);
      assert.doesNotMatch(stderr, /fault of netloom|NL-013/);
    },
  );
