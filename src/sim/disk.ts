import { NetloomError } from "../errors/errors.ts";
import type { Disk } from "../world/disk.ts";
import type { FaultPlan } from "./faults.ts";
import { digestText } from "./hash.ts";
import type { Life } from "./life.ts";
import { between, SimRandom } from "./random.ts";

/** A write that a crash may still undo. */
interface Write {
  readonly kind: "append" | "replace";
  readonly data: Uint8Array;
}

interface File {
  durable: Uint8Array | undefined;
  /**
   * In order. A crash drops the writes after some point of this list, and may keep the first part of the next append (a
   * torn record).
   */
  unsynced: Write[];
}

/** A host's disk, which survives crashes of the host. Reads see unsynced writes; only `sync` makes them durable. */
export class SimDisk {
  readonly #host: string;
  readonly #faults: FaultPlan;
  readonly #random: SimRandom;
  readonly #files = new Map<string, File>();
  #calls = 0;
  #writes = 0;
  #crashes = 0;
  #freeAtMs = 0;

  constructor(host: string, seed: string, faults: FaultPlan) {
    this.#host = host;
    this.#faults = faults;
    this.#random = new SimRandom(seed, host);
  }

  /** The disk for one life of its host. */
  open(life: Life): Disk {
    return {
      read: (name) => this.#call(life, `read ${name}`, "", () => content(this.#file(name))?.slice()),
      append: (name, data) => this.#write(life, name, { kind: "append", data: data.slice() }),
      replace: (name, data) => this.#write(life, name, { kind: "replace", data: data.slice() }),
      sync: (name) => {
        const n = this.#writes++;
        return this.#call(life, `sync ${name}`, "", () => {
          this.#checkFault(n, `sync ${name}`);
          const file = this.#file(name);
          file.durable = content(file);
          file.unsynced = [];
        });
      },
    };
  }

  /** Keeps a leading part of the unsynced writes, chosen by the seed, and drops the rest. */
  crash(): void {
    const n = this.#crashes++;
    for (const [name, file] of this.#files) {
      const kept = between(this.#random, `disk crash ${name}`, n, 0, file.unsynced.length + 1);
      const torn = file.unsynced[kept];
      const survivors = file.unsynced.slice(0, kept);
      if (torn?.kind === "append") {
        const length = between(this.#random, `disk torn ${name}`, n, 0, torn.data.length + 1);
        survivors.push({ kind: "append", data: torn.data.slice(0, length) });
      }
      file.durable = content({ durable: file.durable, unsynced: survivors });
      file.unsynced = [];
    }
  }

  #write(life: Life, name: string, write: Write): Promise<void> {
    const n = this.#writes++;
    const what = `${write.kind} ${name}`;
    return this.#call(life, what, ` ${write.data.length} bytes ${digestText(write.data)}`, () => {
      const fault = this.#faults.disk(this.#host, n);
      if (fault === "full" && write.kind === "append") {
        // ENOSPC after a partial write.
        const length = between(this.#random, "disk full", n, 0, write.data.length);
        this.#file(name).unsynced.push({ kind: "append", data: write.data.slice(0, length) });
      }
      if (fault) throw diskError(what, fault);
      this.#file(name).unsynced.push(write);
    });
  }

  /** A disk runs one call after the other, so calls take effect in order. */
  #call<T>(life: Life, what: string, detail: string, effect: () => T): Promise<T> {
    const nowMs = life.scheduler.nowMs;
    const latencyMs = between(this.#random, "disk latency", this.#calls++, 20, 2000) / 1000;
    this.#freeAtMs = Math.max(nowMs, this.#freeAtMs) + latencyMs;
    return life.call(
      { kind: `disk.${what}`, detail: detail.trim(), delayMs: this.#freeAtMs - nowMs },
      effect,
    );
  }

  #checkFault(n: number, what: string): void {
    const fault = this.#faults.disk(this.#host, n);
    if (fault) throw diskError(what, fault);
  }

  #file(name: string): File {
    let file = this.#files.get(name);
    if (!file) this.#files.set(name, (file = { durable: undefined, unsynced: [] }));
    return file;
  }
}

function diskError(what: string, fault: "full" | "io"): NetloomError {
  return fault === "full"
    ? new NetloomError("RESOURCE_EXHAUSTED", `${what}: ENOSPC: no space left on the disk`)
    : new NetloomError("INTERNAL", `${what}: EIO: input/output error`);
}

function content(file: File): Uint8Array | undefined {
  let bytes = file.durable;
  for (const { kind, data } of file.unsynced) {
    bytes = kind === "append" && bytes ? concat(bytes, data) : data;
  }
  return bytes;
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}
