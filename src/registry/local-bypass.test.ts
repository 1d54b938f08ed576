import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { NetworkServiceEndpointSchema } from "../api/gen/nsm/registry_pb.js";
import type { Call } from "../chain/call.ts";
import { NetloomError } from "../errors/errors.ts";
import { SELF } from "../world/peer.ts";
import { LocalBypass } from "./local-bypass.ts";

const MANAGER = "tcp://10.0.0.1:5001";
// The element reads nothing else of a call.
const call = { peer: SELF } as unknown as Call;

function endpoint(url: string) {
  return create(NetworkServiceEndpointSchema, { name: "db", url });
}

function bypass() {
  const held: string[] = [];
  const bypass = new LocalBypass(MANAGER, (url) => {
    held.push(url);
    return Promise.resolve(() => void held.splice(held.indexOf(url), 1));
  });
  const element = bypass.element();
  return {
    held,
    seen: () => bypass.seen(endpoint(MANAGER), false)?.url,
    register: (url: string, answer?: NetloomError) =>
      element.request?.(call, endpoint(url), (sent) => {
        assert.equal(sent.url, MANAGER);
        return answer ? Promise.reject(answer) : Promise.resolve(sent);
      }),
    close: () => element.close?.(call, endpoint(MANAGER), () => Promise.resolve()),
  };
}

suite("the URL of a local endpoint", () => {
  const refused = new NetloomError("UNAVAILABLE", "register endpoint db: nobody answers");

  test("is its own on this host, and the manager's elsewhere", async () => {
    const { held, seen, register, close } = bypass();
    assert.equal((await register("tcp://a"))?.url, "tcp://a");
    assert.equal(seen(), "tcp://a");
    await close();
    assert.equal(seen(), undefined);
    assert.deepEqual(held, []);
  });

  test("changes with a new registration", async () => {
    const { held, seen, register } = bypass();
    await register("tcp://a");
    await register("tcp://b");
    assert.equal(seen(), "tcp://b");
    assert.deepEqual(held, ["tcp://b"]);
  });

  test("stays if a new registration fails", async () => {
    const { held, seen, register } = bypass();
    await assert.rejects(Promise.resolve(register("tcp://a", refused)), refused);
    assert.equal(seen(), undefined);
    assert.deepEqual(held, []);
    await register("tcp://a");
    for (const url of ["tcp://b", "tcp://a"])
      await assert.rejects(Promise.resolve(register(url, refused)), refused);
    assert.equal(seen(), "tcp://a");
    assert.deepEqual(held, ["tcp://a"]);
  });
});
