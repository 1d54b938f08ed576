/** Sends echo requests through a wire, from its end on this host. */
import { create } from "@bufbuild/protobuf";
import {
  type PingReply,
  PingReplySchema,
  type PingRequest,
  type Wire,
  type WirePath,
} from "../../api/gen/netloom/admin/v1/admin_pb.js";
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import { farAddressesOf } from "../../elements/path/path-hosts.ts";
import { wiresBehind } from "../../elements/wires/wire-id.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Netns } from "../../kernel/kernel.ts";
import { type Watch, watchOf } from "../../async/watch.ts";
import type { Prober } from "../../kernel/prober.ts";
import type { Scope } from "../../async/scope.ts";
import type { AdminParts } from "./admin-parts.ts";
import { readMeters } from "../../forwarder/meter.ts";
import type { Side } from "../../mechanisms/side.ts";
import { addressOf } from "../../net/ip.ts";
import { type Counted, type ProofEnd, WireProof } from "../../view/wire-proof.ts";
import { findWire } from "./find-wire.ts";

const COUNT = 4;
const MAX_COUNT = 10_000;
const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 1_000;

/** Pings the other end of a wire. NOT_FOUND if there is no such wire, UNIMPLEMENTED if this host cannot send echo requests. */
export function ping(parts: AdminParts, scope: Scope, request: PingRequest): Watch<PingReply> {
  const { prober } = parts;
  if (!prober) throw new NetloomError("UNIMPLEMENTED", "ping a wire: this host cannot send echo requests");
  const wire = findWire(parts, request.wire, "ping");
  const [client, endpoint] = [wire.clientEnd, wire.endpointEnd].map((each) =>
    each?.isPort ? undefined : each,
  );
  const end = client ?? endpoint;
  if (!end && (wire.clientEnd ?? wire.endpointEnd))
    throw new NetloomError(
      "FAILED_PRECONDITION",
      `ping wire ${request.wire}: its end on this host is a port, and only the machine behind the port can send from there`,
      { hint: "ping it from the host of its other end, or from the machine behind the port" },
    );
  const others = (client ? wire.endpointAddresses : wire.clientAddresses).map(addressOf);
  const behind = client && wire.connection ? legsBehind(wire.connection) : [];
  const far = behind.flatMap((leg) => leg.own);
  const addresses = request.address === "" ? [...others, ...far] : [request.address];
  if (!end || addresses.length === 0)
    throw new NetloomError("FAILED_PRECONDITION", `ping wire ${request.wire}: it has no addresses`);
  const rounds = Math.min(MAX_COUNT, request.count || COUNT);
  const timeoutMs = request.timeoutMs || TIMEOUT_MS;
  const probe = new Probing(parts, prober, {
    wire,
    end: { netns: end.netns as Netns, device: end.interface, mtuBytes: wire.mtu, timeoutMs },
    addresses,
    behind,
    intervalMs: request.intervalMs || INTERVAL_MS,
  });
  const life = scope.child(`ping ${wire.id}`);
  let n = 0;
  return watchOf({
    take: async () => {
      if (n > rounds * addresses.length || life.ended) return undefined;
      try {
        if (n === 0) await probe.begin();
        return n < rounds * addresses.length ? await probe.round(n++, life) : (n++, await probe.end());
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

/** A later wire of a service chain. */
interface Leg {
  readonly wireId: string;
  readonly names: Readonly<Record<Side, string>>;
  /** Addresses of its far end. */
  readonly own: readonly string[];
  /** Addresses of its far end, and of all far ends behind it. */
  readonly to: readonly string[];
}

/** The later wires of a service chain, in order, as the functions report them. */
function legsBehind(connection: Connection): Leg[] {
  const wires = wiresBehind(connection).map(({ id, stations }) => ({
    id,
    stations,
    own: farAddressesOf(stations).map(addressOf),
  }));
  return wires.map(({ id, stations, own }, i) => ({
    wireId: id,
    names: { client: `${stations[0]?.name}'s end`, endpoint: `${stations.at(-1)?.name}'s end` },
    own,
    to: wires.slice(i).flatMap((each) => each.own),
  }));
}

interface ProbingOptions {
  readonly wire: Wire;
  readonly end: ProofEnd;
  readonly addresses: readonly string[];
  readonly behind: readonly Leg[];
  readonly intervalMs: number;
}

class Probing {
  readonly #parts: AdminParts;
  readonly #options: ProbingOptions;
  readonly #proof: WireProof;
  /** Start time of the present round, on `Clock.monotonicMs`. */
  #roundMs = 0;
  #before: readonly Counted[] = [];

  constructor(parts: AdminParts, prober: Prober, options: ProbingOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#proof = new WireProof(prober, options.end);
  }

  async begin(): Promise<void> {
    this.#before = await this.#count();
  }

  /** The last message: the problems that were found. */
  async end(): Promise<PingReply> {
    const { wire, addresses, behind } = this.#options;
    for (const address of addresses) await this.#proof.prove(address);
    const after = await this.#count();
    const problems = [
      ...this.#proof.verdict(this.#before[0] ?? {}, after[0] ?? {}),
      ...behind.flatMap((leg, i) =>
        this.#proof.uncounted(this.#before[i + 1] ?? {}, after[i + 1] ?? {}, leg),
      ),
    ];
    return create(PingReplySchema, { ...namesOf(wire), problems });
  }

  /** Packet counts of the wire, and of the wires behind it. */
  async #count(): Promise<Counted[]> {
    const { wire, behind } = this.#options;
    return await Promise.all([wire.id, ...behind.map(({ wireId }) => wireId)].map((id) => this.#countOf(id)));
  }

  /** Counts of the packets towards each side of a wire. For a side on another host these are the packets sent there. */
  async #countOf(wireId: string): Promise<Counted> {
    const { wires, kernel } = this.#parts;
    const made = wires.made.get(wireId);
    if (!made) return {};
    const [client, endpoint] = await readMeters(
      kernel,
      (["client", "endpoint"] as const).map((towards) => ({ ...made, towards })),
    );
    return { ...(client && { client }), ...(endpoint && { endpoint }) };
  }

  /** Sends the n-th request. A round sends to all addresses one after the other; the next round starts after the interval. */
  async round(n: number, scope: Scope): Promise<PingReply> {
    const { wire, addresses, intervalMs } = this.#options;
    const { clock } = this.#parts.world;
    if (n % addresses.length === 0) {
      const waitMs = this.#roundMs + intervalMs - clock.monotonicMs();
      if (n > 0 && waitMs > 0) await clock.sleep(waitMs, scope);
      this.#roundMs = clock.monotonicMs();
    }
    const address = addresses[n % addresses.length] ?? "";
    const { rttMs, reason = "" } = await this.#proof.ping(address);
    return create(PingReplySchema, {
      address,
      sequence: Math.floor(n / addresses.length) + 1,
      reason,
      ...namesOf(wire),
      ...(rttMs !== undefined && { rttMs }),
    });
  }
}

function namesOf({ id, path }: Wire): Pick<PingReply, "wireId"> & { readonly path?: WirePath } {
  return { wireId: id, ...(path && { path }) };
}
