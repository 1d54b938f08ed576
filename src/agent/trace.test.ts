/** A request makes one trace, across all elements, processes and hosts that it passes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type FinishedSpan, tracer } from "../observe/trace.ts";
import type { HostWorld } from "../world/world.ts";
import { AgentMesh, DB, WEB } from "../../fixtures/roles/agent.ts";

function traced(spans: FinishedSpan[]) {
  return (world: HostWorld): HostWorld => ({
    ...world,
    trace: tracer({
      host: world.host,
      clock: world.clock,
      bytes: (purpose, n, length) => world.random.bytes(purpose, n, length),
      exporter: { export: (span) => void spans.push(span) },
    }),
  });
}

test("a request is one trace from the client to the endpoint of another host and its kernels", async () => {
  const spans: FinishedSpan[] = [];
  const mesh = new AgentMesh({ wrap: traced(spans) });
  await mesh.run(async () => {
    await mesh.sleep(100);
    await mesh.apply("beta", DB);
    spans.length = 0;
    await mesh.apply("alpha", WEB);
    const [root] = spans.filter(
      ({ parentId, name }) => parentId === undefined && name === "alpha/a1 request",
    );
    assert.ok(root);
    const tree = spans.filter(({ traceId }) => traceId === root.traceId);
    const has = (host: string, name: string): boolean =>
      tree.some((each) => each.host === host && each.name === name);
    for (const [host, name] of [
      ["alpha", "alpha/a1 request"],
      ["alpha", "manager-alpha request"],
      ["alpha", "forwarder-alpha request"],
      ["alpha", "wire request"],
      ["alpha", "kernel apply"],
      ["beta", "db.beta request"],
      ["beta", "manager-beta request"],
      ["beta", "forwarder-beta request"],
      ["beta", "wire request"],
    ] as const)
      assert.ok(has(host, name), `${name} on ${host}`);
    const ids = new Set(tree.map(({ spanId }) => spanId));
    for (const { parentId, name } of tree)
      assert.ok(parentId === undefined || ids.has(parentId), `the parent of ${name} is in the trace`);
    assert.ok(
      tree.every(({ durationMs }) => durationMs >= 0 && durationMs <= root.durationMs),
      "no step lasts longer than the whole",
    );
  });
});

test("a heal and a refresh each start a new trace", async () => {
  const spans: FinishedSpan[] = [];
  const mesh = new AgentMesh({ wrap: traced(spans) });
  await mesh.runWithWire(async () => {
    spans.length = 0;
    await mesh.restart("beta");
    await mesh.sleep(300_000);
    const begun = new Set(spans.filter(({ parentId }) => parentId === undefined).map(({ name }) => name));
    assert.ok(
      [...begun].some((name) => name.endsWith(" refresh")),
      [...begun].join(", "),
    );
    assert.ok(
      [...begun].some((name) => name.endsWith(" heal")),
      [...begun].join(", "),
    );
  });
});
