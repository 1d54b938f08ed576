import type { Neighbor } from "../../kernel/kernel.ts";
import * as k from "../netlink/constants.ts";
import {
  decodeNeighbor,
  deleteNeighbor,
  dumpNeighbors,
  newNeighbor,
  replaceNeighbor,
} from "../netlink/neighbor.ts";
import type { LinuxObjectKind, Target } from "../object-kind.ts";
import type { NetnsPlace } from "../namespaces/place.ts";
import { plainObject } from "../batch/plain-object.ts";
import { indexesOf } from "../batch/view.ts";

const addRequest = (object: Neighbor, target: Target): Uint8Array => newNeighbor({ ...object, ...target });
const replaceRequest = (object: Neighbor, target: Target): Uint8Array =>
  replaceNeighbor({ ...object, ...target });

export const neighbor: LinuxObjectKind<Neighbor> = plainObject<Neighbor>({
  addRequest,
  removeRequest: ({ address }, { linkIndex }) => deleteNeighbor({ address, linkIndex }),
  replaceRequest,
  restore: addRequest,
  adding: (_tools, { object, place, target }) => ({
    instead: () =>
      isLearned(place, target.linkIndex, object.address) ? replaceRequest(object, target) : undefined,
  }),
  observe({ mark }, view) {
    const found = indexesOf(view).flatMap((index) =>
      view.place.socket.dump(dumpNeighbors(index), decodeNeighbor),
    );
    return found.flatMap(({ linkIndex, protocol, state, address, mac }): Neighbor[] => {
      const link = view.byIndex.get(linkIndex);
      const isOurs = protocol === mark.protocol && (state & k.NUD_PERMANENT) !== 0;
      if (!link || !isOurs || mac === undefined) return [];
      return [{ kind: "neighbor", netns: view.netns, link: link.name, address, mac }];
    });
  },
});

/** True if the kernel has learned this neighbour itself. */
function isLearned(place: NetnsPlace, linkIndex: number, address: string): boolean {
  return place.socket
    .dump(dumpNeighbors(linkIndex), (message) => decodeNeighbor(message))
    .some((each) => each.address === address && (each.state & k.NUD_PERMANENT) === 0);
}
