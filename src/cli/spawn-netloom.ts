/** Runs bin/netloom as a user would, for the tests of the command line. */
import { spawn, type SpawnOptions } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

export const netloomPath = fileURLToPath(new URL("../../bin/netloom", import.meta.url));

export interface Outcome {
  /** `null` if a signal ended the process. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Netloom {
  readonly pid: number | undefined;
  readonly outcome: Promise<Outcome>;
  kill(signal: NodeJS.Signals): void;
}

export interface StartOptions extends SpawnOptions {
  /** Called with every piece of stdout as it comes. */
  readonly onStdout?: (text: string) => void;
}

/** Starts `netloom args…` with both outputs in pipes. */
export function start(args: readonly string[], options: StartOptions = {}): Netloom {
  const { onStdout, ...spawnOptions } = options;
  const child = spawn(netloomPath, args, {
    ...spawnOptions,
    env: { ...process.env, ...spawnOptions.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (onStdout) child.stdout.on("data", (part) => onStdout(String(part)));
  const code = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const outcome = Promise.all([code, text(child.stdout), text(child.stderr)]).then(
    ([code, stdout, stderr]) => ({
      code,
      stdout,
      stderr,
    }),
  );
  return { pid: child.pid, outcome, kill: (signal) => child.kill(signal) };
}

/** Runs `netloom args…` to its end. */
export function netloom(args: readonly string[], options: SpawnOptions = {}): Promise<Outcome> {
  return start(args, options).outcome;
}
