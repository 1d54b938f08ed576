/** For tests that kill it: `node up-child-fixture.ts <file> <what>…` says `ready`, does `up` and `down`, and says `done`. For `demo` a name takes the place of the file. */
import { readFileSync } from "node:fs";
import { LinuxMachine } from "../linux/machine.ts";
import { NetloomError } from "../errors/errors.ts";
import { demo } from "./demo.ts";
import { down, up } from "./lab.ts";
import { mustParseLab } from "./parse.ts";

const [file = "", ...works] = process.argv.slice(2);
const machine = await LinuxMachine.open();
// The worker starts with the first question: so that the time from `ready` on is that of the work.
await machine.removeNetns(`/run/netns/nlt${process.pid}-none`);
process.stdout.write("ready\n");
try {
  for (const work of works) {
    const text = work === "demo" ? "" : readFileSync(file, "utf8");
    if (work === "up") await up(machine, text, file);
    if (work === "down") await down(machine, mustParseLab(text, file).name);
    if (work === "demo")
      for await (const { step } of demo(machine, { name: file })) process.stdout.write(`${step}\n`);
  }
  process.stdout.write("done\n");
} catch (error) {
  // What it has started may have been killed.
  if (!(error instanceof NetloomError)) throw error;
  process.stdout.write(`failed: ${error.message}\n`);
  process.exitCode = 1;
} finally {
  // An open machine has threads that wait for the kernel, and would hold up the exit.
  await machine.close();
}
