/** Converts the desired state on an agent's disk to the format of release 0.1.0. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { WantedSchema, DesiredStateSchema } from "../api/gen/netloom/agent/v1/state_pb.js";
import type { Document } from "../attachments/spec.ts";
import { seal, unseal } from "../net/seal.ts";
import type { Disk } from "../world/disk.ts";
import { unreadableState, STATE_FILE, STATE_SEAL } from "./desired-state.ts";

const FORMER_SEAL = { what: STATE_SEAL.what, version: 1 } as const;

/**
 * Writes the state again, with `toFormer` of each document. Returns the number of documents: 0 if there is no state, or if
 * release 0.1.0 has written it. FAILED_PRECONDITION for a state that cannot be read.
 */
export async function writeFormerState(
  { disk, stateDir }: { readonly disk: Disk; readonly stateDir: string },
  toFormer: (document: Document) => object,
): Promise<number> {
  const bytes = await disk.read(STATE_FILE);
  if (!bytes || unseal(FORMER_SEAL, bytes).ok) return 0;
  const sealed = unseal(STATE_SEAL, bytes);
  if (!sealed.ok) throw unreadableState(`${stateDir}/${STATE_FILE}`, sealed);
  const { attachments, closing } = fromBinary(DesiredStateSchema, sealed.content);
  const former = create(DesiredStateSchema, {
    closing,
    attachments: attachments.map(({ document, connectionId }) =>
      create(WantedSchema, {
        document: JSON.stringify(toFormer(JSON.parse(document) as Document)),
        connectionId,
      }),
    ),
  });
  await disk.replace(STATE_FILE, seal(FORMER_SEAL, toBinary(DesiredStateSchema, former)));
  await disk.sync(STATE_FILE);
  return attachments.length;
}
