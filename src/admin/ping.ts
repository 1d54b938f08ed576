/** Echo requests through a wire, from its end on this host. */
import { create } from "@bufbuild/protobuf";
import {
  PingReplySchema,
  type PingReply,
  type PingRequest,
  type Wire,
} from "../api/gen/netloom/admin/v1/admin_pb.js";
import { NetloomError } from "../world/errors.ts";
import type { Netns, Watch } from "../world/kernel.ts";
import type { Prober } from "../world/prober.ts";
import type { Scope } from "../world/scope.ts";
import type { AdminParts } from "./admin-parts.ts";
import { describeWires } from "./wires.ts";

const COUNT = 4;
const MAX_COUNT = 10_000;
const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 1_000;

/** NOT_FOUND if there is no such wire, UNIMPLEMENTED if this host cannot send echo requests. */
export function ping(parts: AdminParts, scope: Scope, request: PingRequest): Watch<PingReply> {
  const { prober } = parts;
  if (!prober) throw new NetloomError("UNIMPLEMENTED", "ping a wire: this host cannot send echo requests");
  const wire = findWire(describeWires(parts), parts, request.wire);
  const end = wire.clientEnd ?? wire.endpointEnd;
  const others = (wire.clientEnd ? wire.endpointAddresses : wire.clientAddresses).map(
    (address) => address.split("/")[0] ?? "",
  );
  const addresses = request.address === "" ? others : [request.address];
  if (!end || addresses.length === 0)
    throw new NetloomError("FAILED_PRECONDITION", `ping wire ${request.wire}: it has no addresses`);
  const rounds = Math.min(MAX_COUNT, request.count || COUNT);
  const probe = new Probing(parts, prober, {
    wire,
    netns: end.netns as Netns,
    addresses,
    intervalMs: request.intervalMs || INTERVAL_MS,
    timeoutMs: request.timeoutMs || TIMEOUT_MS,
  });
  const life = scope.child(`ping ${wire.id}`);
  let n = 0;
  return {
    next: async () => {
      if (n >= rounds * addresses.length || life.ended) return undefined;
      try {
        return await probe.round(n++, life);
      } catch (error) {
        if (error instanceof NetloomError && life.ended) return undefined;
        throw error;
      }
    },
    close: () => {
      if (!scope.ended && !life.ended) scope.spawn("end a ping", () => life.end());
    },
  };
}

interface ProbingOptions {
  readonly wire: Wire;
  readonly netns: Netns;
  readonly addresses: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

class Probing {
  readonly #parts: AdminParts;
  readonly #prober: Prober;
  readonly #options: ProbingOptions;
  /** On `Clock.monotonicMs`: when the first of the present round was sent. */
  #roundMs = 0;

  constructor(parts: AdminParts, prober: Prober, options: ProbingOptions) {
    this.#parts = parts;
    this.#prober = prober;
    this.#options = options;
  }

  /** All addresses of a round one after the other, the next round after the interval. */
  async round(n: number, scope: Scope): Promise<PingReply> {
    const { wire, netns, addresses, intervalMs, timeoutMs } = this.#options;
    const { clock } = this.#parts.world;
    if (n % addresses.length === 0) {
      const waitMs = this.#roundMs + intervalMs - clock.monotonicMs();
      if (n > 0 && waitMs > 0) await clock.sleep(waitMs, scope);
      this.#roundMs = clock.monotonicMs();
    }
    const address = addresses[n % addresses.length] ?? "";
    const { rttMs, reason = "" } = await this.#prober.probe(netns, address, { timeoutMs });
    return create(PingReplySchema, {
      address,
      sequence: Math.floor(n / addresses.length) + 1,
      reason,
      path: wire.path,
      wireId: wire.id,
      ...(rttMs !== undefined && { rttMs }),
    });
  }
}

/** By id, by `[host/]workload/interface` of either end, or by the name of a Connect. */
function findWire(wires: readonly Wire[], { world }: AdminParts, name: string): Wire {
  const names = (wire: Wire): string[] => [
    wire.id,
    ...wire.attachments.flatMap((ref) => (ref.kind === "Connect" ? [ref.name] : [])),
    ...[wire.clientEnd, wire.endpointEnd].flatMap((end) => {
      const short = end && `${end.workload}/${end.interface}`;
      return short ? [short, `${world.host}/${short}`] : [];
    }),
  ];
  const found = wires.filter((wire) => names(wire).includes(name));
  if (found[0] && found.length === 1) return found[0];
  const known = wires.map((wire) => names(wire).at(-1) ?? wire.id);
  throw new NetloomError(
    "NOT_FOUND",
    found.length > 1
      ? `ping wire ${name}: ${found.length} wires are called so`
      : `ping wire ${name}: ${world.host} has no such wire`,
    {
      topic: found.length > 1 ? "NL-202" : "NL-203",
      hint: known.length > 0 ? `its wires are ${known.slice(0, 10).join(", ")}` : "it has none",
    },
  );
}
