/** Workloads as the command line names them. */
import { labPlaceProblem } from "../../agent/lab-place.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { AgentOptions } from "./agent-options.ts";

/** As an attachment has it. */
type Workload = { readonly netns: string } | { readonly pid: number } | { readonly lab: string };

export interface WrittenWorkload {
  readonly workload: Workload;
  /** Short, for the name of an attachment. */
  readonly label: string;
  /** What the way to the agent becomes: a workload of a lab is on one of its hosts. */
  readonly options: AgentOptions;
}

/**
 * Reads `/run/netns/web`, `web` (a named namespace), `pid:4711`, `lab/host/workload`; with `--lab` also `host/workload`,
 * and with `--host` too `workload`. A workload of a lab leads to the agent of its host, unless `--agent` says otherwise.
 */
export function readWorkload(
  text: string,
  options: AgentOptions,
  { isAgentGiven }: { readonly isAgentGiven: boolean },
): WrittenWorkload {
  if (text.startsWith("/"))
    return { workload: { netns: text }, label: text.split("/").at(-1) ?? "", options };
  const pid = /^(?:pid:)?([1-9]\d{0,9})$/.exec(text)?.[1];
  if (pid !== undefined) return { workload: { pid: Number(pid) }, label: `pid-${pid}`, options };
  const parts = text.split("/");
  if (options.lab === undefined && parts.length === 1) {
    return { workload: { netns: `/run/netns/${text}` }, label: text, options };
  }
  const place = placeIn(parts, options);
  const full = place.join("/");
  if (labPlaceProblem(full) !== undefined) {
    throw new NetloomError("INVALID_ARGUMENT", `find workload ${text}: it is not of a form that is known`, {
      topic: "NL-202",
      hint: "write /run/netns/web, web (a named namespace), pid:4711 or lab/host/workload",
    });
  }
  const [lab = "", host = "", label = ""] = place;
  return { workload: { lab: full }, label, options: isAgentGiven ? options : { ...options, lab, host } };
}

/** Lab, host and workload; fewer if something is missing or contradicts an option. */
function placeIn(parts: readonly string[], { lab, host }: AgentOptions): readonly string[] {
  const given = [lab, host].slice(0, 3 - parts.length);
  const place = [...given, ...parts].filter((part) => part !== undefined);
  const agrees = (option: string | undefined, part: string | undefined): boolean =>
    option === undefined || option === part;
  return agrees(lab, place[0]) && agrees(host, place[1]) ? place : [];
}

/** `web-db`: what people would have called it. Lower-case letters, digits and hyphens. */
export function attachmentName(...parts: readonly string[]): string {
  const name = parts
    .join("-")
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, "-");
  return name.slice(0, 63).replace(/^[.-]+|[.-]+$/g, "") || "unnamed";
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
