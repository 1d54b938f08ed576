/** BPF type format, the part that map definitions need. Source: https://docs.kernel.org/bpf/btf.html */
import { NetloomError } from "../../errors/errors.ts";
import { ByteReader } from "./byte-reader.ts";

const BTF_KIND_INT = 1;
export const BTF_KIND_PTR = 2;
export const BTF_KIND_ARRAY = 3;
export const BTF_KIND_STRUCT = 4;
const BTF_KIND_UNION = 5;
const BTF_KIND_ENUM = 6;
const BTF_KIND_TYPEDEF = 8;
const BTF_KIND_VOLATILE = 9;
const BTF_KIND_CONST = 10;
const BTF_KIND_RESTRICT = 11;
const BTF_KIND_FUNC_PROTO = 13;
export const BTF_KIND_VAR = 14;
export const BTF_KIND_DATASEC = 15;
const BTF_KIND_FLOAT = 16;
const BTF_KIND_DECL_TAG = 17;
const BTF_KIND_TYPE_TAG = 18;
const BTF_KIND_ENUM64 = 19;

/** Limits recursion through cyclic types. */
const MAX_DEPTH = 32;

export interface BtfType {
  readonly kind: number;
  readonly name: string;
  /** Size in bytes, or the ID of the referenced type. */
  readonly sizeOrType: number;
  /** Members of a struct or union, or variables of a section. `offset` is in bits for members, in bytes for variables. */
  readonly members: readonly { readonly name: string; readonly type: number; readonly offset: number }[];
  readonly array: { readonly element: number; readonly length: number } | undefined;
  /** Offset of the type's record in the BTF bytes. */
  readonly at: number;
}

/** Types by ID. ID 0 is `void`. */
export type BtfTypes = readonly BtfType[];

/** Reads the types of a `.BTF` section. INVALID_ARGUMENT if they are malformed. */
export function readBtf(bytes: Uint8Array): BtfTypes {
  const reader = new ByteReader(bytes, "BTF");
  if (reader.u16(0) !== 0xeb9f || reader.u8(2) !== 1) {
    throw reader.malformed("not BTF version 1");
  }
  const headerLength = reader.u32(4);
  const typesAt = headerLength + reader.u32(8);
  const typesEnd = typesAt + reader.u32(12);
  const strings = new ByteReader(
    reader.bytes(headerLength + reader.u32(16), reader.u32(20)),
    "strings of BTF",
  );
  const types: BtfType[] = [
    { kind: 0, name: "void", sizeOrType: 0, members: [], array: undefined, at: typesAt },
  ];
  let at = typesAt;
  while (at < typesEnd) {
    const type = readType(reader, strings, at);
    types.push(type.value);
    at = type.end;
  }
  return types;
}

function readType(reader: ByteReader, strings: ByteReader, at: number): { value: BtfType; end: number } {
  const info = reader.u32(at + 4);
  const kind = (info >>> 24) & 0x1f;
  const count = info & 0xffff;
  const body = at + 12;
  const members: { name: string; type: number; offset: number }[] = [];
  if (kind === BTF_KIND_STRUCT || kind === BTF_KIND_UNION) {
    for (let member = body; member < body + 12 * count; member += 12) {
      const name = strings.text(reader.u32(member));
      members.push({ name, type: reader.u32(member + 4), offset: reader.u32(member + 8) });
    }
  } else if (kind === BTF_KIND_DATASEC) {
    for (let member = body; member < body + 12 * count; member += 12) {
      members.push({ name: "", type: reader.u32(member), offset: reader.u32(member + 4) });
    }
  }
  const array =
    kind === BTF_KIND_ARRAY ? { element: reader.u32(body), length: reader.u32(body + 8) } : undefined;
  const name = strings.text(reader.u32(at));
  const value = { kind, name, sizeOrType: reader.u32(at + 8), members, array, at };
  return { value, end: body + tailLength(reader, kind, count) };
}

/** The length in bytes of the data after the three words at the start of every type. */
function tailLength(reader: ByteReader, kind: number, count: number): number {
  switch (kind) {
    case BTF_KIND_INT:
    case BTF_KIND_VAR:
    case BTF_KIND_DECL_TAG:
      return 4;
    case BTF_KIND_ARRAY:
      return 12;
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
    case BTF_KIND_DATASEC:
    case BTF_KIND_ENUM64:
      return 12 * count;
    case BTF_KIND_ENUM:
    case BTF_KIND_FUNC_PROTO:
      return 8 * count;
    default:
      // PTR, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FLOAT and TYPE_TAG have no further data.
      if (kind === 0 || kind > BTF_KIND_ENUM64) {
        throw reader.malformed(`type of unknown kind ${kind}`);
      }
      return 0;
  }
}

/** The type with this ID. INVALID_ARGUMENT if there is none. */
export function typeById(types: BtfTypes, id: number): BtfType {
  const type = types[id];
  if (type === undefined) {
    throw new NetloomError("INVALID_ARGUMENT", `read BTF: type ${id} does not exist`);
  }
  return type;
}

/**
 * Size in bytes of a value of type `id`. INVALID_ARGUMENT for a type without a size (void, a function, a cycle of types).
 */
export function sizeOf(types: BtfTypes, id: number, depth = 0): number {
  const type = typeById(types, id);
  if (depth < MAX_DEPTH) {
    switch (type.kind) {
      case BTF_KIND_INT:
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION:
      case BTF_KIND_ENUM:
      case BTF_KIND_ENUM64:
      case BTF_KIND_FLOAT:
        return type.sizeOrType;
      case BTF_KIND_PTR:
        return 8;
      case BTF_KIND_ARRAY:
        return (type.array?.length ?? 0) * sizeOf(types, type.array?.element ?? 0, depth + 1);
      case BTF_KIND_TYPEDEF:
      case BTF_KIND_VOLATILE:
      case BTF_KIND_CONST:
      case BTF_KIND_RESTRICT:
      case BTF_KIND_TYPE_TAG:
        return sizeOf(types, type.sizeOrType, depth + 1);
    }
  }
  throw new NetloomError("INVALID_ARGUMENT", `read BTF: type ${id} (${type.name}) has no size`);
}
