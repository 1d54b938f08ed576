/**
 * The owners of host names in the mesh. With each sign of life an agent sends its host's name and its URL for other hosts, beside
 * the message: `netloom-host: alpha tcp://10.0.0.1:5001`. Other registries ignore it.
 *
 * Guarantees
 * - A name belongs to the URL that it came with, at all registries of one store, until one lease after its last sign of life.
 *   Until then every other URL is refused (PERMISSION_DENIED); an agent that restarts with the same URL has the name at once.
 * - An agent that sends no name is not checked.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { HostNameSchema } from "../../api/gen/netloom/registry_pb.js";
import type { NetworkServiceEndpoint } from "../../api/gen/nsm/registry_pb.js";
import { KeyedMutex } from "../../async/keyed-mutex.ts";
import type { Element } from "../../chain/element.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Metadata } from "../../world/hops.ts";
import { isSamePrincipal, type Principal, principalText } from "../../world/peer.ts";
import { decideAnew } from "../decide-anew.ts";
import { hostLeaseName } from "../leases/lease-book.ts";
import { leaseOf } from "../leases/lease-metadata.ts";
import { ownerRecord, readOwner } from "./owner-record.ts";
import type { Shelf, StoreView } from "../store-view.ts";

const HOST = "netloom-host";
const MAX_LENGTH = 1024;
/** Most hosts behind one address. */
const MAX_OF_PEER = 1024;

export interface HostOfCall {
  readonly name: string;
  /** The URL at which other hosts reach the host's agent. */
  readonly url: string;
}

/** The sender of a host's name. */
interface Claimant {
  readonly peer: Principal;
  /** Name of the lease of the agent's present life; empty if it gives none. */
  readonly lease: string;
}

interface Holder {
  readonly url: string;
  readonly peer: Principal;
  /** Name of the lease in the store. */
  readonly lease: string;
  readonly revision: number;
}

export function withHost(metadata: Metadata | undefined, { name, url }: HostOfCall): Metadata {
  return { ...metadata, [HOST]: `${name} ${encodeURI(url)}` };
}

/** The host that the caller names. `undefined` if it names none; INVALID_ARGUMENT if the text cannot be read. */
export function hostOf(metadata: Metadata | undefined): HostOfCall | undefined {
  return readHost(metadata?.[HOST] ?? "");
}

/** Parses the text of `withHost`; `undefined` for an empty one. */
export function readHost(text: string): HostOfCall | undefined {
  if (text === "") return undefined;
  const [name = "", url = ""] = text.split(" ", 2);
  try {
    if (name !== "" && url !== "" && text.length <= MAX_LENGTH) return { name, url: decodeURI(url) };
  } catch {
    // Refused like any other invalid text.
  }
  throw new NetloomError(
    "INVALID_ARGUMENT",
    `read ${HOST} beside a call: expected a name and a URL, up to ${MAX_LENGTH} bytes`,
  );
}

export class HostNames implements Shelf {
  readonly prefix = "hosts/";
  readonly #view: StoreView;
  readonly #leaseMs: number;
  readonly #holders = new Map<string, Holder>();
  readonly #turns = new KeyedMutex<string>();

  constructor({ view, leaseMs }: { readonly view: StoreView; readonly leaseMs: number }) {
    this.#view = view;
    this.#leaseMs = leaseMs;
    view.add(this);
  }

  /** A sign of life of a host, which keeps its lease alive. Returns the duration of the lease in milliseconds. */
  async claim(host: HostOfCall, { peer, lease }: Claimant): Promise<number> {
    const { name } = host;
    const decide = () => this.#claim(host, peer, storeLease(host, { peer, lease }));
    return await this.#turns.take([name], () => decideAnew({ view: this.#view, shelf: this, name }, decide));
  }

  /** Whether the name belongs to this life of the host, as far as this registry knows. */
  isHolder(host: HostOfCall, claimant: Claimant): boolean {
    const holder = this.#holders.get(host.name);
    return holder?.url === host.url && holder.lease === storeLease(host, claimant);
  }

  revisionOf(name: string): number {
    return this.#holders.get(name)?.revision ?? 0;
  }

  names(): Iterable<string> {
    return this.#holders.keys();
  }

  put(name: string, value: Uint8Array, revision: number): void {
    this.#holders.set(name, readHolder(value, revision));
  }

  remove(name: string): void {
    this.#holders.delete(name);
  }

  async #claim(host: HostOfCall, peer: Principal, lease: string): Promise<number> {
    const { name, url } = host;
    const holder = this.#holders.get(name);
    if (holder && holder.url !== "" && holder.url !== url) throw this.#refusal(host, peer, holder);
    if (holder?.url === url && holder.lease === lease) {
      const ttlMs = await this.#keepAlive(name, lease);
      if (ttlMs !== undefined) return ttlMs;
    }
    if (!holder || !isSamePrincipal(holder.peer, peer)) this.#assertRoom(host, peer);
    const value = toBinary(HostNameSchema, create(HostNameSchema, { url, owner: ownerRecord(peer), lease }));
    await this.#view.put(this, name, value, {
      lease: { name: lease, ttlMs: this.#leaseMs },
      show: (revision) => this.#holders.set(name, { url, peer, lease, revision }),
    });
    return this.#leaseMs;
  }

  /** `undefined` if the lease is over; the name is then dropped here. */
  async #keepAlive(name: string, lease: string): Promise<number | undefined> {
    try {
      return await this.#view.keepAlive(lease);
    } catch (error) {
      if (!(error instanceof NetloomError) || error.code !== "NOT_FOUND") throw error;
      await this.#view.refresh(this, name);
      return undefined;
    }
  }

  #assertRoom({ name }: HostOfCall, peer: Principal): void {
    let count = 0;
    for (const holder of this.#holders.values()) if (isSamePrincipal(holder.peer, peer)) count += 1;
    if (count < MAX_OF_PEER) return;
    throw new NetloomError(
      "RESOURCE_EXHAUSTED",
      `take host ${name} of ${principalText(peer)} into the mesh: this peer has ${count} hosts already`,
    );
  }

  #refusal(host: HostOfCall, peer: Principal, holder: Holder): NetloomError {
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

function storeLease({ name, url }: HostOfCall, { peer, lease }: Claimant): string {
  return hostLeaseName(peer, lease) ?? `host name ${name} ${url}`;
}

/** A record that cannot be read keeps no host out. */
function readHolder(value: Uint8Array, revision: number): Holder {
  try {
    const { url, owner, lease } = fromBinary(HostNameSchema, value);
    const peer = owner && readOwner(owner);
    if (peer) return { url, peer, lease, revision };
  } catch {
    // Handled like any unreadable record.
  }
  return { url: "", peer: { kind: "self" }, lease: "", revision };
}

/** Claims the host's name with each registration; refuses the registration if the name is refused. */
export function claimHost(hosts: HostNames): Element<NetworkServiceEndpoint, NetworkServiceEndpoint> {
  return {
    name: "claim-host",
    async request(call, endpoint, next) {
      const host = hostOf(call.metadata);
      const claimant = { peer: call.peer.principal, lease: leaseOf(call.metadata) };
      // A registration under the host's lease keeps that lease alive itself.
      const isKept = host && claimant.lease !== "" && hosts.isHolder(host, claimant);
      if (host && !isKept) await hosts.claim(host, claimant);
      return await next(endpoint);
    },
    close: (_call, endpoint, next) => next(endpoint),
  };
}
