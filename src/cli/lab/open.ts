/** Shared by the commands of `netloom lab`: finds the lab, and opens the machine. */
import { readFile } from "node:fs/promises";
import { decodeText } from "../../text/decode-text.ts";
import { mustParseLab } from "../../lab/file/parse.ts";
import { LinuxMachine } from "../../linux/machine/machine.ts";
import { NetloomError } from "../../errors/errors.ts";

/** Reads a lab file. Throws NOT_FOUND or INVALID_ARGUMENT with a hint. */
export async function readLabFile(file: string): Promise<string> {
  return decodeText(await readBytes(file), file);
}

async function readBytes(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const reason = reasons.get((error as NodeJS.ErrnoException).code ?? "") ?? String(error);
    throw new NetloomError("NOT_FOUND", `read lab file ${file}: ${reason}`, {
      topic: "NL-101",
      hint: "name a YAML file, such as examples/first.yaml; docs/reference/lab.md explains how to write one",
      cause: error,
    });
  }
}

const reasons: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "there is no such file"],
  ["EACCES", "not permitted"],
  ["EISDIR", "it is a directory"],
]);

/** The lab's name from an argument that is a name or a file. */
export async function labNameOf(nameOrFile: string): Promise<string> {
  if (!/[./]/.test(nameOrFile)) return nameOrFile;
  return mustParseLab(await readLabFile(nameOrFile), nameOrFile).name;
}

/** Runs `work` with a machine, and always closes the machine. */
export async function withMachine<T>(work: (machine: LinuxMachine) => Promise<T>): Promise<T> {
  const machine = await LinuxMachine.open();
  try {
    return await work(machine);
  } finally {
    await machine.close();
  }
}
