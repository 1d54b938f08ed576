/** An owner as a store record. Records of earlier versions have a text instead. */
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { type Owner, Owner_UnixSchema, OwnerSchema } from "../../api/gen/netloom/registry_pb.js";
import type { Principal } from "../../world/peer.ts";

export function ownerRecord(principal: Principal): Owner {
  switch (principal.kind) {
    case "spiffe":
      return create(OwnerSchema, { kind: { case: "spiffe", value: principal.id } });
    case "address":
      return create(OwnerSchema, { kind: { case: "address", value: principal.address } });
    case "unix": {
      const user = principal.uid === undefined ? {} : { uid: principal.uid };
      return create(OwnerSchema, { kind: { case: "unix", value: create(Owner_UnixSchema, user) } });
    }
    case "self":
    default:
      return create(OwnerSchema, { kind: { case: "self", value: create(EmptySchema) } });
  }
}

/** `undefined` for a kind that this version does not know. */
export function readOwner({ kind }: Owner): Principal | undefined {
  switch (kind.case) {
    case "spiffe":
      return { kind: "spiffe", id: kind.value };
    case "address":
      return { kind: "address", address: kind.value };
    case "unix":
      return kind.value.uid === undefined ? { kind: "unix" } : { kind: "unix", uid: kind.value.uid };
    case "self":
      return { kind: "self" };
    case undefined:
    default:
      return undefined;
  }
}

/** Parses the owner texts of versions before 0.1.0: `unix`, `self`, `tcp:10.0.0.1`. `undefined` for any other text. */
export function readOwnerText(text: string): Principal | undefined {
  if (text === "unix" || text === "self") return { kind: text };
  return text.startsWith("tcp:") ? { kind: "address", address: text.slice("tcp:".length) } : undefined;
}
