import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { OwnerSchema, RegistrationSchema } from "../../api/gen/netloom/registry_pb.js";
import type { Principal } from "../../world/peer.ts";
import { endpointKind } from "../entry-kind.ts";
import { ownerRecord, readOwner, readOwnerText } from "./owner-record.ts";
import { Registrations } from "../registrations.ts";
import { endpointOf, withHosts } from "../../../fixtures/registry/registry.ts";
import { StoreView } from "../store-view.ts";

const OWNERS: readonly Principal[] = [
  { kind: "spiffe", id: "spiffe://mesh/agent" },
  { kind: "address", address: "fd00::1" },
  { kind: "unix" },
  { kind: "unix", uid: 0 },
  { kind: "unix", uid: 4_294_967_294 },
  { kind: "self" },
];

test("an owner is read back from its record unchanged", () => {
  for (const owner of OWNERS) {
    const bytes = toBinary(OwnerSchema, ownerRecord(owner));
    assert.deepEqual(readOwner(fromBinary(OwnerSchema, bytes)), owner);
  }
  assert.equal(readOwner(create(OwnerSchema)), undefined);
});

test("an owner written by an earlier version is read, and any other text is refused", () => {
  assert.deepEqual(readOwnerText("unix"), { kind: "unix" });
  assert.deepEqual(readOwnerText("self"), { kind: "self" });
  assert.deepEqual(readOwnerText("tcp:10.0.0.1"), { kind: "address", address: "10.0.0.1" });
  for (const text of ["", "root", "unknown"]) assert.equal(readOwnerText(text), undefined);
});

test("a registry opens the store of an earlier version, with the owners of its entries", async () => {
  await withHosts({ alpha: async () => undefined }, async ({ world }) => {
    const alpha = await world("alpha");
    const { bytes } = endpointKind.list(endpointOf("shop-1"));
    const old = toBinary(
      RegistrationSchema,
      create(RegistrationSchema, { entry: bytes, ownerText: "tcp:10.0.0.1" }),
    );
    await alpha.store.put("endpoints/shop-1", old);
    const view = new StoreView({ world: alpha, store: alpha.store });
    const registrations = new Registrations({ view, kind: endpointKind });
    await view.start();
    assert.deepEqual(registrations.ownerOf("shop-1"), { kind: "address", address: "10.0.0.1" });
  });
});
