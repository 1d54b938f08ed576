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
 * - The description of a borrowed device is from the kernel at this request. A device in which no wire can end is
 *   refused before the request goes to the endpoint.
 * - The MTU of the context is at most that of the device.
 * - The path tells the forwarders of other hosts that they must ask for the MAC at that end.
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
 * The same for the endpoint's mechanism, behind any element that reads it. An unusable device is refused before any
 * object is made.
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

/** The ends that a forwarder on the path has marked as ports. */
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

/** The mechanism with the kernel's description of the device; `undefined` for a mechanism that borrows no device. */
async function borrow(
  kernel: BorrowingKernel,
  mechanism: Mechanism | undefined,
  side: Side,
): Promise<Mechanism | undefined> {
  const type = LOCAL_TYPES.find((each) => each.type === mechanism?.type);
  if (!mechanism || !type?.borrow) return undefined;
  const read = type.read(mechanism.parameters);
  // `wireOf` refuses an invalid mechanism with all its problems.
  if (!read.ok) return undefined;
  try {
    return Object.assign(copyMessage(mechanism), { parameters: await type.borrow(read.value, kernel) });
  } catch (error) {
    if (!(error instanceof NetloomError)) throw error;
    throw onSide(error, side);
  }
}
