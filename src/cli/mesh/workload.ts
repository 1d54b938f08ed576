/** Workloads as command-line arguments. */
import { NetloomError } from "../../errors/errors.ts";
import type { WorkloadRef } from "../../resolvers/resolver.ts";
import { readWorkloadText, workloadForms, workloadLabel } from "../../resolvers/workload-ref.ts";
import type { AgentChoice } from "./agent-options.ts";

export interface WrittenWorkload {
  /** The workload in the form of a document. */
  readonly workload: WorkloadRef;
  /** A short form, for the name of an attachment. */
  readonly label: string;
  /** The agent's options: a workload of a lab selects the agent of its host. */
  readonly options: AgentChoice;
}

/**
 * Reads any resolver's text form, such as `/run/netns/web`, `web`, `pid:4711` or `lab/host/workload`; `--lab` and
 * `--host` may replace their parts of it. A workload of a lab selects the agent of its host, unless `--agent` names
 * another.
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

/** Reads the `key=value` pairs of an option that can be repeated. */
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
