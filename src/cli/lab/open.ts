/** What the commands of `netloom lab` share: finding the lab that is meant, and a machine to work on. */
import { readFile } from "node:fs/promises";
import { decodeText } from "../../text/decode-text.ts";
import { mustParseLab } from "../../lab/file/parse.ts";
import { LinuxMachine } from "../../linux/machine/machine.ts";
import { NetloomError } from "../../errors/errors.ts";

/** The text of a lab file. Throws NOT_FOUND or INVALID_ARGUMENT with what to do. */
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
      hint: "name a YAML file, such as examples/first.yaml; docs/reference/lab.md tells how to write one",
      cause: error,
    });
  }
}

const reasons: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "there is no such file"],
  ["EACCES", "not permitted"],
  ["EISDIR", "it is a directory"],
]);

/** The name of the lab that the user means by a name or by a file. */
export async function labNameOf(nameOrFile: string): Promise<string> {
  if (!/[./]/.test(nameOrFile)) return nameOrFile;
  return mustParseLab(await readLabFile(nameOrFile), nameOrFile).name;
}

/** Runs `work` with a machine, and closes it whatever happens. */
export async function withMachine<T>(work: (machine: LinuxMachine) => Promise<T>): Promise<T> {
  const machine = await LinuxMachine.open();
  try {
    return await work(machine);
  } finally {
    await machine.close();
  }
}
