/** The processes of this machine, as proc(5) tells of them. One that has ended meanwhile has nothing to tell. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type NetnsInode, identityAt } from "../namespaces/netns.ts";

/** Of a command line that is empty: a program may have cleared its own. */
const MAX_READS = 1000;

/** Of signal 9 in a set of signals. */
const SIGKILL_BIT = 1n << 8n;

export function processNumbers(): number[] {
  return readdirSync("/proc").flatMap((name) => (/^[0-9]+$/.test(name) ? [Number(name)] : []));
}

/** Empty if there is no such process, or it is dead and waits for its parent. */
export function commandLine(pid: number): string[] {
  try {
    // A process that becomes another program has none for a moment, though it has a program.
    for (let reads = 0; ; reads++) {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
      if (words.length > 0 || reads === MAX_READS || !hasProgram(pid)) return words;
    }
  } catch {
    return [];
  }
}

/** Not so of one that has ended, whether or not anybody has heard of that. */
export function hasProgram(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/exe`) !== "";
  } catch {
    return false;
  }
}

/** The short name of its program; `undefined` if it has ended. */
export function programName(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return undefined;
  }
}

/** Its network namespace; `undefined` if it has ended, or is not ours to see. */
export function netnsOfProcess(pid: number): NetnsInode | undefined {
  return identityAt(`/proc/${pid}/ns/net`);
}

/** Whether a process was killed, and is on its way out: until then it looks as if it ran. proc(5), ShdPnd in status. */
export function isDying(pid: number): boolean {
  try {
    const pending = /^ShdPnd:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return (BigInt(`0x${pending ?? 0}`) & SIGKILL_BIT) !== 0n;
  } catch {
    return true;
  }
}

/** When a process was started, in clock ticks since the boot: with its number it is unmistakable. proc(5), field 22. */
export function startTime(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[19]);
  } catch {
    return undefined;
  }
}
