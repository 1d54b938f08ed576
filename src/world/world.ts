/** All that the deterministic zone may reach of its surroundings (docs/internals/determinism.md has the rules). */
import type { Observation } from "../observe/observation.ts";
import type { Clock } from "../async/clock.ts";
import type { Scope } from "../async/scope.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Store } from "./store.ts";
import type { Disk } from "./disk.ts";
import type { Hops } from "./hops.ts";

export interface Random {
  /**
   * A number in [0, 1) that depends on nothing but the host, `purpose` and `n`, so that one draw more or less
   * shifts no other.
   */
  fraction(purpose: string, n: number): number;
  /** `length` bytes, likewise. In production they come from the system's generator. */
  bytes(purpose: string, n: number, length: number): Uint8Array;
}

/**
 * The key of this process, and whatever is computed with keys. Synchronous, so that the order of signatures is the order of the
 * calls.
 */
export interface Keys {
  digest(data: Uint8Array): Uint8Array;
  /** That others verify signatures of this process with: SubjectPublicKeyInfo, DER. RFC 5280 section 4.1.2.7. */
  publicKey(): Uint8Array;
  sign(data: Uint8Array): Uint8Array;
  /** Has the owner of `publicKey` signed `data`? False for what is no key, or one of another kind. */
  verify(data: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean;
  /** A version 4 UUID, RFC 9562 section 5.4. */
  uuid(): string;
}

/** What everything of a host runs on: time, chance, keys, the tasks that it has started, and how it tells what goes on. */
export interface World extends Observation {
  /** Name of the host that this world belongs to. */
  readonly host: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  /** The root of everything that this world has started. */
  readonly scope: Scope;
}

/** The ways to what is outside of a process. Whoever needs one is handed that one. */
export interface Ports {
  readonly hops: Hops;
  readonly disk: Disk;
  readonly store: Store;
  readonly kernel: Kernel;
}

/** A host with all its ports, for who puts its roles together. */
export type HostWorld = World & Ports;
