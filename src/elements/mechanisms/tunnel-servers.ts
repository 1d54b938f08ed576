/** The far side of a tunnel, for every type that there is. */
import { memoryKey } from "../../chain/call.ts";
import { REMOTE_TYPES } from "../../mechanisms/list.ts";
import type { RemoteType } from "../../mechanisms/mechanism-type.ts";
import { readNumber } from "../../mechanisms/parameters.ts";
import type { ServerMechanism } from "./mechanisms.ts";
import { isClash, isTaken, limitMtu, taken, tunnelHost, type TunnelOptions } from "./tunnel-options.ts";
import { wireIdOf } from "../wires/wire-id.ts";

export function tunnelServers(
  options: TunnelOptions,
  types: readonly RemoteType[] = REMOTE_TYPES,
): ServerMechanism[] {
  return types.map((type) => tunnelServer(type, options));
}

/**
 * Guarantees
 * - A proposed identifier is kept if no other wire of this host has it; otherwise, and if the kernel refuses it because of a
 *   stranger's device, the near side is told that it is taken. Without a proposal one is drawn.
 */
function tunnelServer(type: RemoteType, options: TunnelOptions): ServerMechanism {
  const held = memoryKey<number>(`tunnel-servers: ${type.type}`);
  const heldBefore = memoryKey<number>(`tunnel-servers: ${type.type} before this request`);
  const { key, last } = type.identifier;
  const host = tunnelHost(options, type);
  const pool = options.identifiers.of(type);
  const own = options.addresses[0] ?? "this host";
  return {
    type: type.type,
    request(call, connection, mechanism) {
      const accepted = type.accept(mechanism.parameters, host);
      const before = call.memory.get(held);
      const proposed = readNumber(mechanism.parameters[key], last) ?? 0;
      const [wireId, holder] = [wireIdOf(connection), connection.id];
      const id = proposed || (before ?? pool.take(wireId, { holder }));
      if (!pool.claim(id, wireId, holder)) throw taken(type, id, own);
      if (before !== undefined && before !== id) call.memory.set(heldBefore, before);
      call.memory.set(held, id);
      mechanism.cls = type.cls;
      mechanism.parameters = { ...accepted, [key]: String(id) };
      limitMtu(connection, mechanism);
    },
    answered(call, connection) {
      const before = call.memory.delete(heldBefore);
      if (before !== undefined) pool.release(before, connection.id);
      limitMtu(connection, connection.mechanism);
    },
    failed(call, error) {
      const id = call.memory.get(held);
      if (id === undefined || !isTaken(error, type, id)) return error;
      if (isClash(error, type, id)) pool.avoid(id);
      return taken(type, id, own);
    },
    close(call, { id: holder }) {
      for (const each of [held, heldBefore]) {
        const id = call.memory.delete(each);
        if (id !== undefined) pool.release(id, holder);
      }
    },
  };
}
