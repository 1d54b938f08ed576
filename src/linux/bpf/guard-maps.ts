/**
 * The allowed source prefixes of guards in the maps of the data path: `sources`, a trie that the programs look up, and
 * `grants`, the same prefixes as a list per entry, because a trie cannot be listed by entry. If a process dies in between,
 * the list contains at least the prefixes of the trie.
 */
import { formatPrefix, mustParsePrefix } from "../../net/ip.ts";
import * as k from "../netlink/constants.ts";
import { BPF_ANY, deleteElement, forEachElement, lookupElement, updateElement } from "./bpf.ts";

/** Descriptors of the maps. */
export interface GuardMapFds {
  readonly sources: number;
  readonly grants: number;
}

/** `struct source` and `struct grants_key` of datapath/include/guard.h. */
const SOURCE_BYTES = 28;
/** The bits before the address. */
const ENTRY_BITS = 64;
const GRANTS_KEY_BYTES = 8;
/** An element holds this number of `struct grant`. */
const GRANT_BYTES = 18;
const GRANTS = 8;
const PART_BYTES = GRANT_BYTES * GRANTS;

/** An entry is a key of the map `wires`. */
export class GuardMaps {
  readonly #fds: GuardMapFds;
  readonly #part = Buffer.alloc(PART_BYTES);
  readonly #value = Buffer.alloc(4);

  constructor(fds: GuardMapFds) {
    this.#fds = fds;
  }

  /** The prefixes of an entry in their original order, without prefixes that are missing in the trie. */
  get(entry: number): string[] {
    return this.#list(entry).filter((prefix) => {
      const { key, bits } = sourceKey(entry, prefix);
      return lookupElement(this.#fds.sources, key, this.#value) && this.#value.readUInt32LE() === bits;
    });
  }

  /**
   * Replaces the prefixes of an entry: adds new ones before `turn` and removes old ones after it. RESOURCE_EXHAUSTED if a
   * map is full; nothing is changed then.
   */
  put(entry: number, prefixes: readonly string[], turn: () => void): void {
    const before = this.#list(entry);
    if (before.length === 0 && prefixes.length === 0) return turn();
    const [had, has] = [new Set(before), new Set(prefixes)];
    const added = prefixes.filter((prefix) => !had.has(prefix));
    try {
      if (added.length > 0) this.#write(entry, [...before, ...added]);
      for (const prefix of prefixes) this.#grant(entry, prefix);
      turn();
    } catch (error) {
      for (const prefix of added) this.#revoke(entry, prefix);
      this.#write(entry, before);
      throw error;
    }
    for (const prefix of before) if (!has.has(prefix)) this.#revoke(entry, prefix);
    this.#write(entry, prefixes);
  }

  /** Removes the prefixes of an entry, if there are any. */
  remove(entry: number): void {
    for (const prefix of this.#list(entry)) this.#revoke(entry, prefix);
    this.#write(entry, []);
  }

  /** The entries with prefixes. */
  entries(): Set<number> {
    const found = new Set<number>();
    const sizes = { keyBytes: GRANTS_KEY_BYTES, valueBytes: PART_BYTES };
    forEachElement(this.#fds.grants, sizes, (key) => found.add(key.readUInt32LE(0)));
    return found;
  }

  #grant(entry: number, prefix: string): void {
    const { key, bits } = sourceKey(entry, prefix);
    this.#value.writeUInt32LE(bits);
    updateElement(this.#fds.sources, key, this.#value, BPF_ANY);
  }

  #revoke(entry: number, prefix: string): void {
    deleteElement(this.#fds.sources, sourceKey(entry, prefix).key);
  }

  #list(entry: number): string[] {
    const all: string[] = [];
    for (let part = 0; lookupElement(this.#fds.grants, partKey(entry, part), this.#part); part++)
      for (let at = 0; at < PART_BYTES && this.#part[at] !== 0; at += GRANT_BYTES)
        all.push(decodeGrant(this.#part.subarray(at, at + GRANT_BYTES)));
    return all;
  }

  /** After a failure the beginning is written, which is the same as in the previous list. */
  #write(entry: number, prefixes: readonly string[]): void {
    let part = 0;
    for (; part * GRANTS < prefixes.length; part++) {
      const value = Buffer.alloc(PART_BYTES);
      for (const [i, prefix] of prefixes.slice(part * GRANTS, (part + 1) * GRANTS).entries())
        encodeGrant(prefix).copy(value, i * GRANT_BYTES);
      updateElement(this.#fds.grants, partKey(entry, part), value, BPF_ANY);
    }
    while (deleteElement(this.#fds.grants, partKey(entry, part))) part++;
  }
}

function sourceKey(entry: number, prefix: string): { readonly key: Buffer; readonly bits: number } {
  const { address, length } = mustParsePrefix(prefix);
  const bits = ENTRY_BITS + length;
  const key = Buffer.alloc(SOURCE_BYTES);
  key.writeUInt32LE(bits, 0);
  key.writeUInt32LE(entry, 4);
  key.writeUInt32LE(address.family === 6 ? k.AF_INET6 : k.AF_INET, 8);
  key.set(address.bytes, 12);
  return { key, bits };
}

function partKey(entry: number, part: number): Buffer {
  const key = Buffer.alloc(GRANTS_KEY_BYTES);
  key.writeUInt32LE(entry, 0);
  key.writeUInt32LE(part, 4);
  return key;
}

function encodeGrant(prefix: string): Buffer {
  const { address, length } = mustParsePrefix(prefix);
  const value = Buffer.alloc(GRANT_BYTES);
  value[0] = address.family;
  value[1] = length;
  value.set(address.bytes, 2);
  return value;
}

function decodeGrant(value: Buffer): string {
  const [family, length = 0] = value;
  const is6 = family === 6;
  const bytes = Uint8Array.from(value.subarray(2, is6 ? 18 : 6));
  return formatPrefix({ address: { family: is6 ? 6 : 4, bytes }, length });
}
