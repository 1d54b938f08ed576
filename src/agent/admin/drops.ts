/** What the data path of a host has dropped, as its status tells it. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { DropSchema, type HostStatus, StrangerSchema } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { NetloomError } from "../../errors/errors.ts";
import { DROP_WORDS } from "../../kernel/drops.ts";
import type { AdminParts } from "./admin-parts.ts";

/** Nothing where the kernel does not say: a status is asked for when things are bad. */
export async function toldDrops({
  kernel,
  world,
}: Pick<AdminParts, "kernel" | "world">): Promise<Partial<Pick<HostStatus, "drops" | "strangers">>> {
  try {
    const { counts, strangers } = await kernel.drops();
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
    };
  } catch (error) {
    if (error instanceof NetloomError) return {};
    throw error;
  }
}
