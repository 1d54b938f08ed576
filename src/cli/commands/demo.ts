import type { Command } from "commander";
import { describe, outputOption, type CommandContext } from "../command.ts";
import type { DemoStep } from "../../lab/demo.ts";
import type { Format } from "../output.ts";

export function demoCommand(context: CommandContext): Command {
  return describe({
    name: "demo",
    description:
      "Builds two hosts and three workloads as network namespaces, and runs a registry and two agents there. One workload " +
      "offers a service, and one on each host requests it by name: a wire within a host, and a VXLAN wire between hosts. " +
      "Sends packets through both, and removes everything again, also after an interrupt. Runs no other program. " +
      "Needs root. Exit code: 1 if a packet was lost or something was left behind.",
    examples: [
      { command: "sudo netloom demo", about: "a few seconds, and nothing is left behind" },
      { command: "sudo netloom demo -o json", about: '{"steps": [{"step", "durationMs", …}]}' },
    ],
  })
    .addOption(outputOption())
    .action(async (options: { output: Format }) => {
      const { requirePrivileges } = await import("../doctor/privileges.ts");
      requirePrivileges("run the demo", "netloom demo");
      const [{ demo }, { withMachine }, { DemoScreen }] = await Promise.all([
        import("../../lab/demo.ts"),
        import("../lab/open.ts"),
        import("../lab/demo-screen.ts"),
      ]);
      const screen = options.output === "text" ? new DemoScreen(context.out) : undefined;
      const steps: DemoStep[] = [];
      await withMachine(async (machine) => {
        screen?.title();
        for await (const step of demo(machine, { signal: context.signal })) {
          steps.push(step);
          screen?.show(step);
        }
      });
      context.signal.throwIfAborted();
      const isFine = steps.every(hasSucceeded);
      if (screen) screen.end(isFine);
      else context.out.json({ steps });
      context.setExitCode(isFine ? 0 : 1);
    });
}

/** Returns whether every packet came back through the wire, the MTU is as promised, and nothing is left over. */
export function hasSucceeded(step: DemoStep): boolean {
  if (step.step === "removed") return step.leftovers.length === 0;
  if (step.step === "built") return step.report.attachments.every(({ isUp }) => isUp);
  if (step.step !== "probed") return true;
  return (
    step.wire.state === "up" &&
    step.problems.length === 0 &&
    step.probes.every(({ sent, received }) => sent === received)
  );
}
