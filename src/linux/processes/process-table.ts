/** The processes of this machine, according to proc(5). A process may end at any time. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type NetnsInode, identityAt } from "../namespaces/netns.ts";

/** The most reads of an empty command line: a program may have cleared its own. */
const MAX_READS = 1000;

/** The bit of signal 9 in a signal mask. */
const SIGKILL_BIT = 1n << 8n;

export function processNumbers(): number[] {
  return readdirSync("/proc").flatMap((name) => (/^[0-9]+$/.test(name) ? [Number(name)] : []));
}

/** The command line. Empty if there is no such process, or if it is a zombie. */
export function commandLine(pid: number): string[] {
  try {
    // The command line is empty for a moment while a process becomes another program.
    for (let reads = 0; ; reads++) {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
      if (words.length > 0 || reads === MAX_READS || !hasProgram(pid)) return words;
    }
  } catch {
    return [];
  }
}

/** Does the process have a program? False after its end, even as a zombie. */
export function hasProgram(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/exe`) !== "";
  } catch {
    return false;
  }
}

/** The short name of the program; `undefined` if the process has ended. */
export function programName(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return undefined;
  }
}

/** The network namespace; `undefined` if the process has ended or is hidden. */
export function netnsOfProcess(pid: number): NetnsInode | undefined {
  return identityAt(`/proc/${pid}/ns/net`);
}

/** Is the process killed but not gone yet? It looks alive until then. proc(5), ShdPnd in status. */
export function isDying(pid: number): boolean {
  try {
    const pending = /^ShdPnd:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return (BigInt(`0x${pending ?? 0}`) & SIGKILL_BIT) !== 0n;
  } catch {
    return true;
  }
}

/**
 * The start time of the process, in clock ticks since the boot. Together with the process ID it is unique. proc(5), field
 * 22.
 */
export function startTime(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[19]);
  } catch {
    return undefined;
  }
}
