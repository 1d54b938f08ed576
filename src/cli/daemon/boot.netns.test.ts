/**
 * Daemons on a machine that has just booted:
 *
 * ```
 *  host [fd00:7::1 dev up0] ── veth ── [up1] link      the kernel looks for fd00:7::1 on the link when up1 is up
 * ```
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { needsRoot, netnsFixture } from "../../../fixtures/linux/netns.ts";
import { netloomPath, startProgram, type Netloom } from "../spawn-netloom.ts";
import { LAB_WORDS } from "../../identity/identities.ts";

const ADDRESS = "fd00:7::1";

async function bootedHost(t: TestContext, { probes = 1 } = {}) {
  const net = await netnsFixture(t);
  const folder = mkdtempSync(join(tmpdir(), "netloom-boot-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [host, link] = [net.nameOf(await net.netns()), net.nameOf(await net.netns())];
  const ip = (netns: string, words: string): void =>
    void execFileSync("ip", ["-n", netns, ...words.split(" ")]);
  ip(host, `link add up0 type veth peer name up1 netns ${link}`);
  ip(host, "link set lo up");
  // The kernel may send one probe before the other end listens.
  execFileSync("ip", ["netns", "exec", host, "sysctl", "-qw", `net.ipv6.conf.up0.dad_transmits=${probes}`]);
  ip(host, "link set up0 up");
  ip(host, `address add ${ADDRESS}/64 dev up0`);
  const ran: Netloom[] = [];
  t.after(() => ran.forEach((each) => each.kill("SIGKILL")));
  /** Runs a daemon and calls `onText` with its output so far; resolves with all of it at its end. */
  const run = (args: readonly string[], onText: (text: string, daemon: Netloom) => void) => {
    let said = "";
    const onOutput = (text: string): void => onText((said += text), daemon);
    const words = ["netns", "exec", host, netloomPath, ...args];
    const daemon: Netloom = startProgram("ip", words, { onStdout: onOutput, onStderr: onOutput });
    ran.push(daemon);
    return daemon.outcome;
  };
  return { ip, host, link, folder, run };
}

test(
  "a registry waits until its address has passed duplicate address detection, and reports the wait",
  { skip: needsRoot },
  async (t) => {
    const { ip, link, run } = await bootedHost(t);
    let isUp = false;
    let isReady = false;
    const args = ["registry", ...LAB_WORDS, "--listen", `tcp://[${ADDRESS}]:5002`];
    const { code, stderr } = await run(args, (said, running) => {
      if (!isUp && said.includes(`waiting for ${ADDRESS}`)) {
        isUp = true;
        ip(link, "link set up1 up");
      }
      // A second signal would cut its shutdown short.
      if (!isReady && /^ready: /m.test(said)) running.kill("SIGTERM");
      isReady = /^ready: /m.test(said);
    });
    assert.equal(code, 0, stderr);
    assert.ok(isUp);
  },
);

test(
  "an agent serves its own host meanwhile, reports what it waits for, and is ready once it has the address",
  { skip: needsRoot },
  async (t) => {
    const { ip, link, folder, run } = await bootedHost(t);
    const url = `tcp://[${ADDRESS}]:5001`;
    const args = [
      "agent",
      ...LAB_WORDS,
      "--name",
      "alpha",
      "--listen",
      `unix://${folder}/s`,
      "--listen",
      url,
    ];
    args.push("--tunnel-ip", ADDRESS, "--state-dir", `${folder}/state`, "--bpffs", `${folder}/bpf`);
    let isUp = false;
    let isDone = false;
    const { code, stderr } = await run(args, (said, running) => {
      if (!isUp && said.includes(`it waits for the address of ${url}`)) {
        isUp = true;
        assert.match(said, /ready: agent alpha serves unix:[^ ]*; it waits/);
        assert.match(said, /fd00:7::1 is on up0, and up0 has no carrier/);
        ip(link, "link set up1 up");
      }
      const hasAll = said.includes(`listening on ${url}`) && said.includes("a tunnel address can be used");
      // A second signal would cut its shutdown short.
      if (!isDone && hasAll) running.kill("SIGTERM");
      isDone = hasAll;
    });
    assert.equal(code, 0, stderr);
    assert.ok(isUp && isDone);
  },
);

test(
  "an address that another host on the link already uses is refused with that reason",
  { skip: needsRoot },
  async (t) => {
    const { ip, link, run } = await bootedHost(t, { probes: 3 });
    // The other host uses the address from the start, whatever its port's state.
    ip(link, "link add other0 type bridge");
    ip(link, "link add any0 type veth peer name any1");
    for (const port of ["any0", "up1"]) ip(link, `link set ${port} master other0`);
    for (const device of ["any0", "any1", "other0"]) ip(link, `link set ${device} up`);
    ip(link, `address add ${ADDRESS}/64 dev other0 nodad`);
    const args = ["registry", ...LAB_WORDS, "--listen", `tcp://[${ADDRESS}]:5002`];
    const { code, stderr } = await run(args, (said) => {
      if (said.includes("waiting for")) ip(link, "link set up1 up");
    });
    assert.equal(code, 1);
    assert.match(
      stderr,
      /use address fd00:7::1: another host on the link has it.*\nhint: give this host another/,
    );
  },
);
