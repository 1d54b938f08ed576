/** The options that select an agent. In their own file because connecting to an agent takes longer to load. */
import type { Command } from "commander";
import { option } from "../command.ts";

/** The socket of this host's agent. */
export const defaultAgent = "unix:///run/netloom/agent.sock";

export interface AgentChoice {
  readonly agent: string;
  readonly lab?: string;
  readonly host?: string;
}

/** Adds `--agent`, `--lab` and `--host`. */
export function addAgentOptions(command: Command): Command {
  return command
    .addOption(option("--agent <url>", "the agent's socket").default(defaultAgent))
    .addOption(option("--lab <lab>", "the agent of a host of this lab"))
    .addOption(option("--host <host>", "the host; a lab with one host needs none"));
}

/** The same options, found in words that are not parsed yet: for completion. */
export function agentOptionsOf(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): AgentChoice {
  const find = (name: string): string | undefined => {
    const index = words.findIndex((word) => word === `--${name}` || word.startsWith(`--${name}=`));
    const word = words[index];
    const value = word?.includes("=") === true ? word.slice(name.length + 3) : words[index + 1];
    return index < 0 ? env[`NETLOOM_${name.toUpperCase()}`] : value;
  };
  const [lab, host] = [find("lab"), find("host")];
  return {
    agent: find("agent") ?? defaultAgent,
    ...(lab !== undefined && { lab }),
    ...(host !== undefined && { host }),
  };
}
