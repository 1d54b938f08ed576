/**
 * Keeps a host from cutting itself off. The routes of a wire affect only its workload, unless the workload is the
 * host's own namespace: there they may divert packets to the registry, or to the other end of a tunnel.
 *
 * Guarantees
 * - The host's own namespace is a workload only if an option of the agent allows it. It is recognised by its identity
 *   (device and inode), under any name.
 * - In the host's namespace no wire gets an address, a route or a policy that covers the registry or the other end of a
 *   tunnel, and no tunnel leads to an address that a wire has taken.
 */
import { plan } from "../forwarder/plan/plan.ts";
import type { Wire } from "../forwarder/wire.ts";
import { deviceOf, remoteTypeOf } from "../mechanisms/list.ts";
import type { Side } from "../mechanisms/side.ts";
import { contains, formatIp, type IpAddress, type IpPrefix, mustParsePrefix, parseIp } from "../net/ip.ts";
import { hasCode, NetloomError } from "../errors/errors.ts";
import type { Hops } from "../world/hops.ts";
import type { Kernel, Netns } from "../kernel/kernel.ts";
import { attractionsOf, isAttached, ofKind } from "../kernel/objects.ts";
import { LOCAL_TABLE, MAIN_TABLE } from "../kernel/objects/route.ts";

interface Protected {
  /** `the registry` */
  readonly what: string;
  readonly address: IpAddress;
}

/** An address or a route that draws packets into a wire. */
interface Taken {
  /** `the route 10.0.0.0/8` */
  readonly what: string;
  readonly prefix: IpPrefix;
}

const HINT =
  "narrow the addresses and routes of the endpoint, or the client's acceptRoutes, or give the workload a namespace of its own";

export class HostGuard {
  readonly #kernel: Kernel;
  readonly #isAllowed: boolean;
  readonly #hops: Pick<Hops, "addressesOf">;
  readonly #registryUrls: readonly string[];
  /** Prefixes that wires have taken in the host's namespace, by the wire's id. */
  readonly #taken = new Map<string, readonly Taken[]>();
  #host: Promise<Netns> | undefined;

  constructor(
    kernel: Kernel,
    options: {
      /** Default: false. */
      readonly allowHostWorkload?: boolean;
      /** URLs such as `tcp://10.0.0.9:5002`; a host name is looked up for each check. */
      readonly registries: readonly string[];
      readonly hops: Pick<Hops, "addressesOf">;
    },
  ) {
    this.#kernel = kernel;
    this.#isAllowed = options.allowHostWorkload ?? false;
    this.#hops = options.hops;
    this.#registryUrls = options.registries;
  }

  /** The reason why a namespace may not be a workload; `undefined` if it may. `netns` is a name from `Kernel.resolve`. */
  async refusal(netns: Netns): Promise<NetloomError | undefined> {
    if (this.#isAllowed || !(await this.#isHost(netns))) return undefined;
    return new NetloomError(
      "FAILED_PRECONDITION",
      "it is the network namespace of this host itself, and this agent makes no wires there",
      {
        topic: "NL-409",
        hint: "name a namespace of its own, or start the agent with --allow-host-workload",
      },
    );
  }

  /** Checks a wire. FAILED_PRECONDITION if it would cut this host off. `others` are the existing wires. */
  async check(wire: Wire, others: Iterable<Wire>): Promise<void> {
    const own: Side[] = [];
    for (const side of ["client", "endpoint"] as const) {
      const netns = deviceOf(wire[side])?.netns;
      if (netns === undefined || !(await this.#isHost(netns))) continue;
      const refused = await this.refusal(netns);
      if (refused) {
        const { code, message, topic, hint } = refused;
        throw new NetloomError(code, `make a wire in the namespace of its ${side}: ${message}`, {
          topic,
          side,
          hint,
        });
      }
      own.push(side);
    }
    const taken = own.length === 0 ? [] : takenBy(wire, own);
    const registry = taken.length > 0 ? await this.#registry() : [];
    const reached = [...remotes([wire]), ...registry, ...remotes(taken.length > 0 ? others : [])];
    for (const each of reached) refuseIfTaken(each, taken);
    for (const [id, before] of this.#taken)
      if (id !== wire.connectionId) for (const each of remotes([wire])) refuseIfTaken(each, before);
    if (taken.length > 0) this.#taken.set(wire.connectionId, taken);
    else this.#taken.delete(wire.connectionId);
  }

  /** Forgets a wire that is gone. */
  forget(connectionId: string): void {
    this.#taken.delete(connectionId);
  }

  async #registry(): Promise<Protected[]> {
    const texts = await Promise.all(this.#registryUrls.map((url) => this.#hops.addressesOf(url)));
    const addresses = texts.flat().flatMap((text) => parseIp(text) ?? []);
    // No route can divert packets to the host itself.
    return addresses
      .filter((each) => !isLoopback(each))
      .map((address) => ({ what: "the registry", address }));
  }

  /** Whether `netns` is the host's own namespace. A path is resolved at each use. False for a missing path. */
  async #isHost(netns: Netns): Promise<boolean> {
    if (netns === "host") return true;
    const host = await (this.#host ??= this.#kernel.resolve("host").then((found) => found.netns));
    if (netns.startsWith("inode://")) return netns === host;
    try {
      return (await this.#kernel.resolve(netns)).netns === host;
    } catch (error) {
      // A missing namespace is not the host's. Any other error refuses the wire.
      if (!hasCode(error, "NOT_FOUND")) throw error;
      return false;
    }
  }
}

function refuseIfTaken({ what, address }: Protected, taken: readonly Taken[]): void {
  const taker = taken.find(({ prefix }) => contains(prefix, address));
  if (!taker) return;
  throw new NetloomError(
    "FAILED_PRECONDITION",
    `make a wire in the namespace of this host itself: ${taker.what} would divert packets for ${what}, ` +
      `${formatIp(address)}, into the wire, and cut the host off`,
    { topic: "NL-409", hint: HINT },
  );
}

function* remotes(wires: Iterable<Wire>): Generator<Protected> {
  for (const { client, endpoint } of wires) {
    const ends = [
      remoteTypeOf(client)?.vteps(client).source,
      remoteTypeOf(endpoint)?.vteps(endpoint).destination,
    ];
    for (const text of ends) {
      const address = text === undefined ? undefined : parseIp(text);
      if (address) yield { what: "the other end of a tunnel", address };
    }
  }
}

function takenBy(wire: Wire, sides: readonly Side[]): Taken[] {
  const namespaces = new Set(sides.map((side) => deviceOf(wire[side])?.netns));
  const { objects } = plan(wire);
  const own = new Set([...(wire.context.srcIpAddrs ?? []), ...(wire.context.dstIpAddrs ?? [])]);
  // A policy for packets from the wire's own address diverts no packets of the host.
  const narrow = new Set(
    ofKind(objects, "rule").flatMap(({ from = "", table }) => (own.has(from) ? [table] : [])),
  );
  return objects
    .filter(isAttached)
    .filter(({ netns }) => namespaces.has(netns))
    .flatMap(attractionsOf)
    .filter(({ table }) => !narrow.has(table))
    .map(({ table, destination }) => ({
      what: `${whatLeads(table)} ${destination}`,
      prefix: mustParsePrefix(destination),
    }));
}

function whatLeads(table: number): string {
  if (table === LOCAL_TABLE) return "the address";
  return table === MAIN_TABLE ? "the route" : "a policy's route";
}

function isLoopback({ family, bytes }: IpAddress): boolean {
  return family === 4 ? bytes[0] === 127 : bytes.every((byte, i) => byte === (i === 15 ? 1 : 0));
}
