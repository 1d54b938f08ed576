/**
 * Existing devices as ends of a wire. Upstream has none: its forwarders make every device (sdk-kernel, sdk-vpp), or
 * move one into the client (sdk-sriov).
 */
import type { Connection, Mechanism, PathSegment } from "../../api/gen/nsm/connection_pb.js";
import { copyMessage } from "../../api/copy-message.ts";
import { NetloomError, onSide } from "../../errors/errors.ts";
import { LOCAL_TYPES } from "../../mechanisms/list.ts";
import type { BorrowingKernel } from "../../mechanisms/mechanism-type.ts";
import type { Side } from "../../mechanisms/side.ts";
import { connectionOf, type ConnectionElement, ownSegment } from "../connection.ts";
import { INCOMING } from "../mechanisms/translate-mechanism.ts";
import { limitMtu } from "../mechanisms/tunnel-options.ts";

/** Key of a forwarder's metrics: the ends on its host that are ports, so that the MACs behind them are unknown. */
const LEARNED_MACS = "learned_macs";

/**
 * For a forwarder, before any element that reads the client's mechanism.
 *
 * Guarantees
 * - The description of a borrowed device is what the kernel reports at this request. A device in which no wire can end
 *   is refused before the endpoint is asked.
 * - The MTU of the context is at most that of the device.
 * - The forwarders of other hosts learn that they must ask for the MAC at that end.
 */
export function borrowClient(kernel: BorrowingKernel): ConnectionElement {
  return {
    name: "borrow-client",
    async request(call, request, next) {
      const connection = connectionOf(request);
      const client = await borrow(kernel, call.memory.get(INCOMING), "client");
      if (client) call.memory.set(INCOMING, client);
      limitMtu(connection, client);
      say(connection, "client", client !== undefined);
      const answer = await next(request);
      say(answer, "client", client !== undefined);
      return answer;
    },
  };
}

/**
 * The same for the endpoint's mechanism, behind any element that reads it: a device is refused before anything is made.
 */
export function borrowEndpoint(kernel: BorrowingKernel): ConnectionElement {
  return {
    name: "borrow-endpoint",
    async request(_call, request, next) {
      const answer = await next(request);
      const endpoint = await borrow(kernel, answer.mechanism, "endpoint");
      if (endpoint) answer.mechanism = endpoint;
      limitMtu(answer, endpoint);
      say(answer, "endpoint", endpoint !== undefined);
      return answer;
    },
  };
}

/** The ends that a forwarder on the way has marked as ports. */
export function learnedOf(stations: readonly PathSegment[]): Side[] {
  const said = new Set(stations.flatMap(({ metrics }) => metrics[LEARNED_MACS]?.split(",") ?? []));
  return (["client", "endpoint"] as const).filter((side) => said.has(side));
}

function say(connection: Connection, side: Side, isLearned: boolean): void {
  const own = ownSegment(connection);
  if (!own) return;
  const others = learnedOf([own]).filter((each) => each !== side);
  const sides = [...others, ...(isLearned ? [side] : [])];
  if (sides.length > 0) own.metrics[LEARNED_MACS] = sides.join(",");
  else delete own.metrics[LEARNED_MACS];
}

/** The mechanism with what the kernel reports; `undefined` for one that borrows nothing. */
async function borrow(
  kernel: BorrowingKernel,
  mechanism: Mechanism | undefined,
  side: Side,
): Promise<Mechanism | undefined> {
  const type = LOCAL_TYPES.find((each) => each.type === mechanism?.type);
  if (!mechanism || !type?.borrow) return undefined;
  const read = type.read(mechanism.parameters);
  // An invalid mechanism is refused, with all its problems, where the wire is read.
  if (!read.ok) return undefined;
  try {
    return Object.assign(copyMessage(mechanism), { parameters: await type.borrow(read.value, kernel) });
  } catch (error) {
    if (!(error instanceof NetloomError)) throw error;
    throw onSide(error, side);
  }
}
