import type { Command } from "commander";
import { describe } from "../command.ts";

export function execCommand(): Command {
  return describe({
    name: "exec",
    description:
      "Runs a program of this machine in the network namespace of a host, router or workload of a lab, with this " +
      "terminal. Needs root. Exit code: the program's.",
    examples: [
      { command: "sudo netloom lab exec two alpha/web -- ping -c 3 10.0.0.2", about: "from a workload" },
      { command: "sudo netloom lab exec two alpha -- ip -d link", about: "from a host" },
    ],
  })
    .argument("<lab>", "name of the lab, or its file")
    .argument("<place>", "host, router or host/workload")
    .argument("<program...>", "the program and its arguments")
    .passThroughOptions()
    .action(
      async (lab: string, place: string, words: readonly string[], _options: object, command: Command) => {
        const program = words[0] === "--" ? words.slice(1) : words;
        if (program.length === 0) command.error("error: missing required argument 'program'");
        const { requirePrivileges } = await import("../doctor/privileges.ts");
        const again = `netloom lab exec ${lab} ${place} ${program.join(" ")}`;
        requirePrivileges(`run ${program[0]} in ${place} of lab ${lab}`, again);
        const [{ labNameOf }, { exec }] = await Promise.all([
          import("./open.ts"),
          import("../../lab/exec.ts"),
        ]);
        await exec(await labNameOf(lab), place, program);
      },
    );
}
