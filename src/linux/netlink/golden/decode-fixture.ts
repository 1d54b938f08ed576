/** Every decoder, for the tests. */
import { decodeAddress } from "../address.ts";
import { decodeLink } from "../link-decode.ts";
import { type Message, readAck } from "../message-reader.ts";
import { decodeNeighbor } from "../neighbor.ts";
import { decodeNsid } from "../nsid.ts";
import { decodeQdisc } from "../qdisc.ts";
import { decodeRoute } from "../route.ts";
import { decodeRule } from "../rule.ts";

/** By the first type of each family: RTM_NEW…, RTM_DEL… and RTM_GET… follow each other. */
const DECODERS: Record<number, (message: Message) => unknown> = {
  16: decodeLink,
  20: decodeAddress,
  24: decodeRoute,
  28: decodeNeighbor,
  32: decodeRule,
  36: decodeQdisc,
  88: decodeNsid,
};

export const decoders: readonly ((message: Message) => unknown)[] = [readAck, ...Object.values(DECODERS)];

/** The value of a message by its type. */
export function decodeAny(message: Message): unknown {
  return readAck(message) ?? DECODERS[message.type & ~3]?.(message);
}
