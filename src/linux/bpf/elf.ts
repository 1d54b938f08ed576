/** The part of ELF that a relocatable BPF object uses. Source: include/uapi/linux/elf.h, elf(5). */
import { ByteReader } from "./byte-reader.ts";

const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;
const ET_REL = 1;
const EM_BPF = 247;
const SHT_SYMTAB = 2;
const SHT_NOBITS = 8;
const SHT_REL = 9;
export const SHF_EXECINSTR = 4;
export const STT_FUNC = 2;

interface ElfSection {
  readonly name: string;
  readonly flags: number;
  readonly bytes: Uint8Array;
}

interface ElfSymbol {
  readonly name: string;
  readonly type: number;
  /** Number of the section of the symbol. */
  readonly section: number;
  /** Offset in that section. */
  readonly value: number;
  readonly size: number;
}

interface ElfRelocation {
  /** Number of the section to patch. */
  readonly section: number;
  readonly offset: number;
  /** `R_BPF_64_64` is 1. */
  readonly type: number;
  readonly symbol: ElfSymbol;
}

export interface ElfObject {
  readonly sections: readonly ElfSection[];
  readonly symbols: readonly ElfSymbol[];
  readonly relocations: readonly ElfRelocation[];
}

interface Header {
  readonly name: number;
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
}

/** Reads a little-endian, relocatable BPF object. INVALID_ARGUMENT for anything else. */
export function readElf(bytes: Uint8Array): ElfObject {
  const reader = new ByteReader(bytes, "BPF object");
  if (reader.u32(0) !== 0x464c457f) {
    throw reader.malformed("not an ELF file");
  }
  if (reader.u8(4) !== ELFCLASS64 || reader.u8(5) !== ELFDATA2LSB) {
    throw reader.malformed("not a 64-bit little-endian ELF file");
  }
  if (reader.u16(16) !== ET_REL || reader.u16(18) !== EM_BPF) {
    throw reader.malformed("not a relocatable object for the BPF machine");
  }
  const headers = readHeaders(reader);
  const contents = headers.map((header) => contentOf(reader, header));
  const names = new ByteReader(contents[reader.u16(62)] ?? new Uint8Array(), "section names of BPF object");
  const sections = headers.map((header, index) => ({
    name: names.text(header.name),
    flags: header.flags,
    bytes: contents[index] ?? new Uint8Array(),
  }));
  const table = headers.findIndex((header) => header.type === SHT_SYMTAB);
  const symbols = table === -1 ? [] : readSymbols(contents, headers, table);
  const relocations = headers.flatMap((header, index) =>
    header.type === SHT_REL ? readRelocations(contents[index] ?? new Uint8Array(), header.info, symbols) : [],
  );
  return { sections, symbols, relocations };
}

function readHeaders(reader: ByteReader): Header[] {
  const start = reader.u64(40);
  const entrySize = reader.u16(58);
  if (entrySize < 64) {
    throw reader.malformed(`section header entries of ${entrySize} bytes`);
  }
  const headers: Header[] = [];
  for (let index = 0; index < reader.u16(60); index++) {
    const at = start + index * entrySize;
    headers.push({
      name: reader.u32(at),
      type: reader.u32(at + 4),
      flags: reader.u64(at + 8),
      offset: reader.u64(at + 24),
      size: reader.u64(at + 32),
      link: reader.u32(at + 40),
      info: reader.u32(at + 44),
    });
  }
  return headers;
}

function contentOf(reader: ByteReader, header: Header): Uint8Array {
  return header.type === SHT_NOBITS ? new Uint8Array() : reader.bytes(header.offset, header.size);
}

function readSymbols(
  contents: readonly Uint8Array[],
  headers: readonly Header[],
  table: number,
): ElfSymbol[] {
  const entries = new ByteReader(contents[table] ?? new Uint8Array(), "symbols of BPF object");
  const link = headers[table]?.link ?? 0;
  const names = new ByteReader(contents[link] ?? new Uint8Array(), "symbol names of BPF object");
  const symbols: ElfSymbol[] = [];
  for (let at = 0; at + 24 <= entries.length; at += 24) {
    symbols.push({
      name: names.text(entries.u32(at)),
      type: entries.u8(at + 4) & 0xf,
      section: entries.u16(at + 6),
      value: entries.u64(at + 8),
      size: entries.u64(at + 16),
    });
  }
  return symbols;
}

function readRelocations(bytes: Uint8Array, section: number, symbols: readonly ElfSymbol[]): ElfRelocation[] {
  const entries = new ByteReader(bytes, "relocations of BPF object");
  const relocations: ElfRelocation[] = [];
  for (let at = 0; at + 16 <= entries.length; at += 16) {
    const symbol = symbols[entries.u32(at + 12)];
    if (symbol === undefined) {
      throw entries.malformed(`symbol ${entries.u32(at + 12)} does not exist`);
    }
    relocations.push({ section, offset: entries.u64(at), type: entries.u32(at + 8), symbol });
  }
  return relocations;
}
