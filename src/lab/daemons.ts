/**
 * The processes of a lab: registries and agents, each in the network namespace of its host and in its own session.
 * Their files are in /run/netloom/labs/<lab>/<host>/:
 *
 *   agent.sock              the agent's socket
 *   registry.sock           the registry's socket
 *   agent.log registry.log  their logs
 *   agent.json …            pid, start time and command line of the process, for people
 *   state/                  the agent's state folder
 *
 * A process is found by its command line, which names that directory. So the process of a killed command is found as well,
 * and a pid that was reused is not mistaken for it.
 */
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { LinuxMachine } from "../linux/machine/machine.ts";
import { OWN } from "../linux/machine/open-need.ts";
import {
  commandLine,
  hasProgram,
  isDying,
  processNumbers,
  startTime,
} from "../linux/processes/process-table.ts";
import { linuxProcesses } from "../linux/processes/processes.ts";
import { NetloomError } from "../errors/errors.ts";
import type { HeldProcess } from "../kernel/processes.ts";
import { storeInFolder } from "../store/stores.ts";
import type { Lab, LabAgent, LabMesh } from "./file/model.ts";
import { bpffsDirectory, stateDirectory } from "./state.ts";
import { netnsOf } from "./topology/topology.ts";
import { LAB_WORDS } from "../identity/identities.ts";

const AGENT_PORT = 5001;
const REGISTRY_PORT = 5002;

const START_PATIENCE_MS = 20_000;
const POLL_MS = 5;
const END_PATIENCE_MS = 10_000;

type DaemonKind = "registry" | "agent";

/** A process that has to run. */
export interface Daemon {
  readonly kind: DaemonKind;
  readonly host: string;
  /** The command line after the program's file. */
  readonly args: readonly string[];
}

export interface RunningDaemon {
  readonly pid: number;
  readonly kind: DaemonKind;
  readonly host: string;
  readonly args: readonly string[];
}

function hostDirectory(lab: string, host: string): string {
  return join(stateDirectory(lab), host);
}

export function agentSocket(lab: string, host: string): string {
  return join(hostDirectory(lab, host), "agent.sock");
}

/** The processes of a lab; none for a lab without agents. */
export function daemonsOf({ name, mesh }: Lab): Daemon[] {
  if (!mesh) return [];
  return [
    ...mesh.registries.map((host): Daemon => ({
      kind: "registry",
      host,
      args: registryArgs(name, host, mesh),
    })),
    ...mesh.agents.map((agent): Daemon => ({
      kind: "agent",
      host: agent.host,
      args: agentArgs(name, agent),
    })),
  ];
}

function registryArgs(lab: string, host: string, { registries, store }: LabMesh): string[] {
  const [first = host] = registries;
  return [
    "registry",
    ...LAB_WORDS,
    // The URL with its own folder comes first: findDaemons recognises the process by it.
    "--listen",
    `unix://${join(hostDirectory(lab, host), "registry.sock")}`,
    "--listen",
    `tcp://[::]:${REGISTRY_PORT}`,
    "--name",
    `registry-${host}`,
    "--store",
    store ?? storeInFolder(hostDirectory(lab, first)),
  ];
}

function agentArgs(lab: string, agent: LabAgent): string[] {
  const { host, addresses, underlayMtuBytes, allowHostWorkload, registryAddresses } = agent;
  const directory = hostDirectory(lab, host);
  const [first] = addresses;
  return [
    "agent",
    ...LAB_WORDS,
    "--name",
    host,
    "--listen",
    `unix://${agentSocket(lab, host)}`,
    ...(first === undefined
      ? []
      : ["--listen", `tcp://[::]:${AGENT_PORT}`, "--url", tcpUrl(first, AGENT_PORT)]),
    ...registryAddresses.flatMap((address) => ["--registry", tcpUrl(address, REGISTRY_PORT)]),
    ...addresses.flatMap((address) => ["--tunnel-ip", address]),
    "--underlay-mtu",
    String(underlayMtuBytes),
    ...(allowHostWorkload ? ["--allow-host-workload"] : []),
    "--state-dir",
    join(directory, "state"),
    "--bpffs",
    bpffsDirectory(lab, host),
  ];
}

function tcpUrl(address: string, port: number): string {
  return `tcp://${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/** All running processes of the lab, also those that other commands started. */
export function findDaemons(lab: string): RunningDaemon[] {
  const mark = `${stateDirectory(lab)}/`;
  return processNumbers().flatMap((pid): RunningDaemon[] => {
    const words = commandLine(pid);
    const at = words.findIndex((word) => word === "agent" || word === "registry");
    const place = words.find((word) => word.includes(mark));
    const host = place?.slice(place.indexOf(mark) + mark.length).split("/")[0];
    // The script bin/netloom replaces itself by Node with the main file.
    if (at < 1 || host === undefined || !words[at - 1]?.match(/\/(main\.[jt]s|netloom)$/)) return [];
    return [{ pid, kind: words[at] as DaemonKind, host, args: words.slice(at) }];
  });
}

/** Kills the processes: their state is in the kernel and on the disk. Resolves when they have left their namespaces. */
export async function endDaemons(daemons: readonly RunningDaemon[]): Promise<void> {
  await Promise.all(daemons.map(endDaemon));
}

async function endDaemon({ pid, kind, host }: RunningDaemon): Promise<void> {
  const held = await hold(pid);
  if (!held) return;
  try {
    // The process is held first, so that its pid is not reused. A process without a command line is exiting.
    const words = commandLine(pid);
    if (words.length > 0 && !words.includes(kind)) return;
    process.kill(pid, "SIGKILL");
    const giveUpAt = performance.now() + END_PATIENCE_MS;
    while (held.isAlive()) {
      if (performance.now() > giveUpAt)
        throw new NetloomError("DEADLINE_EXCEEDED", `end ${kind} of ${host}: process ${pid} does not end`);
      await sleep(POLL_MS);
    }
  } catch (error) {
    if (error instanceof NetloomError) throw error;
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return;
    throw new NetloomError("PERMISSION_DENIED", `end ${kind} of ${host}: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    held.release();
  }
}

/** Holds a process. `undefined` if it does not exist. */
async function hold(pid: number): Promise<HeldProcess | undefined> {
  try {
    return await linuxProcesses(OWN).hold(pid);
  } catch (error) {
    if (error instanceof NetloomError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

/** Starts the missing processes of `wanted`, and ends all others. Returns the names of the started ones. */
export async function bringDaemons(
  machine: LinuxMachine,
  lab: string,
  wanted: readonly Daemon[],
): Promise<string[]> {
  const found = findDaemons(lab);
  const same = (a: Daemon, b: Daemon): boolean =>
    a.kind === b.kind && a.host === b.host && a.args.join("\0") === b.args.join("\0");
  const running = found.filter((each) => wanted.some((one) => same(one, each)) && !isDying(each.pid));
  await endDaemons(found.filter((each) => !running.includes(each)));
  const missing = wanted.filter((each) => !running.some((one) => same(each, one)));
  // Make all directories before a process makes one of them itself.
  for (const { host } of missing) await mkdir(hostDirectory(lab, host), { recursive: true, mode: 0o755 });
  await Promise.all(
    wanted.map(async (each) => {
      // A running process may not serve yet: the command that started it may have been killed.
      const there = running.find((one) => same(each, one));
      await untilReady(lab, { ...each, pid: there?.pid ?? (await start(machine, lab, each)) });
    }),
  );
  return missing.map(({ kind, host }) => `${kind} of ${host}`);
}

async function start(machine: LinuxMachine, lab: string, { kind, host, args }: Daemon): Promise<number> {
  const directory = hostDirectory(lab, host);
  const logFile = logFileOf(lab, { kind, host });
  await writeFile(logFile, "");
  // The script sets the options of Node, independent of this command's environment.
  const program = fileURLToPath(new URL("../../bin/netloom", import.meta.url));
  const argv = [program, ...args];
  const pid = await machine.spawn(netnsOf(lab, host), { argv, environment: environment(), logFile });
  const note = { pid, startTime: startTime(pid), command: argv };
  await writeFile(join(directory, `${kind}.json`), `${JSON.stringify(note)}\n`);
  return pid;
}

function logFileOf(lab: string, { kind, host }: Pick<Daemon, "kind" | "host">): string {
  return join(hostDirectory(lab, host), `${kind}.log`);
}

/** The daemon's environment, without the NETLOOM_ variables that hold options of this command. */
function environment(): Record<string, string> {
  const own = Object.entries(process.env).filter(
    ([name, value]) => value !== undefined && (!name.startsWith("NETLOOM_") || name === "NETLOOM_LOG_LEVEL"),
  );
  return Object.fromEntries(own) as Record<string, string>;
}

/** Waits until the process serves. UNAVAILABLE with its last log line if it ends before that. */
async function untilReady(lab: string, daemon: RunningDaemon): Promise<void> {
  const { pid, kind, host } = daemon;
  const logFile = logFileOf(lab, daemon);
  const giveUpAt = performance.now() + START_PATIENCE_MS;
  for (;;) {
    const said = readFileSync(logFile, "utf8");
    if (/^ready: /m.test(said) && (kind === "registry" || (await answers(agentSocket(lab, host))))) return;
    const words = commandLine(pid);
    const isOver = words.length > 0 ? !words.includes(kind) : !hasProgram(pid);
    if (isOver || performance.now() > giveUpAt) {
      const error = /^error: (.+)$/m.exec(said)?.[1] ?? said.trim().split("\n").at(-1) ?? "";
      const why = isOver ? `it has ended: ${error}` : `it does not serve after ${START_PATIENCE_MS / 1000} s`;
      throw new NetloomError("UNAVAILABLE", `start the ${kind} of ${host}: ${why}`, {
        hint: `its log is ${logFile}`,
      });
    }
    await sleep(POLL_MS);
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}
