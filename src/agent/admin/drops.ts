/** The drops of a host's data path, in the form of its status. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  DropSchema,
  type HostStatus,
  OffenceSchema,
  StrangerSchema,
} from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { NetloomError } from "../../errors/errors.ts";
import { DROP_WORDS, type Offence } from "../../kernel/drops.ts";
import { endOf, isBorrowed } from "../../mechanisms/list.ts";
import { readAlias, sideBeside } from "../../mechanisms/naming.ts";
import type { Side } from "../../mechanisms/side.ts";
import type { AdminParts } from "./admin-parts.ts";

type DropParts = Pick<AdminParts, "kernel" | "world" | "wires">;

/** The drops. An empty result if the kernel does not report them: the status must work when the kernel does not. */
export async function toldDrops({
  kernel,
  world,
  wires,
}: DropParts): Promise<Partial<Pick<HostStatus, "drops" | "strangers" | "offences">>> {
  try {
    const { counts, strangers, offences } = await kernel.drops();
    return {
      drops: counts.map(({ reason, packets, agoMs }) =>
        create(DropSchema, {
          reason,
          words: DROP_WORDS[reason],
          packets: BigInt(packets),
          lastAt: timestampFromMs(Math.floor(world.clock.wallMs() - agoMs)),
        }),
      ),
      strangers: strangers.map(({ packets, ...from }) =>
        create(StrangerSchema, { ...from, packets: BigInt(packets) }),
      ),
      offences: offences.map((each) =>
        create(OffenceSchema, {
          ...senderOf(wires, each),
          reason: each.reason,
          packets: BigInt(each.packets),
        }),
      ),
    };
  } catch (error) {
    if (error instanceof NetloomError) return {};
    throw error;
  }
}

/** The wire and the side that sent the refused packet. */
function senderOf(
  wires: DropParts["wires"],
  { link, alias = "", isArrived }: Offence,
): { readonly wire?: string; readonly side?: Side } {
  const read = readAlias(alias);
  if (read) return { wire: read.owner, side: isArrived ? sideBeside(read) : read.side };
  for (const [id, { wire }] of wires.made)
    for (const side of ["client", "endpoint"] as const)
      if (isBorrowed(wire[side]) && endOf(wire[side])?.interfaceName === link) return { wire: id, side };
  return {};
}
