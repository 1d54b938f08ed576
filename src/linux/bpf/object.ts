/**
 * Reads a compiled BPF object as plain data: its maps and programs, before anything is in the kernel. Maps are BTF-defined:
 * https://docs.kernel.org/bpf/libbpf/libbpf_overview.html
 */
import { NetloomError } from "../../errors/errors.ts";
import {
  BTF_KIND_ARRAY,
  BTF_KIND_DATASEC,
  BTF_KIND_PTR,
  BTF_KIND_STRUCT,
  BTF_KIND_VAR,
  type BtfTypes,
  readBtf,
  sizeOf,
  typeById,
} from "./btf.ts";
import { type ElfObject, readElf, SHF_EXECINSTR, STT_FUNC } from "./elf.ts";

const R_BPF_64_64 = 1;
const INSTRUCTION_BYTES = 8;
/** `BPF_LD | BPF_IMM | BPF_DW`: the only instruction that loads the address of a map. */
const OPCODE_LD_IMM64 = 0x18;

export interface MapSpec {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly maxEntries: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  /** BTF IDs of the types, 0 if the definition has sizes only. */
  readonly keyType: number;
  readonly valueType: number;
}

export interface ProgramSpec {
  readonly name: string;
  /** The section name, which gives the purpose of the program: `tcx/wire`, `syscall`. */
  readonly section: string;
  readonly instructions: Uint8Array;
  /** The numbers of the instructions that load the descriptor of a map. */
  readonly references: readonly { readonly instruction: number; readonly map: string }[];
}

export interface ObjectSpec {
  readonly license: string;
  readonly maps: readonly MapSpec[];
  readonly programs: readonly ProgramSpec[];
  /** BTF for BPF_BTF_LOAD: with the sizes and offsets of sections that the compiler leaves to the linker. */
  readonly btf: Uint8Array;
}

/** Reads a compiled object. INVALID_ARGUMENT if the bytes are not a BPF object, or use unsupported features. */
export function readObject(bytes: Uint8Array): ObjectSpec {
  const elf = readElf(bytes);
  const section = (name: string): Uint8Array | undefined =>
    elf.sections.find((candidate) => candidate.name === name)?.bytes;
  const btf = section(".BTF");
  const license = section("license");
  if (btf === undefined || license === undefined) {
    throw malformed("it has no BTF or no license: compile it with -g");
  }
  const types = readBtf(btf);
  const maps = readMaps(types);
  return {
    license: Buffer.from(license).toString("latin1").replace(/\0.*$/s, ""),
    maps,
    programs: readPrograms(elf, maps),
    btf: linkedBtf(btf, types, elf),
  };
}

function readMaps(types: BtfTypes): MapSpec[] {
  const section = types.find((type) => type.kind === BTF_KIND_DATASEC && type.name === ".maps");
  return (section?.members ?? []).map(({ type }) => {
    const variable = typeById(types, type);
    const definition = typeById(types, variable.sizeOrType);
    if (variable.kind !== BTF_KIND_VAR || definition.kind !== BTF_KIND_STRUCT) {
      throw malformed(`map ${variable.name} is not defined by a struct`);
    }
    return readMap(types, variable.name, definition.members);
  });
}

function readMap(
  types: BtfTypes,
  name: string,
  members: readonly { readonly name: string; readonly type: number }[],
): MapSpec {
  const numbers = new Map<string, number>();
  const pointees = new Map<string, number>();
  for (const member of members) {
    const pointer = typeById(types, member.type);
    const pointee = typeById(types, pointer.sizeOrType);
    if (pointer.kind !== BTF_KIND_PTR) {
      throw malformed(`${member.name} of map ${name} is neither __uint nor __type`);
    }
    if (member.name === "key" || member.name === "value") {
      pointees.set(member.name, pointer.sizeOrType);
    } else if (pointee.kind === BTF_KIND_ARRAY && KNOWN_NUMBERS.has(member.name)) {
      numbers.set(member.name, pointee.array?.length ?? 0);
    } else {
      throw malformed(`${member.name} of map ${name} is not known`);
    }
  }
  const keyType = pointees.get("key") ?? 0;
  const valueType = pointees.get("value") ?? 0;
  return {
    name,
    type: numbers.get("type") ?? 0,
    flags: numbers.get("map_flags") ?? 0,
    maxEntries: numbers.get("max_entries") ?? 0,
    keyBytes: keyType === 0 ? (numbers.get("key_size") ?? 0) : sizeOf(types, keyType),
    valueBytes: valueType === 0 ? (numbers.get("value_size") ?? 0) : sizeOf(types, valueType),
    keyType,
    valueType,
  };
}

const KNOWN_NUMBERS: ReadonlySet<string> = new Set([
  "type",
  "map_flags",
  "max_entries",
  "key_size",
  "value_size",
]);

function readPrograms(elf: ElfObject, maps: readonly MapSpec[]): ProgramSpec[] {
  const programs: ProgramSpec[] = [];
  elf.sections.forEach((section, number) => {
    if ((section.flags & SHF_EXECINSTR) === 0 || section.bytes.length === 0) {
      return;
    }
    const functions = elf.symbols.filter((symbol) => symbol.section === number && symbol.type === STT_FUNC);
    const [entry] = functions;
    if (entry === undefined || functions.length !== 1) {
      throw malformed(`section ${section.name} has ${functions.length} functions, not one`);
    }
    if (section.bytes.length % INSTRUCTION_BYTES !== 0) {
      throw malformed(`section ${section.name} ends inside of an instruction`);
    }
    const references = elf.relocations
      .filter((relocation) => relocation.section === number)
      .map(({ offset, type, symbol }) => {
        const isMap = maps.some((map) => map.name === symbol.name);
        if (type !== R_BPF_64_64 || !isMap || section.bytes[offset] !== OPCODE_LD_IMM64) {
          throw malformed(`${section.name} refers to ${symbol.name || "a section"}, which is not a map`);
        }
        if (offset % INSTRUCTION_BYTES !== 0 || offset + 2 * INSTRUCTION_BYTES > section.bytes.length) {
          throw malformed(`${section.name} has a reference at ${offset}, which is not a whole instruction`);
        }
        return { instruction: offset / INSTRUCTION_BYTES, map: symbol.name };
      });
    programs.push({ name: entry.name, section: section.name, instructions: section.bytes, references });
  });
  return programs;
}

/** Fills in the sizes of sections, which the kernel requires and the compiler does not write. */
function linkedBtf(btf: Uint8Array, types: BtfTypes, elf: ElfObject): Uint8Array {
  const linked = Buffer.from(btf);
  for (const type of types) {
    if (type.kind !== BTF_KIND_DATASEC) {
      continue;
    }
    const number = elf.sections.findIndex((section) => section.name === type.name);
    linked.writeUInt32LE(elf.sections[number]?.bytes.length ?? 0, type.at + 8);
    type.members.forEach((member, index) => {
      const name = typeById(types, member.type).name;
      const symbol = elf.symbols.find((candidate) => candidate.section === number && candidate.name === name);
      linked.writeUInt32LE((symbol?.value ?? 0) >>> 0, type.at + 12 + 12 * index + 4);
    });
  }
  return linked;
}

function malformed(reason: string): NetloomError {
  return new NetloomError("INVALID_ARGUMENT", `read BPF object: ${reason}`);
}
