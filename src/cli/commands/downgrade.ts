import type { Command } from "commander";
import { NetloomError } from "../../errors/errors.ts";
import { describe, option, type CommandContext } from "../command.ts";
import { count } from "../output.ts";

export function downgradeCommand(context: CommandContext): Command {
  return describe({
    name: "downgrade",
    description:
      "Converts the wires of this host for release 0.1.0, so that its agent takes them over: each wire to another host gets its own " +
      "VXLAN device, and loses its guards. The agent's documents are converted as well. Run it as root in the agent's network " +
      "namespace, after the agent has ended. Meanwhile plain IP packets still pass; ARP and fragments are lost for a moment.",
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
        throw new NetloomError("FAILED_PRECONDITION", "convert wires for release 0.1.0: an agent runs here", {
          hint: `end it first: kill ${agent.pid}`,
        });
      const machine = await LinuxMachine.open();
      try {
        const tunnels = await giveBack(await machine.kernel({ bpffs }));
        const documents = await writeFormerState({ disk: nodeDisk(stateDir), stateDir }, toFormer);
        context.out.line(
          tunnels === 0
            ? "no wire leads to another host: nothing to convert"
            : `converted ${count(tunnels, "tunnel")} to VXLAN devices`,
        );
        if (documents > 0) context.out.line(`converted ${count(documents, "document")} for release 0.1.0`);
      } finally {
        await machine.close();
      }
    });
}
