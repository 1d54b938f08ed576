/** Echo requests through a wire, from its end on this host. */
import { create } from "@bufbuild/protobuf";
import {
  type PingReply,
  PingReplySchema,
  type PingRequest,
  type Wire,
} from "../api/gen/netloom/admin/v1/admin_pb.js";
import { NetloomError } from "../errors/errors.ts";
import type { Counters, Netns } from "../kernel/kernel.ts";
import { type Watch, watchOf } from "../async/watch.ts";
import type { Prober } from "../kernel/prober.ts";
import type { Scope } from "../async/scope.ts";
import type { AdminParts } from "./admin-parts.ts";
import { countProblems, proveWay } from "../forwarder/prove-wire.ts";
import { readMeters } from "../forwarder/meter.ts";
import type { Side } from "../mechanisms/side.ts";
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
    device: end.interface,
    addresses,
    intervalMs: request.intervalMs || INTERVAL_MS,
    timeoutMs: request.timeoutMs || TIMEOUT_MS,
  });
  const life = scope.child(`ping ${wire.id}`);
  let n = 0;
  return watchOf({
    take: async () => {
      if (n > rounds * addresses.length || life.ended) return undefined;
      try {
        if (n === 0) await probe.begin();
        return n < rounds * addresses.length ? await probe.round(n++, life) : await probe.end(n++);
      } catch (error) {
        if (error instanceof NetloomError && life.ended) return undefined;
        throw error;
      }
    },
    close: () => {
      if (!scope.ended && !life.ended) scope.spawn("end a ping", () => life.end());
    },
  });
}

type Counts = Partial<Record<Side, Counters>>;

interface ProbingOptions {
  readonly wire: Wire;
  readonly netns: Netns;
  /** The wire's end there. */
  readonly device: string;
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
  #before: Counts = {};

  constructor(parts: AdminParts, prober: Prober, options: ProbingOptions) {
    this.#parts = parts;
    this.#prober = prober;
    this.#options = options;
  }

  async begin(): Promise<void> {
    this.#before = await this.#count();
  }

  /** The last message: what else was found. */
  async end(sentBefore: number): Promise<PingReply> {
    const { wire, netns, device, addresses, timeoutMs } = this.#options;
    const problems: string[] = [];
    let sent = sentBefore;
    for (const address of addresses) {
      const way = { netns, device, address, mtuBytes: wire.mtu, timeoutMs };
      const proof = await proveWay(this.#prober, way);
      problems.push(...proof.problems);
      sent += proof.sent;
    }
    const after = await this.#count();
    const ends = (["endpoint", "client"] as const).map((side) => ({
      name: `the ${side}'s end`,
      before: this.#before[side],
      after: after[side],
    }));
    return create(PingReplySchema, {
      path: wire.path,
      wireId: wire.id,
      problems: [...problems, ...countProblems(ends, sent)],
    });
  }

  /** What has come towards either side, as far as this host counts it: on the way out of it for one on another host. */
  async #count(): Promise<Counts> {
    const { wires, kernel } = this.#parts;
    const made = wires.made.get(this.#options.wire.id);
    if (!made) return {};
    const [client, endpoint] = await readMeters(
      kernel,
      (["client", "endpoint"] as const).map((towards) => ({ ...made, towards })),
    );
    return { ...(client && { client }), ...(endpoint && { endpoint }) };
  }

  /** All addresses of a round one after the other, the next round after the interval. */
  async round(n: number, scope: Scope): Promise<PingReply> {
    const { wire, netns, device, addresses, intervalMs, timeoutMs } = this.#options;
    const { clock } = this.#parts.world;
    if (n % addresses.length === 0) {
      const waitMs = this.#roundMs + intervalMs - clock.monotonicMs();
      if (n > 0 && waitMs > 0) await clock.sleep(waitMs, scope);
      this.#roundMs = clock.monotonicMs();
    }
    const address = addresses[n % addresses.length] ?? "";
    const { rttMs, reason = "" } = await this.#prober.probe(netns, address, { device, timeoutMs });
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

/** By id, by `[host/]workload/interface` of either end, or by the name of the attachment that has asked for it. */
function findWire(wires: readonly Wire[], { world, agent }: AdminParts, name: string): Wire {
  const asking = new Map(agent.attachments().map((each) => [each.connectionId, each.wish.name]));
  const names = (wire: Wire): string[] => [
    wire.id,
    ...[asking.get(wire.id) ?? []].flat(),
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
