/**
 * The commands of bpf(2). Returned descriptors are close-on-exec and belong to the caller; failures throw a `KernelError`.
 * Offsets and numbers: `union bpf_attr` in include/uapi/linux/bpf.h.
 */
import { KernelError } from "../../kernel/kernel.ts";
import { codeOfErrno } from "../../kernel/kernel-text.ts";
import { pointerTo, bpf, close, errnoName } from "../libc/syscall.ts";
import type { MapSpec } from "./object.ts";

const BPF_MAP_CREATE = 0;
const BPF_MAP_LOOKUP_ELEM = 1;
const BPF_MAP_UPDATE_ELEM = 2;
const BPF_MAP_DELETE_ELEM = 3;
const BPF_PROG_LOAD = 5;
const BPF_OBJ_PIN = 6;
const BPF_OBJ_GET = 7;
const BPF_PROG_TEST_RUN = 10;
const BPF_PROG_GET_FD_BY_ID = 13;
const BPF_MAP_GET_FD_BY_ID = 14;
const BPF_OBJ_GET_INFO_BY_FD = 15;
const BPF_PROG_QUERY = 16;
const BPF_BTF_LOAD = 18;
const BPF_MAP_LOOKUP_BATCH = 24;
const BPF_LINK_CREATE = 28;
const BPF_LINK_UPDATE = 29;
const BPF_PROG_BIND_MAP = 35;

export const BPF_PROG_TYPE_SCHED_CLS = 3;
export const BPF_PROG_TYPE_SYSCALL = 31;
export const BPF_PROG_TYPE_NETFILTER = 32;
export const BPF_NETFILTER = 45;
/** Since Linux 6.6. */
export const BPF_TCX_INGRESS = 46;

export const BPF_ANY = 0;
export const BPF_NOEXIST = 1;

/** Enough for every command used here; the kernel accepts a longer union whose tail is zero. */
const ATTRIBUTE_BYTES = 128;
const NAME_BYTES = 16;
const LOG_BYTES = 1 << 20;

/** The error for a negative result of bpf(2): `attach wire to device 7: EEXIST`. */
export function bpfError(attempted: string, result: number, words?: string): KernelError {
  const errno = errnoName(-result);
  const message = `${attempted}: ${errno}${words === undefined ? "" : `: ${words}`}`;
  return new KernelError(codeOfErrno(errno), message, {
    errno,
    ...(words !== undefined && { words }),
    ...(errno === "EPERM" ? { hint: "run as root" } : {}),
  });
}

/** A `union bpf_attr` under construction. Keeps the buffers that it points to alive until the call is over. */
class Attributes {
  readonly #bytes = Buffer.alloc(ATTRIBUTE_BYTES);
  readonly #held: Buffer[] = [];

  u32(offset: number, value: number): this {
    this.#bytes.writeUInt32LE(value, offset);
    return this;
  }

  pointer(offset: number, target: Buffer): this {
    this.#held.push(target);
    this.#bytes.writeBigUInt64LE(pointerTo(target), offset);
    return this;
  }

  /** Writes a name of at most 15 bytes; the kernel accepts letters, digits, `_` and `.` only. */
  name(offset: number, name: string): this {
    this.#bytes.write(name.replace(/[^A-Za-z0-9_.]/g, "_").slice(0, NAME_BYTES - 1), offset, "latin1");
    return this;
  }

  read(offset: number): number {
    return this.#bytes.readUInt32LE(offset);
  }

  /** The result of the system call, or a negative errno. */
  call(command: number): number {
    const result = bpf(command, this.#bytes);
    // A use after the call, so that the garbage collector cannot free the buffers during it.
    return this.#held.length < 0 ? 0 : result;
  }

  /** Calls, and throws a `KernelError` about `attempted` on failure. */
  demand(command: number, attempted: string): number {
    const result = this.call(command);
    if (result < 0) {
      throw bpfError(attempted, result);
    }
    return result;
  }
}

/** Loads BTF and returns a descriptor, or `undefined` if the kernel does not accept it: BTF is for debugging only. */
export function loadBtf(btf: Uint8Array): number | undefined {
  const bytes = Buffer.from(btf);
  const result = new Attributes().pointer(0, bytes).u32(16, bytes.length).call(BPF_BTF_LOAD);
  return result < 0 ? undefined : result;
}

/** Creates an empty map. Equivalent to: `bpftool map create` */
export function createMap(spec: MapSpec, btf: number | undefined): number {
  const attributes = new Attributes()
    .u32(0, spec.type)
    .u32(4, spec.keyBytes)
    .u32(8, spec.valueBytes)
    .u32(12, spec.maxEntries)
    .u32(16, spec.flags)
    .name(28, spec.name);
  if (btf !== undefined && spec.keyType !== 0 && spec.valueType !== 0) {
    attributes.u32(48, btf).u32(52, spec.keyType).u32(56, spec.valueType);
  }
  return attributes.demand(BPF_MAP_CREATE, `create map ${spec.name}`);
}

/** Reads the value of `key` into `value`. False if the key is absent. */
export function lookupElement(map: number, key: Buffer, value: Buffer): boolean {
  const attributes = new Attributes().u32(0, map).pointer(8, key).pointer(16, value);
  return found(attributes.call(BPF_MAP_LOOKUP_ELEM), "look up a map element");
}

/** Writes the value of `key`. False if `BPF_NOEXIST` forbids it. RESOURCE_EXHAUSTED if the map is full. */
export function updateElement(map: number, key: Buffer, value: Buffer, flags: number): boolean {
  const attributes = new Attributes().u32(0, map).pointer(8, key).pointer(16, value).u32(24, flags);
  const result = attributes.call(BPF_MAP_UPDATE_ELEM);
  if (result >= 0) return true;
  const errno = errnoName(-result);
  if (errno === "EEXIST") return false;
  // ENOSPC comes from a full trie.
  if (errno !== "E2BIG" && errno !== "ENOSPC") throw bpfError("update a map element", result);
  const { maxEntries } = mapShape(map);
  const words = `the map ${mapName(map)} of the data path is full: all of its ${maxEntries} entries are taken`;
  throw new KernelError(codeOfErrno(errno), `update a map element: ${errno}: ${words}`, {
    errno,
    words,
    hint: "close wires of this host that nobody needs, or attach to a workload of another host",
  });
}

/** Deletes `key`. False if the key is absent. */
export function deleteElement(map: number, key: Buffer): boolean {
  const attributes = new Attributes().u32(0, map).pointer(8, key);
  return found(attributes.call(BPF_MAP_DELETE_ELEM), "delete a map element");
}

function found(result: number, attempted: string): boolean {
  if (result < 0 && errnoName(-result) !== "ENOENT") {
    throw bpfError(attempted, result);
  }
  return result >= 0;
}

/** Sizes of one element in system calls: a per-CPU value is an array with a value for each possible CPU. */
export interface ElementSizes {
  readonly keyBytes: number;
  readonly valueBytes: number;
}

/**
 * Calls `visit` with key and value of every element of a hash map or a trie, in no particular order. The buffers are
 * reused. An element added or deleted meanwhile may be missed or visited; all others are visited once.
 */
export function forEachElement(
  map: number,
  sizes: ElementSizes,
  visit: (key: Buffer, value: Buffer) => void,
): void {
  let capacity = 1024;
  let position: Buffer | undefined;
  for (;;) {
    const keys = Buffer.allocUnsafe(capacity * sizes.keyBytes);
    const values = Buffer.allocUnsafe(capacity * sizes.valueBytes);
    // The position is a number for a hash map, and the last key for other maps.
    const next = Buffer.alloc(Math.max(8, sizes.keyBytes));
    const attributes = new Attributes().pointer(8, next).pointer(16, keys).pointer(24, values);
    attributes.u32(32, capacity).u32(36, map);
    if (position !== undefined) {
      attributes.pointer(0, position);
    }
    const result = attributes.call(BPF_MAP_LOOKUP_BATCH);
    const errno = result < 0 ? errnoName(-result) : undefined;
    if (errno === "ENOSPC") {
      // One bucket of the hash table has more elements than a batch.
      capacity *= 2;
      continue;
    }
    if (errno !== undefined && errno !== "ENOENT") {
      throw bpfError("read a map", result);
    }
    for (let index = 0; index < attributes.read(32); index++) {
      visit(
        keys.subarray(index * sizes.keyBytes, (index + 1) * sizes.keyBytes),
        values.subarray(index * sizes.valueBytes, (index + 1) * sizes.valueBytes),
      );
    }
    if (errno === "ENOENT") {
      return;
    }
    position = next;
  }
}

export interface ProgramLoad {
  readonly name: string;
  readonly type: number;
  readonly expectedAttachType?: number;
  readonly license: string;
  readonly instructions: Buffer;
}

/** Verifies and loads a program. The error ends with the last message of the verifier; its whole log is the cause. */
export function loadProgram(load: ProgramLoad): number {
  const result = tryLoadProgram(load);
  if (result >= 0) {
    return result;
  }
  const log = Buffer.alloc(LOG_BYTES);
  const again = tryLoadProgram(load, log);
  if (again >= 0) {
    return again;
  }
  const text = log.toString("latin1").replace(/\0.*$/s, "").trimEnd();
  const verdict = text.split("\n").filter((line) => line !== "" && !line.startsWith("processed "));
  const error = bpfError(`load program ${load.name}`, result, verdict.at(-1));
  throw new KernelError(error.code, error.message, {
    errno: errnoName(-result),
    ...(error.words !== undefined && { words: error.words }),
    cause: new Error(`the verifier's log:\n${text}`),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}

/** The verifier fails with EAGAIN when a signal arrives, which happens in a process with many threads. */
const LOAD_ATTEMPTS = 10;

/** The descriptor, or a negative errno. */
function tryLoadProgram(load: ProgramLoad, log?: Buffer): number {
  const attributes = new Attributes()
    .u32(0, load.type)
    .u32(4, load.instructions.length / 8)
    .pointer(8, load.instructions)
    .pointer(16, Buffer.from(`${load.license}\0`, "latin1"))
    .name(48, load.name)
    .u32(68, load.expectedAttachType ?? 0);
  if (load.type === BPF_PROG_TYPE_SYSCALL) {
    attributes.u32(44, BPF_F_SLEEPABLE);
  }
  if (log !== undefined) {
    attributes.u32(24, 1).u32(28, log.length).pointer(32, log);
  }
  let result = attributes.call(BPF_PROG_LOAD);
  for (let attempt = 1; attempt < LOAD_ATTEMPTS && result < 0 && errnoName(-result) === "EAGAIN"; attempt++) {
    result = attributes.call(BPF_PROG_LOAD);
  }
  return result;
}

/** The kernel accepts a program of type SYSCALL only if it is sleepable. */
const BPF_F_SLEEPABLE = 1 << 4;

/** Runs a program of type SYSCALL once and returns its result. */
export function runSyscallProgram(program: number, context: Buffer): number {
  const attributes = new Attributes().u32(0, program).u32(40, context.length).pointer(48, context);
  attributes.demand(BPF_PROG_TEST_RUN, "run a program");
  return attributes.read(4);
}

export interface TcRun {
  /**
   * At least an Ethernet header, and a whole IP header if the ethertype says IP. Protocol and packet type (PACKET_HOST, …)
   * are derived from the frame, as a device does.
   */
  readonly frame: Buffer;
  /** The device of the current namespace that the frame enters. */
  readonly ifindex: number;
  readonly repeat: number;
  /** For a GSO packet: the number of segments, and the payload bytes of each. */
  readonly gsoSegments?: number;
  readonly gsoBytes?: number;
  /** Simulates a device with CHECKSUM_COMPLETE: EBADMSG if the checksum is wrong after the program. Since Linux 6.9. */
  readonly isSummed?: boolean;
}

export interface TcRunResult {
  /** The verdict of the last run. */
  readonly verdict: number;
  /** The frame after the program. */
  readonly frame: Buffer;
  readonly gsoBytes: number;
  /** The mean duration of a run. */
  readonly durationNs: number;
}

/** `struct __sk_buff` */
const SK_BUFF = { bytes: 192, ifindex: 40, gsoSegments: 164, gsoBytes: 176 } as const;
/** Room for bytes that a program prepends to the frame. */
const ROOM_BYTES = 256;
const BPF_F_TEST_SKB_CHECKSUM_COMPLETE = 1 << 2;

/** Runs a tc program on a frame `repeat` times. No frame is sent. */
export function runTcProgram(program: number, run: TcRun): TcRunResult {
  const context = Buffer.alloc(SK_BUFF.bytes);
  context.writeUInt32LE(run.ifindex, SK_BUFF.ifindex);
  context.writeUInt32LE(run.gsoSegments ?? 0, SK_BUFF.gsoSegments);
  context.writeUInt32LE(run.gsoBytes ?? 0, SK_BUFF.gsoBytes);
  const after = Buffer.alloc(SK_BUFF.bytes);
  const frame = Buffer.alloc(run.frame.length + ROOM_BYTES);
  const attributes = new Attributes()
    .u32(0, program)
    .u32(8, run.frame.length)
    .u32(12, frame.length)
    .pointer(16, run.frame)
    .pointer(24, frame)
    .u32(32, run.repeat)
    .u32(40, context.length)
    .u32(44, after.length)
    .pointer(48, context)
    .pointer(56, after)
    .u32(64, run.isSummed === true ? BPF_F_TEST_SKB_CHECKSUM_COMPLETE : 0);
  attributes.demand(BPF_PROG_TEST_RUN, "run a program");
  return {
    verdict: attributes.read(4) | 0,
    frame: frame.subarray(0, attributes.read(12)),
    gsoBytes: after.readUInt32LE(SK_BUFF.gsoBytes),
    durationNs: attributes.read(36),
  };
}

/**
 * Attaches a tc program to the ingress of a device of the CURRENT namespace. The link exists while its descriptor is open
 * or it is pinned, and until the device is gone. Returns a negative errno if the kernel refuses.
 */
export function createTcxLink(program: number, ifindex: number): number {
  return new Attributes().u32(0, program).u32(4, ifindex).u32(8, BPF_TCX_INGRESS).call(BPF_LINK_CREATE);
}

/** Attaches a netfilter program to a hook of the CURRENT namespace, since Linux 6.4. Negative errno if refused. */
export function createNetfilterLink(
  program: number,
  hook: { readonly family: number; readonly hook: number; readonly priority: number; readonly flags: number },
): number {
  return new Attributes()
    .u32(0, program)
    .u32(8, BPF_NETFILTER)
    .u32(16, hook.family)
    .u32(20, hook.hook)
    .u32(24, hook.priority >>> 0)
    .u32(28, hook.flags)
    .call(BPF_LINK_CREATE);
}

/** Replaces the program of a link atomically. */
export function updateLink(link: number, program: number): void {
  new Attributes().u32(0, link).u32(4, program).demand(BPF_LINK_UPDATE, "exchange the program of a link");
}

export interface TcxLinkInfo {
  readonly programId: number;
  /** The device index in its namespace; 0 when the device is gone or the link was detached. */
  readonly ifindex: number;
}

/** The program and device of a tcx link (`struct bpf_link_info`). */
export function tcxLinkInfo(link: number): TcxLinkInfo {
  const info = objectInfo(link, 64, "link");
  return { programId: info.readUInt32LE(8), ifindex: info.readUInt32LE(16) };
}

/** The ID of a program (`struct bpf_prog_info`). */
export function programId(program: number): number {
  return objectInfo(program, 64, "program").readUInt32LE(4);
}

/**
 * The number of instructions that the verifier has processed on all paths of the program; the limit is a million. Since
 * Linux 5.16.
 */
export function verifiedInstructions(program: number): number {
  return objectInfo(program, 220, "program").readUInt32LE(216);
}

/** Binds a map that the program does not use to the program, so that it lives as long. May be repeated. */
export function bindMap(program: number, map: number): void {
  new Attributes().u32(0, program).u32(4, map).demand(BPF_PROG_BIND_MAP, "bind a map to a program");
}

/** More maps than any of Netloom's programs uses. */
const MAX_MAPS = 16;

/**
 * A descriptor of the map `name` (at most 15 bytes) of the program with this ID. It recovers the maps of a running program
 * that has lost its pins. `undefined` if there is no such program, or if it has no such map.
 */
export function mapOfProgram(programId: number, name: string): number | undefined {
  const program = new Attributes().u32(0, programId).call(BPF_PROG_GET_FD_BY_ID);
  if (!found(program, `open program ${programId}`)) return undefined;
  try {
    const ids = Buffer.alloc(4 * MAX_MAPS);
    // struct bpf_prog_info: u32 nr_map_ids at 52, u64 map_ids at 56
    const info = Buffer.alloc(64);
    info.writeUInt32LE(MAX_MAPS, 52);
    info.writeBigUInt64LE(pointerTo(ids), 56);
    const attributes = new Attributes().u32(0, program).u32(4, info.length).pointer(8, info);
    attributes.demand(BPF_OBJ_GET_INFO_BY_FD, `ask about program ${programId}`);
    for (let i = 0; i < Math.min(info.readUInt32LE(52), MAX_MAPS); i++) {
      const map = new Attributes().u32(0, ids.readUInt32LE(4 * i)).call(BPF_MAP_GET_FD_BY_ID);
      if (!found(map, `open a map of program ${programId}`)) continue;
      if (mapName(map) === name) return map;
      close(map);
    }
    return undefined;
  } finally {
    close(program);
  }
}

/** The shape of a map (`struct bpf_map_info`). */
export function mapShape(
  map: number,
): Pick<MapSpec, "type" | "keyBytes" | "valueBytes" | "maxEntries" | "flags"> {
  const info = objectInfo(map, 64, "map");
  return {
    type: info.readUInt32LE(0),
    keyBytes: info.readUInt32LE(8),
    valueBytes: info.readUInt32LE(12),
    maxEntries: info.readUInt32LE(16),
    flags: info.readUInt32LE(20),
  };
}

/** The name of a map, at most 15 bytes. */
function mapName(map: number): string {
  return objectInfo(map, 64, "map").toString("latin1", 24, 40).split("\0")[0] ?? "";
}

function objectInfo(fd: number, length: number, what: string): Buffer {
  const info = Buffer.alloc(length);
  const attributes = new Attributes().u32(0, fd).u32(4, length).pointer(8, info);
  attributes.demand(BPF_OBJ_GET_INFO_BY_FD, `ask about a ${what}`);
  return info;
}

/** IDs of the programs on the ingress of a device of the CURRENT namespace, in the order in which they run. */
export function queryTcxIngress(ifindex: number): number[] {
  const ids = Buffer.alloc(4 * 64);
  const attributes = new Attributes().u32(0, ifindex).u32(4, BPF_TCX_INGRESS).pointer(16, ids).u32(24, 64);
  attributes.demand(BPF_PROG_QUERY, `list the programs of device ${ifindex}`);
  return Array.from({ length: attributes.read(24) }, (_, index) => ids.readUInt32LE(4 * index));
}

/**
 * Pins a program, map or link in a bpffs, which keeps it until the pin is unlinked. ALREADY_EXISTS if the path is taken.
 */
export function pinObject(fd: number, path: string): void {
  pathAttributes(path).u32(8, fd).demand(BPF_OBJ_PIN, `pin ${path}`);
}

/** A descriptor of the object pinned at `path`; `undefined` if there is none. */
export function getPinned(path: string): number | undefined {
  const result = pathAttributes(path).call(BPF_OBJ_GET);
  return found(result, `open ${path}`) ? result : undefined;
}

function pathAttributes(path: string): Attributes {
  return new Attributes().pointer(0, Buffer.from(`${path}\0`));
}
