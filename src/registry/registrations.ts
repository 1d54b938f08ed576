/**
 * The end of a registry's chain: what is registered, in memory for those who ask and in a `Store` for the next start.
 *
 * Guarantees
 * - What is seen is stored: an entry is found, and its registration answered, once the store has it.
 * - Only changes are written. A registration that says what is known already costs no write and wakes nobody but those
 *   who asked for it.
 * - If the store takes no more, registrations are refused with its error, and finds go on. What has expired goes away
 *   all the same, and is taken out of the store as soon as that is possible.
 */
import type { Store } from "../world/store.ts";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { RegistrationSchema } from "../api/gen/netloom/registry_pb.js";
import type { Call } from "../chain/call.ts";
import type { Station } from "../chain/element.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Principal } from "../world/peer.ts";
import type { World } from "../world/world.ts";
import { Catalog, type Cataloged } from "./catalog.ts";
import { type Listed, sameBytes } from "./entry-kind.ts";
import { hostTextOf } from "./host-names.ts";
import { leaseOf } from "./lease-metadata.ts";
import { ownerRecord, readOwner, readOwnerText } from "./owner-record.ts";
import { hasUnknownOutcome, RecordStore } from "./record-store.ts";

/** An entry and whose it is. */
export interface Registered extends Listed {
  readonly owner: Principal;
  /** Name of the owner's lease; empty if it has one of its own. */
  readonly lease: string;
  /** The host that it came from, as that called itself; empty if it did not. */
  readonly host: string;
  /** Of the store. */
  readonly revision: number;
}

/** The largest entry, encoded. Upstream has no limit but that of a message. */
export const MAX_ENTRY_BYTES = 65_536;

export interface RegistrationsKind<T> extends Cataloged<T> {
  list(entry: T): Listed;
  expirationOf(entry: T): number | undefined;
}

export class Registrations<T> implements Station<T, T> {
  readonly catalog: Catalog<T, Registered>;
  readonly #kind: RegistrationsKind<T>;
  readonly #records: RecordStore;

  private constructor(world: World, store: Store, kind: RegistrationsKind<T>) {
    this.#records = new RecordStore(world, store, `${kind.noun}s/`);
    this.#kind = kind;
    this.catalog = new Catalog<T, Registered>(kind);
  }

  /** Everything that the store has is there at once. What cannot be read is left out, and left in the store. */
  static async load<T>(world: World, store: Store, kind: RegistrationsKind<T>): Promise<Registrations<T>> {
    const registrations = new Registrations(world, store, kind);
    for (const { value, revision } of await registrations.#records.list()) {
      const found = registrations.#read(value, revision);
      if (found) registrations.catalog.put(found);
    }
    return registrations;
  }

  /** Whom a name belongs to. */
  ownerOf(name: string): Principal | undefined {
    return this.catalog.get(name)?.owner;
  }

  /** What is registered under this name. */
  get(name: string): T | undefined {
    const known = this.catalog.get(name);
    return known && this.#kind.entryOf(known);
  }

  /** Is this what is registered already? */
  has(entry: T): boolean {
    const { name, bytes } = this.#kind.list(entry);
    const known = this.catalog.get(name);
    return known !== undefined && sameBytes(known.bytes, bytes);
  }

  async request(call: Call, entry: T): Promise<T> {
    const listed = this.#kind.list(entry);
    if (listed.bytes.length > MAX_ENTRY_BYTES) {
      throw new NetloomError(
        "INVALID_ARGUMENT",
        `register ${this.#kind.noun} ${listed.name}: it has ${listed.bytes.length} bytes, and at most ${MAX_ENTRY_BYTES} are allowed`,
      );
    }
    const known = this.catalog.get(listed.name);
    // Whoever may change it has it; who says the same again does not.
    const owner = known && sameBytes(known.bytes, listed.bytes) ? known.owner : call.peer.principal;
    const lease = leaseOf(call.metadata);
    const host = hostTextOf(call.metadata);
    const isStored = known?.lease === lease && !this.#records.isUncertain(listed.name);
    if (known && isStored && sameBytes(known.bytes, listed.bytes)) {
      this.catalog.touch(listed.name);
      return entry;
    }
    const revision = await this.#put(listed.name, encode({ ...listed, owner, lease, host }), known);
    this.catalog.put({ ...listed, owner, lease, host, revision });
    if (known && sameBytes(known.bytes, listed.bytes)) this.catalog.touch(listed.name);
    return entry;
  }

  async close(call: Call, entry: T): Promise<void> {
    const { name } = this.#kind.keysOf(entry);
    const seen = this.catalog.get(name)?.revision ?? 0;
    if (call.reason === "lost") this.catalog.remove(name);
    try {
      await this.#records.delete(name, seen);
    } catch (error) {
      if (call.reason !== "lost" || !(error instanceof NetloomError)) throw error;
      this.#records.forget(name);
    }
    this.catalog.remove(name);
  }

  /** One that may have been stored without an answer is not left behind. */
  async #put(name: string, value: Uint8Array, known: Registered | undefined): Promise<number> {
    try {
      return await this.#records.put(name, value, known?.revision ?? 0);
    } catch (error) {
      if (!known && hasUnknownOutcome(error)) this.#records.forget(name);
      throw error;
    }
  }

  #read(value: Uint8Array, revision: number): Registered | undefined {
    try {
      const record = fromBinary(RegistrationSchema, value);
      const { entry, lease, host } = record;
      const owner = record.owner ? readOwner(record.owner) : readOwnerText(record.ownerText);
      if (!owner) return undefined;
      return { ...this.#kind.list(this.#kind.entryOf({ bytes: entry })), owner, lease, host, revision };
    } catch {
      return undefined;
    }
  }
}

function encode({ bytes, owner, lease, host }: Omit<Registered, "revision">): Uint8Array {
  const record = { entry: bytes, owner: ownerRecord(owner), lease, host };
  return toBinary(RegistrationSchema, create(RegistrationSchema, record));
}
