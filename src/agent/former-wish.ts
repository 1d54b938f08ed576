/** Converts the wish on an agent's disk to the format of release 0.1.0. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { WantedSchema, WishSchema } from "../api/gen/netloom/agent/v1/state_pb.js";
import type { Document } from "../attachments/wish.ts";
import { seal, unseal } from "../net/seal.ts";
import type { Disk } from "../world/disk.ts";
import { unreadableWish, WISH_FILE, WISH_SEAL } from "./desired-state.ts";

const FORMER_SEAL = { what: WISH_SEAL.what, version: 1 } as const;

/**
 * Writes the wish again, with `toFormer` of each document. Returns the number of documents: 0 if there is no wish, or if
 * release 0.1.0 has written it. FAILED_PRECONDITION for a wish that cannot be read.
 */
export async function writeFormerWish(
  { disk, stateDir }: { readonly disk: Disk; readonly stateDir: string },
  toFormer: (document: Document) => object,
): Promise<number> {
  const bytes = await disk.read(WISH_FILE);
  if (!bytes || unseal(FORMER_SEAL, bytes).ok) return 0;
  const sealed = unseal(WISH_SEAL, bytes);
  if (!sealed.ok) throw unreadableWish(`${stateDir}/${WISH_FILE}`, sealed);
  const { attachments, closing } = fromBinary(WishSchema, sealed.content);
  const former = create(WishSchema, {
    closing,
    attachments: attachments.map(({ document, connectionId }) =>
      create(WantedSchema, {
        document: JSON.stringify(toFormer(JSON.parse(document) as Document)),
        connectionId,
      }),
    ),
  });
  await disk.replace(WISH_FILE, seal(FORMER_SEAL, toBinary(WishSchema, former)));
  await disk.sync(WISH_FILE);
  return attachments.length;
}
