/** Named namespaces next to those of iproute2, each test in a mount namespace with a new and private /run. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { needsRoot } from "../../../fixtures/linux/netns.ts";

const skip = needsRoot;
const machine = fileURLToPath(new URL("../machine/machine.ts", import.meta.url));

/** Runs `script` on such a machine. `make` and `remove` are Netloom's functions, for /run/netns/ours. */
function onBareMachine(script: string): { readonly code: number | null; readonly text: string } {
  const act = (verb: string): string =>
    `"${process.execPath}" --input-type=module -e 'import { LinuxMachine } from "${machine}"; const machine = await LinuxMachine.open(); await machine.${verb}("/run/netns/ours"); await machine.close();'`;
  const prepared = `set -e; mount -t tmpfs tmpfs /run; make() { ${act("createNetns")}; }; remove() { ${act("removeNetns")}; }; ${script}`;
  const { status, stdout, stderr } = spawnSync(
    "unshare",
    ["--mount", "--propagation", "private", "bash", "-c", prepared],
    { encoding: "utf8" },
  );
  return { code: status, text: stdout + stderr };
}

test("a namespace can be removed after iproute2 has made its first one", { skip }, () => {
  const { code, text } = onBareMachine(
    "make; ip netns add theirs; remove; test ! -e /run/netns/ours; ip netns exec theirs true; ip netns del theirs; ls -A /run/netns",
  );
  assert.deepEqual({ code, text }, { code: 0, text: "" });
});

test("a namespace below another mount of its directory can be removed, and others stay", { skip }, () => {
  const before =
    "make; mount --rbind /run/netns /run/netns; mount --rbind /run/netns /run/netns; ip netns add theirs";
  const { code, text } = onBareMachine(
    `${before}; remove; test ! -e /run/netns/ours; ip netns exec theirs true; ip netns del theirs; ls -A /run/netns; grep -c ours /proc/self/mountinfo || true`,
  );
  assert.deepEqual({ code, text }, { code: 0, text: "0\n" });
});
