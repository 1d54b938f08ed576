/** The counters of a wire in the paths of answers: simulated kernel, virtual time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import { farAddressOf, shopMesh } from "../../../fixtures/roles/mesh.ts";
import { KernelError, type CounterQuery } from "../../kernel/kernel.ts";

/** The numeric metrics of a forwarder's segment. */
function countersOf({ path }: Connection, forwarder: string): Record<string, string> {
  const segment = path?.pathSegments.find(({ name }) => name === forwarder);
  return Object.fromEntries(Object.entries(segment?.metrics ?? {}).filter(([, text]) => /^\d+$/.test(text)));
}

/** 500 bytes from the client to the endpoint in one packet, and nothing back. */
const CARRIED = {
  server_rx_bytes: "500",
  server_rx_packets: "1",
  server_tx_bytes: "0",
  server_tx_packets: "0",
  client_rx_bytes: "0",
  client_rx_packets: "0",
  client_tx_bytes: "500",
  client_tx_packets: "1",
};

for (const [where, forwarders] of [
  ["local", ["forwarder-alpha"]],
  ["remote", ["forwarder-alpha", "forwarder-beta"]],
] as const) {
  test(`a refresh of a ${where} wire reports its traffic in upstream's words; a new wire reads no counters`, async () => {
    const { mesh, alpha, beta, role } = shopMesh(where);
    const asked: CounterQuery[][] = [];
    for (const { kernel } of [alpha, beta]) {
      const read = kernel.counters.bind(kernel);
      kernel.counters = (queries) => {
        asked.push([...queries]);
        return read(queries);
      };
    }
    await mesh.run(async () => {
      const first = await role.request(alpha.caller(), alpha.ask("c1", "shop"));
      assert.deepEqual(asked, []);
      for (const name of forwarders) assert.deepEqual(countersOf(first, name), {});
      mesh.worlds.machine.send(alpha.workloads[0], farAddressOf(first), 500);
      const again = await role.request(alpha.caller(), alpha.ask("c1", "shop"));
      for (const name of forwarders) assert.deepEqual(countersOf(again, name), CARRIED, name);
      assert.deepEqual(
        asked.map(({ length }) => length),
        forwarders.map(() => 2),
        "one call of each kernel, for two devices",
      );
    });
  });
}

test("counters stay as they were when the kernel cannot be read at a refresh", async () => {
  const { mesh, alpha, role } = shopMesh("local");
  await mesh.run(async () => {
    const first = await role.request(alpha.caller(), alpha.ask("c1", "shop"));
    mesh.worlds.machine.send(alpha.workloads[0], farAddressOf(first), 500);
    const second = await role.request(alpha.caller(), alpha.ask("c1", "shop"));
    alpha.kernel.counters = () =>
      Promise.reject(new KernelError("ABORTED", "read counters: the kernel worker is gone"));
    mesh.worlds.machine.send(alpha.workloads[0], farAddressOf(first), 500);
    const third = await role.request(alpha.caller(), alpha.ask("c1", "shop"));
    assert.deepEqual(countersOf(second, "forwarder-alpha"), CARRIED);
    assert.deepEqual(countersOf(third, "forwarder-alpha"), CARRIED);
  });
});
