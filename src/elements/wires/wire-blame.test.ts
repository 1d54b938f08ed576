import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { NetloomError } from "../../errors/errors.ts";
import { StepRefused } from "../../forwarder/reconcile/explain.ts";
import type { Wire } from "../../forwarder/wire.ts";
import { KernelError, type KernelErrorDetails, type KernelObject, type Netns } from "../../kernel/kernel.ts";
import { blame } from "./wire-blame.ts";

const A: Netns = "file:///run/netns/a";
const B: Netns = "file:///run/netns/b";

function wireBetween(client: Netns, endpoint: Netns): Wire {
  return {
    connectionId: "w1",
    client: { type: "KERNEL", netns: client, interfaceName: "to-db" },
    endpoint: { type: "KERNEL", netns: endpoint, interfaceName: "from-web" },
    context: {},
  };
}

const pair: KernelObject = {
  kind: "veth",
  ends: [
    { netns: A, name: "to-db", mac: "02:00:00:00:00:01", mtuBytes: 1_500, alias: "" },
    { netns: B, name: "from-web", mac: "02:00:00:00:00:02", mtuBytes: 1_500, alias: "" },
  ],
};

function refused(object: KernelObject, details: KernelErrorDetails = {}): NetloomError {
  const kernel = new KernelError("ALREADY_EXISTS", "add it: EEXIST: it exists", {
    errno: "EEXIST",
    ...details,
  });
  const cause = new StepRefused({ verb: "add", object }, kernel);
  return new NetloomError(cause.code, `make wire w1: ${cause.message}`, { cause });
}

function sideOf(error: NetloomError, wire: Wire = wireBetween(A, B)): string | undefined {
  return blame(error, wire, { client: "alpha/a", endpoint: "db.beta", askedMtu: 0 }).side;
}

suite("the end of the wire in an error for a refusal of the kernel", () => {
  test("is the end with the conflicting device, for a pair between two workloads", () => {
    assert.equal(sideOf(refused(pair, { at: { netns: A, link: "to-db" } })), "client");
    assert.equal(sideOf(refused(pair, { at: { netns: B, link: "from-web" } })), "endpoint");
  });

  test("is the end whose namespace is gone", () => {
    assert.equal(sideOf(refused(pair, { at: { netns: B } })), "endpoint");
    const unseen = new KernelError("NOT_FOUND", "look: ENOENT: gone", { errno: "ENOENT", at: { netns: A } });
    assert.equal(sideOf(new NetloomError("NOT_FOUND", "make it", { cause: unseen })), "client");
  });

  test("is the end whose workload cannot get an object", () => {
    const address = { kind: "address", netns: B, link: "from-web", address: "10.0.0.1/32" } as const;
    const rule = { kind: "rule", netns: A, family: 4, priority: 1, table: 7 } as const;
    assert.equal(sideOf(refused(address)), "endpoint");
    assert.equal(sideOf(refused(rule)), "client");
  });

  test("follows from the device if one namespace has both ends", () => {
    const address = { kind: "address", netns: A, link: "from-web", address: "10.0.0.1/32" } as const;
    assert.equal(sideOf(refused(address), wireBetween(A, A)), "endpoint");
  });

  test("is undefined if no place identifies it, even if the message names a device", () => {
    assert.equal(sideOf(refused(pair)), undefined);
    const address = { kind: "address", netns: "host", link: "nlv1", address: "10.0.0.1/32" } as const;
    assert.equal(sideOf(refused(address)), undefined);
    assert.equal(sideOf(new NetloomError("ABORTED", `to-db in ${A} is gone`)), undefined);
  });
});
