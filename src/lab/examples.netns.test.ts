import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { Pinger } from "../linux/icmp/icmp.ts";
import { needsRoot } from "../../fixtures/linux/netns.ts";
import { labFixture } from "../../fixtures/lab/lab.ts";
import { netnsOf } from "./topology/topology.ts";

const directory = new URL("../../examples/", import.meta.url);

/** MTUs of the wires, in the order of the file. */
const mtus: Readonly<Record<string, readonly number[]>> = {
  "first.yaml": [1446],
  "local.yaml": [1500, 9000],
  "dual-stack.yaml": [1500, 1446, 1446],
  "routed.yaml": [1346],
  "ipv6-underlay.yaml": [1426],
  "mesh.yaml": [1446, 1500],
  "chain.yaml": [1446, 1446],
};

for (const file of readdirSync(directory).filter(
  (name) => name.endsWith(".yaml") && name !== "attachments.yaml",
)) {
  test(
    `examples/${file} comes up, every wire answers up to its MTU, and down removes it`,
    { skip: needsRoot },
    async (t) => {
      const lab = await labFixture(t);
      const text = readFileSync(new URL(file, directory), "utf8").replace(
        /^metadata: .*$/m,
        "metadata: { name: NAME }",
      );
      const { lab: model, durationMs } = await lab.up(text);
      t.diagnostic(`up in ${durationMs.toFixed(0)} ms`);
      const { wires } = await lab.assertHealthy();
      assert.deepEqual(
        wires.map(({ mtuBytes }) => mtuBytes),
        mtus[file],
      );
      for (const [i, { client, endpoint }] of model.wires.entries()) {
        for (const address of endpoint.addresses) {
          const pinger = await Pinger.open(
            lab.machine,
            netnsOf(lab.name, `${client.host}/${client.workload}`),
            address,
          );
          t.after(() => pinger.close());
          const payloadBytes = (wires[i]?.mtuBytes ?? 0) - (address.includes(":") ? 48 : 28);
          assert.notEqual((await pinger.probe({ payloadBytes })).rttMs, undefined, `${address} at full size`);
          assert.equal(
            (await pinger.probe({ payloadBytes: payloadBytes + 1 })).errno,
            "EMSGSIZE",
            `${address} over it`,
          );
        }
      }
      assert.equal((await lab.down()).existed, true);
    },
  );
}
