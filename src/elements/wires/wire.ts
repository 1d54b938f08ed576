/** Makes the wire when the answer passes. Upstream: the xconnect, kernel and connectioncontext elements. */
import type { Span } from "../../observe/trace.ts";
import { backoffMs } from "../../async/backoff.ts";
import type { Connection, Mechanism } from "../../api/gen/nsm/connection_pb.js";
import type { Wire } from "../../forwarder/wire.ts";
import { alarmOf, type Call, memoryKey } from "../../chain/call.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { ConnectionElement } from "../connection.ts";
import { deviceOf, type Mechanism as WireMechanism, readMechanism } from "../../mechanisms/list.ts";
import { INCOMING } from "../mechanisms/translate-mechanism.ts";
import { wireOf } from "./wire-of.ts";
import { blame, refuseUnfit, nonsense } from "./wire-blame.ts";
import { forgetGuard } from "./wire-guard.ts";
import { stationsOf, wireIdOf } from "./wire-id.ts";

/** Applies and removes wires: `Reconciler` of src/forwarder. */
export interface Wires {
  /** Called when a wire with this side will probably be applied. */
  expect?(side: WireMechanism): void;
  /** Batches for the kernel are steps of `span`. */
  apply(wire: Wire, span?: Span): Promise<unknown>;
  remove(connectionId: string, span?: Span): Promise<void>;
}

/** The wire as it was last applied, for earlier elements of the chain. */
export const APPLIED = memoryKey<Wire>("wire: applied");

const HELD = memoryKey<string>("wire: held");

/**
 * Guarantees
 * - When the request succeeds, the wire is in the kernel. The other side's answer is checked before the kernel gets it:
 *   an invalid answer is INTERNAL, with all its problems, and an established wire stays unchanged. An error names the
 *   end of the wire that has the cause.
 * - A wire belongs to the connection that requested it last. A later close of an older connection of the same client
 *   does not change the wire.
 * - A close removes the wire first, and always continues. If the kernel refuses the removal, it is retried with pauses
 *   (src/async/backoff.ts) until it works or the wire is requested again.
 */
export function wire(wires: Wires): ConnectionElement {
  /** The connection that has the wire, by wire id. */
  const holders = new Map<string, string>();
  const remove = async (wireId: string, holder: string, span?: Span): Promise<void> => {
    if (holders.get(wireId) !== holder) return;
    await wires.remove(wireId, span);
    if (holders.get(wireId) === holder) holders.delete(wireId);
  };
  return {
    name: "wire",
    async request(call, request, next) {
      const client = call.memory.get(INCOMING);
      const side = client && readMechanism(client);
      if (side && deviceOf(side)) wires.expect?.(side);
      if (request.connection) forgetGuard(request.connection);
      const askedMtu = request.connection?.context?.MTU ?? 0;
      const answer = await next(request);
      if (!client) throw new NetloomError("INVALID_ARGUMENT", `make wire ${wireIdOf(answer)}: no mechanism`);
      const endpoint = answer.networkServiceEndpointName;
      const wanted = read(answer, client, endpoint);
      const ends = { client: stationsOf(answer)[0]?.name ?? "", endpoint, askedMtu };
      refuseUnfit(wanted, ends);
      holders.set(wanted.connectionId, answer.id);
      call.world.retries.over(`remove wire ${wanted.connectionId}`);
      call.memory.set(HELD, wanted.connectionId);
      try {
        await wires.apply(wanted, call.span);
        call.memory.set(APPLIED, wanted);
      } catch (error) {
        throw error instanceof NetloomError ? blame(error, wanted, ends) : error;
      }
      return answer;
    },
    async close(call, connection, next) {
      const held = call.memory.delete(HELD);
      call.memory.delete(APPLIED);
      try {
        if (held !== undefined) await remove(held, connection.id, call.span);
      } catch (error) {
        removeLater(call, `remove wire ${held}`, error, () =>
          call.trigger.guard("remove the wire", () => remove(held ?? "", connection.id)),
        );
        throw error;
      } finally {
        await next(connection);
      }
    },
  };
}

function removeLater(call: Call, name: string, failure: unknown, remove: () => Promise<void>): void {
  if (!(failure instanceof NetloomError)) return;
  const { random, retries } = call.world;
  const failures = retries.failed(name, failure);
  alarmOf(call).set(name, backoffMs(failures, random.fraction(name, failures)), async () => {
    try {
      await remove();
      retries.over(name);
    } catch (error) {
      removeLater(call, name, error, remove);
      throw error;
    }
  });
}

function read(answer: Connection, client: Mechanism, endpoint: string): Wire {
  try {
    return wireOf(answer, client);
  } catch (error) {
    if (!(error instanceof NetloomError)) throw error;
    throw nonsense(endpoint, [error.message], error);
  }
}
