/**
 * The kernel carries packets for every address that a document may have:
 *
 *   [alpha/a] ══ one wire for each pair of addresses ══ [alpha/b]
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { needsRoot } from "../../../fixtures/linux/netns.ts";
import { labFixture } from "../../../fixtures/lab/lab.ts";
import { parseLab } from "./parse.ts";
import { wireTexts } from "../../../fixtures/documents/documents.ts";

const skip = needsRoot;

/** Ranges that look special but are ordinary for the kernel. */
const carried = [
  ["0.1.2.3", "0.1.2.4"],
  ["100.64.0.1", "100.64.0.2"],
  ["169.254.7.1", "169.254.7.2"],
  ["192.88.99.1", "192.88.99.2"],
  ["240.0.0.0", "240.0.0.1"],
  ["255.255.255.253", "255.255.255.254"],
  ["::2", "::3"],
  ["64:ff9b::1", "64:ff9b::2"],
  ["2002:a00:1::1", "2002:a00:1::2"],
  ["fec0::1", "fec0::2"],
] as const;

const refused = [
  ["0.0.0.0", "the unspecified address"],
  ["127.1.2.3", "a loopback address"],
  ["224.0.0.1", "a multicast address"],
  ["239.1.1.1", "a multicast address"],
  ["255.255.255.255", "the broadcast address"],
  ["::", "the unspecified address"],
  ["::1", "the loopback address"],
  ["::ffff:10.0.0.1", "an IPv4-mapped address"],
  ["fe80::1", "a link-local address"],
  ["ff02::1", "a multicast address"],
] as const;

function wire(client: string, endpoint: string, n = 0): string {
  const addresses = `{ client: ["${client}"], endpoint: ["${endpoint}"] }`;
  return `{ client: alpha/a/w${n}, endpoint: alpha/b/w${n}, addresses: ${addresses} }`;
}

const head =
  "apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: NAME }\nspec:\n  hosts:\n    alpha: { workloads: [a, b] }\n";

test("every address that a lab may have carries packets", { skip }, async (t) => {
  const lab = await labFixture(t);
  const wires = carried.map(([client, endpoint], n) => wire(client, endpoint, n));
  await lab.up(head + wireTexts(wires));
  const { wires: up } = await lab.assertHealthy();
  assert.equal(up.length, carried.length);
});

for (const [address, what] of refused) {
  test(`${address} is refused as ${what}`, () => {
    const other = address.includes(":") ? "fd00::2" : "10.0.0.2";
    const result = parseLab(head.replace("NAME", "x") + wireTexts([wire(address, other)]), "x.yaml");
    assert.ok(!result.ok);
    assert.deepEqual(
      result.problems.map(({ line, path, message }) => [line, path, message]),
      [[11, "spec.addresses.client[0]", `"${address}" is ${what}, which no interface can have here`]],
    );
  });
}

test("every rate that a file may have is set as it is written", { skip }, async (t) => {
  const lab = await labFixture(t);
  const rates = ["1000gbit", "600gbit", "35gbit", "8001bit"];
  for (const rate of rates) {
    const text = `apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: NAME }\nspec:\n  hosts: { a: {}, b: {} }\n  links: [{ ends: [a, b], rate: ${rate} }]\n`;
    await lab.up(text);
    const again = await lab.up(text);
    assert.deepEqual([rate, again.changed], [rate, false]);
    assert.deepEqual((await lab.status()).underlay.differences, []);
  }
});
