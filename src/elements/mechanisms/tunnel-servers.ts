/** The far side of a tunnel, for every tunnel type. */
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import { memoryKey } from "../../chain/call.ts";
import type { WayHolder, WayUse } from "../../forwarder/ways/tunnel-ways.ts";
import { REMOTE_TYPES } from "../../mechanisms/list.ts";
import type { RemoteType } from "../../mechanisms/mechanism-type.ts";
import { readNumber } from "../../mechanisms/parameters.ts";
import type { ServerMechanism } from "./mechanisms.ts";
import {
  isClash,
  limitMtu,
  narrowed,
  taken,
  tunnelHost,
  type TunnelOptions,
  wayPair,
  widthUsed,
} from "./tunnel-options.ts";
import { wireIdOf } from "../wires/wire-id.ts";

export function tunnelServers(
  options: TunnelOptions,
  types: readonly RemoteType[] = REMOTE_TYPES,
): ServerMechanism[] {
  return types.map((type) => tunnelServer(type, options));
}

/**
 * Guarantees
 * - A proposed identifier is kept if no other wire of this host has it. If another wire has it, or the kernel refuses
 *   it because of a device that is not Netloom's, the answer to the near side is that the identifier is taken. Without
 *   a proposal the far side draws one.
 * - The answer is as wide as the offer or as this host's way to the near side, whichever is smaller. `ways` is notified
 *   of the width agreed on, and of the end of its use.
 */
function tunnelServer(type: RemoteType, options: TunnelOptions): ServerMechanism {
  const held = memoryKey<number>(`tunnel-servers: ${type.type}`);
  const heldBefore = memoryKey<number>(`tunnel-servers: ${type.type} before this request`);
  const agreedOn = memoryKey<WayUse>(`tunnel-servers: ${type.type} agreed on`);
  const { key, last } = type.identifier;
  const pool = options.identifiers.of(type);
  const own = options.addresses[0] ?? "this host";
  return {
    type: type.type,
    async request(call, connection, mechanism) {
      const host = tunnelHost(options, type, call.memory.get(agreedOn)?.pair.from);
      const accepted = type.accept(mechanism.parameters, host);
      const before = call.memory.get(held);
      const proposed = readNumber(mechanism.parameters[key], last) ?? 0;
      const [wireId, holder] = [wireIdOf(connection), connection.id];
      const id = proposed || (before ?? pool.take(wireId, { holder }));
      if (!pool.claim(id, wireId, holder)) throw taken(type, { id, host: own });
      if (before !== undefined && before !== id) call.memory.set(heldBefore, before);
      call.memory.set(held, id);
      mechanism.cls = type.cls;
      const agreed = { ...accepted, [key]: String(id) };
      const pair = wayPair(options, type, { parameters: agreed, towards: "client" });
      const ownBytes = pair && (await options.ways.widthOf(pair));
      mechanism.parameters = narrowed(type, agreed, ownBytes);
      if (pair)
        call.memory.set(agreedOn, { pair, ownBytes, usedBytes: widthUsed(type, mechanism.parameters) });
      limitMtu(connection, mechanism);
    },
    answered(call, connection) {
      const before = call.memory.delete(heldBefore);
      if (before !== undefined) pool.release(before, connection.id);
      const use = call.memory.get(agreedOn);
      if (use) options.ways.use(holderOf(connection), use);
      limitMtu(connection, connection.mechanism);
    },
    failed(call, error) {
      const id = call.memory.get(held);
      // Another program's device has the identifier in this host's kernel. A refusal of a later station has another
      // reason.
      if (id === undefined || !isClash(error, type, id)) return error;
      pool.avoid(id);
      return taken(type, { id, host: own, cause: error });
    },
    close(call, connection) {
      const { id: holder } = connection;
      if (call.memory.delete(agreedOn)) options.ways.drop(holderOf(connection));
      for (const each of [held, heldBefore]) {
        const id = call.memory.delete(each);
        if (id !== undefined) pool.release(id, holder);
      }
    },
  };
}

function holderOf({ id }: Connection): WayHolder {
  return { connectionId: id, towards: "client" };
}
