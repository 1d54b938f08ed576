/** Runs bin/netloom as a user would, for the tests of the command line. */
import { spawn, type SpawnOptions } from "node:child_process";
import { chmodSync, mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

export const netloomPath = fileURLToPath(new URL("../../bin/netloom", import.meta.url));

export interface CommandOutcome {
  /** `null` if a signal ended the process. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Netloom {
  readonly pid: number | undefined;
  readonly outcome: Promise<CommandOutcome>;
  kill(signal: NodeJS.Signals): void;
}

export interface StartOptions extends SpawnOptions {
  /** Called with every piece of stdout. */
  readonly onStdout?: (text: string) => void;
  /** Called with every piece of stderr. */
  readonly onStderr?: (text: string) => void;
}

/** Starts `netloom args…` with both outputs in pipes. */
export function start(args: readonly string[], options: StartOptions = {}): Netloom {
  return startProgram(netloomPath, args, options);
}

/** Starts another program in the same way. */
export function startProgram(program: string, args: readonly string[], options: StartOptions): Netloom {
  const { onStdout, onStderr, ...spawnOptions } = options;
  const child = spawn(program, args, {
    ...spawnOptions,
    env: { ...process.env, ...spawnOptions.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (onStdout) child.stdout.on("data", (part) => onStdout(String(part)));
  if (onStderr) child.stderr.on("data", (part) => onStderr(String(part)));
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
export function netloom(args: readonly string[], options: SpawnOptions = {}): Promise<CommandOutcome> {
  return start(args, options).outcome;
}

/**
 * Runs `netloom args…` as a user without any privilege. Root only. The project may be in a place that such a user
 * cannot enter, such as a home directory: for this process it is mounted at an accessible place.
 */
export async function netloomOfNobody(args: readonly string[]): Promise<CommandOutcome> {
  const folder = mkdtempSync(join(tmpdir(), "netloom-nobody-"));
  chmodSync(folder, 0o755);
  const project = fileURLToPath(new URL("../..", import.meta.url));
  const script = `mount --bind "$1" "$2" && program=$2/bin/netloom && shift 2 &&
    exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "$program" "$@"`;
  const words = ["--mount", "sh", "-c", script, "sh", project, folder, ...args];
  try {
    return await startProgram("unshare", words, { cwd: "/" }).outcome;
  } finally {
    rmdirSync(folder);
  }
}
