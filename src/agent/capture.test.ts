/** The ends that a capture covers, and its end, over the admin service. Real frames are tested in e2e/capture.netns.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AgentMesh, WEB, type HostName } from "../../fixtures/roles/agent.ts";
import {
  Agent as AdminApi,
  type CaptureReply,
  CaptureRequestSchema,
} from "../api/gen/netloom/admin/v1/admin_pb.js";
import { serveAll, watch } from "../api/rpc.ts";
import type { Watch } from "../async/watch.ts";
import { hopTo } from "../registry/hop-to.ts";

function capture(
  mesh: AgentMesh,
  host: HostName,
  of: string,
  options: { filter?: string; snapBytes?: number } = {},
) {
  const { served, world } = mesh.agent(host);
  const request = create(CaptureRequestSchema, { of, ...options });
  return watch(hopTo(serveAll(served), world), AdminApi.method.capture, request);
}

/** The names of the captured ends, from the first answer. */
async function begin(replies: Watch<CaptureReply>): Promise<string[]> {
  return (await replies.take())?.ends.map(({ name }) => name) ?? [];
}

const OTHER = WEB.replace("web-db", "web-too").replace("to-db", "too");

test("a capture covers the named end, the wire's end on this host, or all wires of a workload", async () => {
  const mesh = new AgentMesh();
  await mesh.runWithWire(async () => {
    await mesh.apply("alpha", OTHER);
    for (const [host, of, expected] of [
      ["alpha", "web-db", ["alpha/a1/to-db"]],
      ["alpha", "a1/too", ["alpha/a1/too"]],
      ["alpha", "alpha/a1/too", ["alpha/a1/too"]],
      ["alpha", "a1", ["alpha/a1/to-db", "alpha/a1/too"]],
      ["beta", "beta/b1", ["beta/b1", "beta/b1"]],
    ] as const) {
      const replies = capture(mesh, host, of);
      const names = await begin(replies);
      const found = host === "beta" ? names.map((name) => name.replace(/\/[^/]+$/, "")) : names;
      assert.deepEqual(found, expected, of);
      replies.close();
      assert.equal(await replies.take(), undefined);
    }
  });
});

test("a capture of a wire inside of a host covers the named end", async () => {
  const mesh = new AgentMesh();
  await mesh.runWithWire(async () => {
    await mesh.apply("beta", WEB.replace("lab/alpha/a1", "lab/beta/b2"));
    const byEndpoint = capture(mesh, "beta", "b1");
    assert.equal((await begin(byEndpoint)).length, 2);
    byEndpoint.close();
    const byClient = capture(mesh, "beta", "b2/to-db");
    assert.deepEqual(await begin(byClient), ["beta/b2/to-db"]);
    byClient.close();
  });
});

test("a capture of nothing, or with an invalid filter, is refused with a reason", async () => {
  const mesh = new AgentMesh();
  await mesh.runWithWire(async () => {
    const refusal = async (of: string, options = {}): Promise<string> =>
      await Promise.resolve()
        .then(() => capture(mesh, "alpha", of, options).take())
        .then(String, ({ code, message }: { code: string; message: string }) => `${code} ${message}`);
    assert.equal(await refusal("b1"), "NOT_FOUND capture b1: alpha has no such wire");
    assert.equal(
      await refusal("web-db", { filter: "tcp and prot 53" }),
      'INVALID_ARGUMENT capture web-db: read its filter: column 9: "prot" is not a word of a filter; did you mean "port"?',
    );
    assert.match(
      await refusal("web-db", { snapBytes: 1_000_000 }),
      /^INVALID_ARGUMENT .*262144 are allowed$/,
    );
  });
});

test("a capture ends with a reason when its workload is removed, and when its wire is closed", async () => {
  const mesh = new AgentMesh();
  await mesh.runWithWire(async () => {
    await mesh.apply("alpha", OTHER.replace("lab/alpha/a1", "lab/alpha/a2"));
    const [gone, closed] = [capture(mesh, "alpha", "a1"), capture(mesh, "alpha", "a2")];
    for (const each of [gone, closed]) await begin(each);
    mesh.removeWorkload("alpha", "a1");
    await mesh.agent("alpha").attachments.delete([{ kind: "NetworkServiceClient", name: "web-too" }]);
    assert.deepEqual(
      (await gone.all()).map(({ ended }) => ended),
      ["its workload is gone"],
    );
    assert.deepEqual(
      (await closed.all()).map(({ ended }) => ended),
      ["its device is gone: the wire was closed or replaced"],
    );
  });
});

test("a capture takes turns between wires, cuts frames, and reports their direction", async () => {
  const data = new Uint8Array(200);
  const frame = { timeNs: 5n, isOutgoing: false, data, lengthBytes: 1_000 };
  const mesh = new AgentMesh({ frames: ({ link }) => (link === "quiet" ? [] : [frame]) });
  await mesh.runWithWire(async () => {
    await mesh.apply("alpha", OTHER);
    await mesh.apply("alpha", WEB.replace("web-db", "quiet").replace("to-db", "quiet"));
    const replies = capture(mesh, "alpha", "a1", { snapBytes: 100 });
    assert.equal((await begin(replies)).length, 3);
    const ends: number[] = [];
    for (let n = 0; n < 4; n++) {
      const reply = (await replies.take()) ?? assert.fail("it goes on");
      ends.push(reply.end);
      const [seen] = reply.frames;
      assert.deepEqual(
        [seen?.data.length, seen?.length, seen?.isOutgoing, seen?.toEndpoint],
        [100, 1_000, false, false],
      );
    }
    assert.deepEqual(new Set(ends.slice(0, 2)), new Set(ends.slice(2)));
    assert.notEqual(ends[0], ends[1]);
    replies.close();
  });
});

test("a capture reports the count of frames that its filter drops once a second, and does not block other tasks", async () => {
  const frame = { timeNs: 5n, isOutgoing: true, data: new Uint8Array(60), lengthBytes: 60 };
  const mesh = new AgentMesh({ frames: () => [frame] });
  await mesh.runWithWire(async () => {
    const replies = capture(mesh, "alpha", "web-db", { filter: "tcp" });
    await begin(replies);
    const { clock } = mesh.simulation;
    const startMs = clock.monotonicMs();
    let before = 0n;
    for (let n = 0; n < 3; n++) {
      const { frames, passed, accepted } = (await replies.take()) ?? assert.fail("it goes on");
      assert.deepEqual([frames.length, accepted, passed > before], [0, 0n, true]);
      before = passed;
    }
    assert.ok(clock.monotonicMs() - startMs >= 3_000);
    replies.close();
  });
});
