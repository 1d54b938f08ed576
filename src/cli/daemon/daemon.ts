/** Shared by the agent and the registry: log lines, readiness, and an orderly end. */
import { closeSync, writeSync } from "node:fs";
import { type Command, Option } from "commander";
import { option, type CommandContext } from "../command.ts";
import { LEVELS, lineLog, type Level, type Log } from "../../observe/log.ts";
import { exporterSpellings, openExporter } from "../../exporters/exporters.ts";
import type { SpanExporter } from "../../observe/trace.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Scope } from "../../async/scope.ts";
import {
  chooseIdentity,
  IDENTITIES,
  LAB_WORDS,
  loadIdentity,
  type OpenIdentity,
} from "../../identity/identities.ts";

/** The options that both daemons have. */
export interface DaemonOptions {
  readonly listen: readonly string[];
  readonly logLevel: Level;
  readonly notifyFd?: number;
  readonly trace?: string;
}

/** Adds the options for a process's own identity, one for each kind of identity. */
export function addIdentityOptions(command: Command): Command {
  for (const kind of IDENTITIES) command.addOption(option(kind.option.flags, kind.option.description));
  return command;
}

/** Loads the chosen identity. FAILED_PRECONDITION for `attempt` if no identity was chosen. */
export async function identityOf(attempt: string, options: object): Promise<OpenIdentity> {
  const given = new Map(Object.entries(options));
  return await loadIdentity(
    chooseIdentity(attempt, (kind) => given.get(new Option(kind.option.flags).attributeName())),
  );
}

/** An example of a daemon's command line, with the paths of a lab. */
export function exampleOf(daemon: string, rest = ""): string {
  return ["netloom", daemon, ...LAB_WORDS, rest].join(" ").trimEnd();
}

export function logLevelOption() {
  return option("--log-level <level>", "lowest level of log lines").choices(LEVELS).default("info");
}

export function traceOption() {
  return option("--trace <url>", `where spans of requests go: ${exporterSpellings()} (default: nowhere)`);
}

/** The exporter of spans; `undefined` if tracing is off. */
export async function exporterOf({ trace }: DaemonOptions, log: Log): Promise<SpanExporter | undefined> {
  return trace === undefined ? undefined : await openExporter(trace, "--trace", log);
}

export function notifyFdOption() {
  return option("--notify-fd <number>", "write READY=1 to this descriptor when it is ready").argParser(
    Number,
  );
}

/** Collects an option that can be repeated; in the environment its values are separated by commas. */
export function several(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), ...value.split(",").filter((each) => each !== "")];
}

/** A log to stderr, each line with its time. */
export function daemonLog({ err }: CommandContext, level: Level): Log {
  return lineLog((line) => err.line(`time=${new Date().toISOString()} ${line}`), level, describeBug);
}

function describeBug(bug: unknown): string {
  return bug instanceof Error ? (bug.stack ?? bug.message) : String(bug);
}

/** Announces on stdout, on `--notify-fd` and to systemd that the daemon is ready. */
export async function announce(
  context: CommandContext,
  text: string,
  { notifyFd }: DaemonOptions,
): Promise<void> {
  context.out.line(`ready: ${text}`);
  if (notifyFd !== undefined) {
    try {
      writeSync(notifyFd, "READY=1\n");
      closeSync(notifyFd);
    } catch (error) {
      throw new NetloomError(
        "INVALID_ARGUMENT",
        `write to descriptor ${notifyFd}: ${(error as Error).message}`,
        { hint: "open it for the process before it is started: --notify-fd 3 with 3>file" },
      );
    }
  }
  const socket = process.env["NOTIFY_SOCKET"];
  if (!socket) return;
  const { notifyService } = await import("../../linux/processes/notify.ts");
  notifyService(socket, "READY=1");
}

/** Resolves when a signal comes. Rejects with the reason if the program ends by itself. */
export async function untilEnd({ signal }: CommandContext, scope: Scope): Promise<void> {
  const ended = await new Promise<"signal" | "scope">((resolve) => {
    if (signal.aborted) resolve("signal");
    signal.addEventListener("abort", () => resolve("signal"), { once: true });
    scope.onEnd(() => resolve("scope"));
  });
  if (ended === "scope") await scope.end();
}
