/** The interfaces that the deterministic zone may use (docs/internals/determinism.md has the rules). */
import type { Observation } from "../observe/observation.ts";
import type { Clock } from "../async/clock.ts";
import type { Scope } from "../async/scope.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Store } from "./store.ts";
import type { Disk } from "./disk.ts";
import type { Hops } from "./hops.ts";

export interface Random {
  /**
   * A number in [0, 1) that depends on the host, `purpose` and `n` only, so that an additional draw does not shift the
   * others.
   */
  fraction(purpose: string, n: number): number;
  /** `length` bytes that depend on the same arguments. In production they come from the system's generator. */
  bytes(purpose: string, n: number, length: number): Uint8Array;
}

/** The key of this process, and cryptography. Synchronous, so that signatures happen in the order of the calls. */
export interface Keys {
  digest(data: Uint8Array): Uint8Array;
  /** The public key for verifying signatures of this process: SubjectPublicKeyInfo, DER. RFC 5280 section 4.1.2.7. */
  publicKey(): Uint8Array;
  sign(data: Uint8Array): Uint8Array;
  /** Has the owner of `publicKey` signed `data`? False for an invalid key or a key of another kind. */
  verify(data: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean;
  /** A version 4 UUID, RFC 9562 section 5.4. */
  uuid(): string;
}

/** The runtime of a host: time, randomness, keys, its tasks, and its observations. */
export interface World extends Observation {
  /** The name of the host that this world belongs to. */
  readonly host: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  /** The root scope of all tasks of this world. */
  readonly scope: Scope;
}

/** The outside interfaces of a process. Each component gets only the ones it needs. */
export interface Ports {
  readonly hops: Hops;
  readonly disk: Disk;
  readonly store: Store;
  readonly kernel: Kernel;
}

/** A host with all its ports, for code that assembles its roles. */
export type HostWorld = World & Ports;
