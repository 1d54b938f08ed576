/**
 * Counts the content of a message before it is decoded: a few bytes on the wire can become a hundred on the heap, and
 * four megabytes of empty path segments stop a process for seconds. It makes one pass over the bytes, allocates nothing
 * for an element, and stops at the first limit exceeded.
 */
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { LIST_LIMITS, MAX_DEPTH, MAX_FIELDS, MAX_LIST, MAX_UNITS, UNITS, WORDS } from "./wire-limits.ts";

/** https://protobuf.dev/programming-guides/encoding/#structure */
const VARINT = 0;
const I64 = 1;
const LEN = 2;
const START_GROUP = 3;
const END_GROUP = 4;
const I32 = 5;

const OWN_PACKAGE = "netloom.";

/** Describes why the bytes cannot be decoded as this message, or not at little cost; `undefined` if they can. */
export function wireProblem(message: DescMessage, bytes: Uint8Array): string | undefined {
  try {
    new Scanner(bytes).unit(message, bytes.length);
    return undefined;
  } catch (error) {
    if (error instanceof TooMuch) return error.message;
    throw error;
  }
}

class TooMuch extends Error {}

/** The remaining allowance of one independent message. */
interface Counts {
  fields: number;
  readonly lists: Map<DescField, number>;
}

const fresh = (): Counts => ({ fields: MAX_FIELDS, lists: new Map() });

class Scanner {
  readonly #bytes: Uint8Array;
  #position = 0;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  unit(message: DescMessage, end: number): void {
    this.#message(message, end, fresh());
  }

  #message(message: DescMessage, end: number, counts: Counts): void {
    this.#descend();
    while (this.#position < end) {
      const tag = this.#tag(end, counts);
      const field = message.fields.find(({ number }) => number === tag >>> 3);
      if (field) this.#field(field, tag & 7, end, counts);
      else this.#skip(tag, end, counts);
    }
    this.#depth -= 1;
  }

  #field(field: DescField, wireType: number, end: number, counts: Counts): void {
    if (field.fieldKind === "map") {
      this.#count(field, 1, counts);
      return this.#element(field, wireType, end, counts);
    }
    if (field.fieldKind === "message") return this.#element(field, wireType, end, counts);
    if (field.fieldKind !== "list") return this.#scalar(wireTypeOf(field.scalar), wireType, end);
    if (field.listKind === "message") {
      this.#count(field, 1, counts);
      return this.#element(field, wireType, end, counts);
    }
    const expected = wireTypeOf(field.scalar);
    if (wireType !== LEN || expected === LEN) {
      this.#count(field, 1, counts);
      return this.#scalar(expected, wireType, end);
    }
    const last = this.#length(end);
    const numbers = this.#packed(expected, last);
    this.#count(field, numbers, counts);
    this.#spend(numbers, counts);
  }

  /** Reads a nested message, or an entry of a map. */
  #element(field: DescField, wireType: number, end: number, counts: Counts): void {
    if (wireType !== LEN) throw malformed();
    const last = this.#length(end);
    const own = isUnit(field) ? fresh() : counts;
    if (field.fieldKind === "map") this.#entry(field, last, own);
    else if (field.message) this.#message(field.message, last, own);
  }

  #entry(field: DescField & { readonly fieldKind: "map" }, end: number, counts: Counts): void {
    this.#descend();
    while (this.#position < end) {
      const tag = this.#tag(end, counts);
      const wireType = tag & 7;
      if (tag >>> 3 === 1) this.#scalar(wireTypeOf(field.mapKey), wireType, end);
      else if (tag >>> 3 !== 2) this.#skip(tag, end, counts);
      else if (field.mapKind !== "message") this.#scalar(wireTypeOf(field.scalar), wireType, end);
      else if (wireType === LEN) this.#message(field.message, this.#length(end), counts);
      else throw malformed();
    }
    this.#depth -= 1;
  }

  #scalar(expected: number, wireType: number, end: number): void {
    if (wireType !== expected) throw malformed();
    this.#value(wireType, end);
  }

  #value(wireType: number, end: number): void {
    if (wireType === VARINT) this.#varint(end);
    else if (wireType === LEN) this.#position = this.#length(end);
    else this.#position += wireType === I64 ? 8 : 4;
    if (this.#position > end) throw malformed();
  }

  /** Skips an unknown field. Groups are nested fields between two tags. */
  #skip(tag: number, end: number, counts: Counts): void {
    const wireType = tag & 7;
    if (wireType === END_GROUP || wireType > I32) throw malformed();
    if (wireType !== START_GROUP) return this.#value(wireType, end);
    this.#descend();
    for (;;) {
      const inner = this.#tag(end, counts);
      if ((inner & 7) !== END_GROUP) this.#skip(inner, end, counts);
      else if (inner >>> 3 === tag >>> 3) break;
      else throw malformed();
    }
    this.#depth -= 1;
  }

  #packed(wireType: number, end: number): number {
    const start = this.#position;
    if (wireType !== VARINT) {
      const size = wireType === I64 ? 8 : 4;
      if ((end - start) % size !== 0) throw malformed();
      this.#position = end;
      return (end - start) / size;
    }
    let numbers = 0;
    for (; this.#position < end; numbers++) this.#varint(end);
    return numbers;
  }

  #tag(end: number, counts: Counts): number {
    this.#spend(1, counts);
    const tag = this.#varint(end);
    if (tag > 0xffff_ffff || tag < 8) throw malformed();
    return tag;
  }

  /** Reads the length of a length-delimited value, and returns the position of its end. */
  #length(end: number): number {
    const length = this.#varint(end);
    if (length > end - this.#position) throw malformed();
    return this.#position + length;
  }

  /** Reads a varint. Exact up to 2^53, which is beyond every tag and length. */
  #varint(end: number): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; count < 10 && this.#position < end; count++) {
      const byte = this.#bytes[this.#position++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    throw malformed();
  }

  #count(field: DescField, more: number, counts: Counts): void {
    const left = (counts.lists.get(field) ?? limitOf(field)) - more;
    if (left < 0) {
      const name = nameOf(field);
      throw new TooMuch(WORDS[name] ?? `${name} has more than the ${limitOf(field)} that are allowed`);
    }
    counts.lists.set(field, left);
    // An independent message counts as one field of the message around it.
    if (isUnit(field)) counts.fields += 1;
  }

  #spend(fields: number, counts: Counts): void {
    counts.fields -= fields;
    if (counts.fields < 0) throw new TooMuch(`it has more than the ${MAX_FIELDS} fields that are allowed`);
  }

  #descend(): void {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH)
      throw new TooMuch(`it has messages in messages, deeper than the ${MAX_DEPTH} levels that are allowed`);
  }
}

function nameOf(field: DescField): string {
  return `${field.parent.typeName}.${field.name}`;
}

function isUnit(field: DescField): boolean {
  if (field.fieldKind !== "map" && field.fieldKind !== "list") return false;
  return field.parent.typeName.startsWith(OWN_PACKAGE) || UNITS.has(nameOf(field));
}

function limitOf(field: DescField): number {
  return isUnit(field) ? MAX_UNITS : (LIST_LIMITS[nameOf(field)] ?? MAX_LIST);
}

function malformed(): TooMuch {
  return new TooMuch("it is malformed: a field is cut off, or of another type than the contract says");
}

/** Wire types of scalars other than VARINT. */
const WIRE_TYPES: ReadonlyMap<ScalarType, number> = new Map([
  [ScalarType.STRING, LEN],
  [ScalarType.BYTES, LEN],
  [ScalarType.DOUBLE, I64],
  [ScalarType.FIXED64, I64],
  [ScalarType.SFIXED64, I64],
  [ScalarType.FLOAT, I32],
  [ScalarType.FIXED32, I32],
  [ScalarType.SFIXED32, I32],
]);

/** Wire type of a number, a text or bytes; an enum is a number. */
function wireTypeOf(scalar: ScalarType | undefined): number {
  return (scalar === undefined ? undefined : WIRE_TYPES.get(scalar)) ?? VARINT;
}
