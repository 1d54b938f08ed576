/**
 * The end of a registry's chain: the registrations, in a `Store` that other registries may share, and in memory for queries.
 *
 * Guarantees
 * - Only stored entries are seen: an entry is found, and its registration answered, once the store has it. Entries of other
 *   registries are seen as soon as the store reports them.
 * - Only changes are written. A registration that changes nothing keeps its lease alive, which wakes only the watches that asked
 *   for that.
 * - If the store takes no more, registrations are refused with its error, and finds go on. Entries that the store ends go away.
 * - Unreadable records are left out, and stay in the store until their name is registered again.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { RegistrationSchema } from "../api/gen/netloom/registry_pb.js";
import type { Call } from "../chain/call.ts";
import type { Station } from "../chain/element.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Principal } from "../world/peer.ts";
import { Catalog, type Cataloged } from "./catalog.ts";
import { type Listed, sameBytes } from "./entry-kind.ts";
import { leaseOfCall } from "./leases/expire-in-store.ts";
import { type EndpointLease, type LeaseBook, leaseOfEndpoint } from "./leases/lease-book.ts";
import { ownerRecord, readOwner, readOwnerText } from "./names/owner-record.ts";
import type { Shelf, StoreView } from "./store-view.ts";

/** An entry with its owner. */
export interface Registered extends Listed {
  readonly owner: Principal;
  /** Absent: the entry stays until it is unregistered. */
  readonly lease: EndpointLease | undefined;
  /** Revision in the store. */
  readonly revision: number;
}

/** The largest entry in bytes, encoded. Upstream limits only the size of a message. */
export const MAX_ENTRY_BYTES = 65_536;

export interface RegistrationsKind<T> extends Cataloged<T> {
  list(entry: T): Listed;
  expirationOf(entry: T): number | undefined;
}

export interface RegistrationsOptions<T> {
  readonly view: StoreView;
  readonly kind: RegistrationsKind<T>;
  /** Knows when entries end. Absent: entries do not end. */
  readonly book?: LeaseBook;
}

export class Registrations<T> implements Station<T, T>, Shelf {
  readonly prefix: string;
  readonly catalog: Catalog<T, Registered>;
  readonly #kind: RegistrationsKind<T>;
  readonly #view: StoreView;
  readonly #book: LeaseBook | undefined;
  /** Revisions of unreadable records, by name. */
  readonly #unreadable = new Map<string, number>();

  /** Empty until the view starts. */
  constructor({ view, kind, book }: RegistrationsOptions<T>) {
    this.prefix = `${kind.noun}s/`;
    this.#kind = kind;
    this.#view = view;
    this.#book = book;
    this.catalog = new Catalog<T, Registered>(kind);
    if (book) this.catalog.expirations = () => book.expirations();
    view.add(this);
  }

  /** The owner of a name. */
  ownerOf(name: string): Principal | undefined {
    return this.catalog.get(name)?.owner;
  }

  /** The entry registered under this name. */
  get(name: string): T | undefined {
    const known = this.catalog.get(name);
    return known && this.#kind.entryOf(known);
  }

  /** Whether exactly this entry is registered already. */
  has(entry: T): boolean {
    const { name, bytes } = this.#kind.list(entry);
    const known = this.catalog.get(name);
    return known !== undefined && sameBytes(known.bytes, bytes);
  }

  /** ABORTED if another registry was faster: its entry is known by then. */
  async request(call: Call, entry: T): Promise<T> {
    const listed = this.#kind.list(entry);
    const { name, bytes } = listed;
    if (bytes.length > MAX_ENTRY_BYTES) {
      throw new NetloomError(
        "INVALID_ARGUMENT",
        `register ${this.#kind.noun} ${name}: it has ${bytes.length} bytes, and at most ${MAX_ENTRY_BYTES} are allowed`,
      );
    }
    const known = this.catalog.get(name);
    const isSame = known !== undefined && sameBytes(known.bytes, bytes);
    const lease = leaseOfCall(call);
    if (isSame && isSameLease(known.lease, lease) && (await this.#keepAlive(known))) {
      this.catalog.touch(name);
      return entry;
    }
    // A peer that changes the entry becomes its owner; a peer that repeats it does not.
    const owner = isSame ? known.owner : call.peer.principal;
    await this.#write({ ...listed, owner, lease });
    if (isSame) this.catalog.touch(name);
    return entry;
  }

  /** Changes the lease of the entry under this name. ABORTED as for `request`. */
  async setLease(name: string, lease: EndpointLease): Promise<void> {
    const known = this.catalog.get(name);
    if (known) await this.#write({ ...known, lease });
  }

  async close(_call: Call, entry: T): Promise<void> {
    await this.#view.delete(this, this.#kind.keysOf(entry).name);
  }

  revisionOf(name: string): number {
    return this.catalog.get(name)?.revision ?? this.#unreadable.get(name) ?? 0;
  }

  *names(): IterableIterator<string> {
    for (const { name } of this.catalog.entries()) yield name;
    yield* this.#unreadable.keys();
  }

  put(name: string, value: Uint8Array, revision: number): void {
    const found = this.#read(value, revision);
    if (found?.name === name) {
      this.#show(found);
      return;
    }
    this.remove(name);
    this.#unreadable.set(name, revision);
    this.#view.world.log.warn("a record in the store cannot be read; it is left out", {
      record: this.prefix + name,
    });
  }

  remove(name: string): void {
    this.#unreadable.delete(name);
    this.catalog.remove(name);
    this.#book?.drop(name);
  }

  async #write(entry: Omit<Registered, "revision">): Promise<void> {
    const { name, lease } = entry;
    await this.#view.put(this, name, encode(entry), {
      lease: lease && leaseOfEndpoint(name, lease),
      show: (revision) => this.#show({ ...entry, revision }),
    });
  }

  #show(registered: Registered): void {
    const { name, lease } = registered;
    this.#unreadable.delete(name);
    if (lease) this.#book?.hold(name, lease);
    this.catalog.put(registered);
  }

  /** False if the lease is over; the entry is then dropped here. */
  async #keepAlive({ name, lease }: Registered): Promise<boolean> {
    if (!lease) return true;
    try {
      await this.#view.keepAlive(leaseOfEndpoint(name, lease).name);
      this.#book?.hold(name, lease);
      return true;
    } catch (error) {
      if (!(error instanceof NetloomError) || error.code !== "NOT_FOUND") throw error;
      await this.#view.refresh(this, name);
      return false;
    }
  }

  #read(value: Uint8Array, revision: number): Registered | undefined {
    try {
      const record = fromBinary(RegistrationSchema, value);
      const { entry, hostLease, leaseMs } = record;
      const owner = record.owner ? readOwner(record.owner) : readOwnerText(record.ownerText);
      if (!owner) return undefined;
      const lease = leaseMs > 0 ? { hostLease, leaseMs } : undefined;
      return { ...this.#kind.list(this.#kind.entryOf({ bytes: entry })), owner, lease, revision };
    } catch {
      return undefined;
    }
  }
}

function isSameLease(a: EndpointLease | undefined, b: EndpointLease | undefined): boolean {
  return a?.hostLease === b?.hostLease && a?.leaseMs === b?.leaseMs;
}

function encode({ bytes, owner, lease }: Pick<Registered, "bytes" | "owner" | "lease">): Uint8Array {
  const record = { entry: bytes, owner: ownerRecord(owner), ...lease };
  return toBinary(RegistrationSchema, create(RegistrationSchema, record));
}
