/**
 * Which host of the mesh has which name. An agent says with each sign of life what it is called and under which URL
 * others reach it, beside the message: `netloom-host: alpha tcp://10.0.0.1:5001`. Other registries pay no heed to it.
 *
 * Guarantees
 * - A name belongs to the URL that it came with, until nothing was heard of it for a lease. Meanwhile it is refused to
 *   every other URL (PERMISSION_DENIED); an agent that starts again under the same one has it at once.
 * - Who does not say what it is called is asked for nothing.
 */
import type { NetworkServiceEndpoint } from "../api/gen/nsm/registry_pb.js";
import type { Element } from "../chain/element.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Clock } from "../async/clock.ts";
import type { Metadata } from "../world/hops.ts";
import { isSamePrincipal, type Principal, principalText } from "../world/peer.ts";

const HOST = "netloom-host";
const MAX_LENGTH = 1024;
/** Hosts behind one address. */
const MAX_OF_PEER = 1024;

export interface Host {
  readonly name: string;
  /** Under which other hosts reach its agent. */
  readonly url: string;
}

interface Holder {
  readonly url: string;
  readonly peer: Principal;
  /** On `Clock.monotonicMs`. */
  readonly endsAtMs: number;
}

export function withHost(metadata: Metadata | undefined, { name, url }: Host): Metadata {
  return { ...metadata, [HOST]: `${name} ${encodeURI(url)}` };
}

/** What the caller says it is, as it came; empty if it does not say. */
export function hostTextOf(metadata: Metadata | undefined): string {
  return metadata?.[HOST] ?? "";
}

function readHost(text: string): Host | undefined {
  if (text === "") return undefined;
  const [name = "", url = ""] = text.split(" ", 2);
  try {
    if (name !== "" && url !== "" && text.length <= MAX_LENGTH) return { name, url: decodeURI(url) };
  } catch {
    // As any other text that is none.
  }
  throw new NetloomError(
    "INVALID_ARGUMENT",
    `read ${HOST} beside a call: expected a name and a URL, up to ${MAX_LENGTH} bytes`,
  );
}

export class HostNames {
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #holders = new Map<string, Holder>();

  constructor({ clock, leaseMs }: { readonly clock: Clock; readonly leaseMs: number }) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
  }

  /** A sign of life of the host that `metadata` names. False if it names none; INVALID_ARGUMENT if it cannot be read. */
  claim(metadata: Metadata | undefined, peer: Principal): boolean {
    const host = readHost(hostTextOf(metadata));
    if (!host) return false;
    const holder = this.#holders.get(host.name);
    if (holder && holder.url !== host.url && holder.endsAtMs > this.#clock.monotonicMs())
      throw this.#refusal(host, peer, holder);
    if (!holder || !isSamePrincipal(holder.peer, peer)) this.#assertRoom(host, peer);
    this.#hold(host, peer);
    return true;
  }

  /** What a store has: it has one lease's time to show that it still lives. */
  restore(text: string, peer: Principal): void {
    const host = readHost(text);
    if (host) this.#hold(host, peer);
  }

  #hold({ name, url }: Host, peer: Principal): void {
    this.#holders.set(name, { url, peer, endsAtMs: this.#clock.monotonicMs() + this.#leaseMs });
  }

  #assertRoom({ name }: Host, peer: Principal): void {
    const nowMs = this.#clock.monotonicMs();
    let count = 0;
    for (const [each, holder] of this.#holders) {
      if (holder.endsAtMs <= nowMs) this.#holders.delete(each);
      else if (isSamePrincipal(holder.peer, peer)) count += 1;
    }
    if (count < MAX_OF_PEER) return;
    throw new NetloomError(
      "RESOURCE_EXHAUSTED",
      `take host ${name} of ${principalText(peer)} into the mesh: this peer has ${count} hosts already`,
    );
  }

  #refusal(host: Host, peer: Principal, holder: Holder): NetloomError {
    return new NetloomError(
      "PERMISSION_DENIED",
      `take host ${host.name} at ${host.url} (peer ${principalText(peer)}) into the mesh: there is another host ${host.name}, at ${holder.url} (peer ${principalText(holder.peer)})`,
      {
        topic: "NL-305",
        hint:
          "give each host a name of its own with `netloom agent --name`; if the other one is gone for good, " +
          `its name is free ${Math.ceil(this.#leaseMs / 1000)} s after its last sign of life`,
      },
    );
  }
}

/** A registration comes with the name of its host, and is refused with it. */
export function claimHost(hosts: HostNames): Element<NetworkServiceEndpoint, NetworkServiceEndpoint> {
  return {
    name: "claim-host",
    async request(call, endpoint, next) {
      hosts.claim(call.metadata, call.peer.principal);
      return await next(endpoint);
    },
    close: (_call, endpoint, next) => next(endpoint),
  };
}
