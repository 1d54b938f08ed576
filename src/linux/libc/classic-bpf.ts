/** Classic BPF: programs that a socket runs for each packet or message. Source: include/uapi/linux/filter.h */
import assert from "node:assert/strict";

/** A label, or an instruction: code, operand, and the labels to jump to if the condition is true or false. */
export type Line =
  | string
  | readonly [code: number, number: number, ifSo?: string | undefined, ifNot?: string];

export const LOAD_BYTE = 0x30; // BPF_LD | BPF_B | BPF_ABS
export const LOAD_WORD = 0x20; // BPF_LD | BPF_W | BPF_ABS
export const LOAD_BYTE_BEHIND = 0x50; // BPF_LD | BPF_B | BPF_IND
export const LOAD_NUMBER = 0x00; // BPF_LD | BPF_IMM
export const INDEX_NUMBER = 0x01; // BPF_LDX | BPF_IMM
export const INDEX_LOADED = 0x07; // BPF_MISC | BPF_TAX
export const IF_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
export const IF_GREATER = 0x25; // BPF_JMP | BPF_JGT | BPF_K
export const IF_BIT = 0x45; // BPF_JMP | BPF_JSET | BPF_K
export const RETURN = 0x06; // BPF_RET | BPF_K
/** Loads the offset of the attribute of type X from offset A on, or 0: SKF_AD_OFF + SKF_AD_NLATTR. */
export const FIND_ATTRIBUTE = 0xfffff000 + 12;

/** Assembles the program: `u16 code | u8 skip if true | u8 skip if false | u32 operand` for each instruction. */
export function assembled(lines: readonly Line[]): Uint8Array {
  const places = new Map<string, number>();
  const program: Exclude<Line, string>[] = [];
  for (const line of lines)
    if (typeof line === "string") places.set(line, program.length);
    else program.push(line);
  const bytes = new Uint8Array(8 * program.length);
  const view = new DataView(bytes.buffer);
  for (const [i, [code, number, ifSo, ifNot]] of program.entries()) {
    const skip = (place: string | undefined): number => {
      if (place === undefined) return 0;
      const by = (places.get(place) ?? -1) - i - 1;
      assert(by >= 0 && by < 256, `there is no way to "${place}" from instruction ${i}`);
      return by;
    };
    view.setUint16(8 * i, code, true);
    view.setUint8(8 * i + 2, skip(ifSo));
    view.setUint8(8 * i + 3, skip(ifNot));
    view.setUint32(8 * i + 4, number, true);
  }
  return bytes;
}
