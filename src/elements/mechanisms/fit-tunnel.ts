/** The near side of a tunnel: fits the MTU of both ends to the ways in both directions. Upstream: sdk-vpp mechanisms/vxlan/mtu */
import { copyMessage } from "../../api/copy-message.ts";
import type { Connection, Mechanism } from "../../api/gen/nsm/connection_pb.js";
import type { WayHolder } from "../../forwarder/ways/tunnel-ways.ts";
import { REMOTE_TYPES } from "../../mechanisms/list.ts";
import type { RemoteType } from "../../mechanisms/mechanism-type.ts";
import { mtuOf } from "../../mechanisms/parameters.ts";
import { connectionOf, type ConnectionElement } from "../connection.ts";
import { limitMtu, narrowed, ofWidth, type TunnelOptions, wayPair, widthUsed } from "./tunnel-options.ts";

/**
 * Comes behind every element that uses the answer.
 *
 * Guarantees
 * - The offer to the far side has the current width of this host's way to it, if known, instead of the MTU agreed on
 *   before. So a narrowed tunnel can grow again.
 * - If an answer is wider than this host's way to the far side, a second request with the width of that way follows at
 *   once, so that both ends have the same MTU. If the far side repeats its answer, this side narrows its MTU alone.
 * - `ways` is notified of the width agreed on, and of the end of its use.
 */
export function fitTunnel(
  options: TunnelOptions,
  types: readonly RemoteType[] = REMOTE_TYPES,
): ConnectionElement {
  const { ways } = options;
  const typeOf = (mechanism: Mechanism | undefined): RemoteType | undefined =>
    types.find(({ type }) => type === mechanism?.type);
  const widthOf = async (type: RemoteType, { parameters }: Mechanism) => {
    const pair = wayPair(options, type, { parameters, towards: "endpoint" });
    return pair && { pair, ownBytes: await ways.widthOf(pair) };
  };
  return {
    name: "fit-tunnel",
    async request(_call, request, next) {
      const kept = connectionOf(request).mechanism;
      const keptType = typeOf(kept);
      if (kept && keptType) {
        const own = await widthOf(keptType, kept);
        kept.parameters = ofWidth(keptType, kept.parameters, own?.ownBytes ?? ways.mostBytes);
      }
      let answer = await next(request);
      const type = typeOf(answer.mechanism);
      const own = type && answer.mechanism && (await widthOf(type, answer.mechanism));
      const holder = holderOf(answer);
      if (!type || !own || !answer.mechanism) {
        ways.drop(holder);
        return answer;
      }
      const fitting = narrowed(type, answer.mechanism.parameters, own.ownBytes);
      if (mtuOf(fitting) < mtuOf(answer.mechanism.parameters)) {
        const again = copyMessage(request);
        const asked = connectionOf(again);
        // With the path of the answer, the stations recognise the same connection.
        if (answer.path) asked.path = copyMessage(answer.path);
        asked.mechanism = Object.assign(copyMessage(answer.mechanism), { parameters: fitting });
        answer = await next(again);
      }
      if (!answer.mechanism) return answer;
      answer.mechanism.parameters = narrowed(type, answer.mechanism.parameters, own.ownBytes);
      limitMtu(answer, answer.mechanism);
      ways.use(holder, { ...own, usedBytes: widthUsed(type, answer.mechanism.parameters) });
      return answer;
    },
    async close(_call, connection, next) {
      ways.drop(holderOf(connection));
      await next(connection);
    },
  };
}

function holderOf({ id }: Connection): WayHolder {
  return { connectionId: id, towards: "endpoint" };
}
