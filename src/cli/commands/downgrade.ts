import type { Command } from "commander";
import { NetloomError } from "../../errors/errors.ts";
import { describe, option, type CommandContext } from "../command.ts";
import { count } from "../output.ts";

export function downgradeCommand(context: CommandContext): Command {
  return describe({
    name: "downgrade",
    description:
      "Turns the wires of this host into what release 0.1.0 makes, so that its agent takes them over: each wire to another host gets " +
      "a VXLAN device of its own, and is guarded no more. Run it as root after the agent has ended, in its network namespace. Plain IP goes " +
      "on meanwhile; what else there is (ARP, fragments) is lost for a moment.",
    examples: [
      {
        command: "systemctl stop netloom-agent && sudo netloom downgrade",
        about: "then start the agent of release 0.1.0",
      },
    ],
  })
    .addOption(
      option("--bpffs <directory>", "where the agent has pinned its programs").default("/run/netloom/bpf"),
    )
    .action(async ({ bpffs }: { readonly bpffs: string }) => {
      const [{ LinuxMachine }, { giveBack }, { agentOfHost }, { openFileTree }] = await Promise.all([
        import("../../linux/machine/machine.ts"),
        import("../../agent/between-releases.ts"),
        import("../../doctor/agent-of-host.ts"),
        import("../doctor/host.ts"),
      ]);
      const agent = agentOfHost(openFileTree());
      if (agent.state === "runs")
        throw new NetloomError(
          "FAILED_PRECONDITION",
          "turn wires into those of release 0.1.0: an agent runs here",
          {
            hint: `end it first: kill ${agent.pid}`,
          },
        );
      const machine = await LinuxMachine.open();
      try {
        const tunnels = await giveBack(await machine.kernel({ bpffs }));
        context.out.line(
          tunnels === 0
            ? "no wire leads to another host: there is nothing to turn"
            : `turned ${count(tunnels, "tunnel")} into VXLAN devices`,
        );
      } finally {
        await machine.close();
      }
    });
}
