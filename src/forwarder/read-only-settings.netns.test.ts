/** An unprivileged container: /proc/sys is read-only, in the test's own mount namespace. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { needsRoot } from "../../fixtures/linux/netns.ts";

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Makes both kinds of wires, then prints the error for a setting that is not optional. */
const program = `
  import { LinuxMachine } from "${source("../linux/machine/machine.ts")}";
  import { WireMaker } from "${source("../../fixtures/forwarder/wire-maker.ts")}";
  const machine = await LinuxMachine.open();
  const [host, a, b] = ["host", "a", "b"].map((name) => "/run/netns/" + name);
  for (const path of [host, a, b]) await machine.createNetns(path);
  const kernel = await machine.kernel({ host: "file://" + host, bpffs: "/run/netloom-test" });
  const wires = new WireMaker(kernel);
  const end = (path) => ({ type: "KERNEL", netns: "file://" + path, interfaceName: "nl-1" });
  const context = { srcIpAddrs: ["10.0.0.1/32", "fd00::1/128"], dstIpAddrs: ["10.0.0.2/32", "fd00::2/128"] };
  const tunnel = { type: "VXLAN", sourceIp: "10.8.0.1", destinationIp: "10.8.0.2", vni: 7, underlayMtuBytes: 1500 };
  await wires.apply({ connectionId: "near", client: end(a), endpoint: end(b), context });
  await wires.remove("near");
  await wires.apply({ connectionId: "far", client: end(a), endpoint: tunnel, context });
  console.log("made", wires.owners().join());
  const setting = { kind: "sysctl", netns: "host", values: { "net/ipv4/ip_forward": "1" } };
  await kernel.apply([{ verb: "add", object: setting }]).catch((error) => console.log(error.code, error.message));
  await kernel.close();
  await machine.close();
`;

test(
  "wires are made where /proc/sys is read-only, and a required setting fails with an error that names this host",
  { skip: needsRoot },
  () => {
    const script =
      "set -e; mount -t tmpfs tmpfs /run; mount --bind /proc/sys /proc/sys; mount -o remount,ro,bind /proc/sys; " +
      'exec "$NODE" --input-type=module -e "$PROGRAM"';
    const { stdout, stderr, status } = spawnSync(
      "unshare",
      ["--mount", "--propagation", "private", "bash", "-c", script],
      { encoding: "utf8", env: { ...process.env, NODE: process.execPath, PROGRAM: program } },
    );
    assert.equal(status, 0, stderr);
    assert.equal(
      stdout,
      "made far\nFAILED_PRECONDITION add sysctl net/ipv4/ip_forward=1: EROFS: /proc/sys is read-only on this host\n",
    );
  },
);
