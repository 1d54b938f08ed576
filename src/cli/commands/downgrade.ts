import type { Command } from "commander";
import { NetloomError } from "../../errors/errors.ts";
import { describe, option, type CommandContext } from "../command.ts";
import { count } from "../output.ts";

export function downgradeCommand(context: CommandContext): Command {
  return describe({
    name: "downgrade",
    description:
      "Turns the wires of this host into what release 0.1.0 makes, so that its agent takes them over: each wire to another host gets " +
      "a VXLAN device of its own, and is guarded no more. The documents that the agent keeps are written as that release reads them. Run it " +
      "as root after the agent has ended, in its network namespace. Plain IP goes on meanwhile; ARP and fragments are lost for a moment.",
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
    .addOption(
      option("--state-dir <directory>", "where the agent keeps its documents").default("/var/lib/netloom"),
    )
    .action(async ({ bpffs, stateDir }: { readonly bpffs: string; readonly stateDir: string }) => {
      const [{ LinuxMachine }, { giveBack }, { agentOfHost }, { openFileTree }] = await Promise.all([
        import("../../linux/machine/machine.ts"),
        import("../../agent/between-releases.ts"),
        import("../../doctor/agent-of-host.ts"),
        import("../doctor/host.ts"),
      ]);
      const [{ writeFormerState }, { toFormer }, { nodeDisk }] = await Promise.all([
        import("../../agent/former-state.ts"),
        import("../../documents/former.ts"),
        import("../../transport/node-disk.ts"),
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
        const documents = await writeFormerState({ disk: nodeDisk(stateDir), stateDir }, toFormer);
        context.out.line(
          tunnels === 0
            ? "no wire leads to another host: there is nothing to turn"
            : `turned ${count(tunnels, "tunnel")} into VXLAN devices`,
        );
        if (documents > 0)
          context.out.line(`wrote ${count(documents, "document")} as release 0.1.0 reads them`);
      } finally {
        await machine.close();
      }
    });
}
