/** Workloads as the command line names them. */
import { NetloomError } from "../../errors/errors.ts";
import type { WorkloadRef } from "../../resolvers/resolver.ts";
import { readWorkloadText, workloadForms, workloadLabel } from "../../resolvers/workload-ref.ts";
import type { AgentChoice } from "./agent-options.ts";

export interface WrittenWorkload {
  /** As an attachment has it. */
  readonly workload: WorkloadRef;
  /** Short, for the name of an attachment. */
  readonly label: string;
  /** What the way to the agent becomes: a workload of a lab is on one of its hosts. */
  readonly options: AgentChoice;
}

/**
 * Reads what any resolver reads, such as `/run/netns/web`, `web`, `pid:4711` or `lab/host/workload`; what `--lab` and
 * `--host` name may be left out. A workload of a lab leads to the agent of its host, unless `--agent` says otherwise.
 */
export function readWorkload(
  text: string,
  options: AgentChoice,
  { isAgentGiven }: { readonly isAgentGiven: boolean },
): WrittenWorkload {
  const written = readWorkloadText(text, options);
  if (!written) {
    throw new NetloomError("INVALID_ARGUMENT", `find workload ${text}: it is not of a form that is known`, {
      topic: "NL-202",
      hint: `write ${workloadForms("web", { isLong: true })}`,
    });
  }
  const { ref, at } = written;
  const isElsewhere = at !== undefined && !isAgentGiven;
  return {
    workload: ref,
    label: workloadLabel(ref),
    options: isElsewhere ? { ...options, ...at } : options,
  };
}

/** `key=value` pairs of an option that may be given several times. */
export function readLabels(pairs: readonly string[] | undefined): Record<string, string> | undefined {
  if (pairs === undefined) return undefined;
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)] as const;
      throw new NetloomError("INVALID_ARGUMENT", `read label ${JSON.stringify(pair)}: it is not key=value`, {
        hint: "write --label app=web, once for each label",
      });
    }),
  );
}
