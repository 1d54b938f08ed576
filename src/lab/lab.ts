/** Brings labs of this machine up and down, and lists them. */
import type { LinuxMachine } from "../linux/machine/machine.ts";
import { identityAt } from "../linux/namespaces/netns.ts";
import { netnsOfProcess, processNumbers, programName } from "../linux/processes/process-table.ts";
import { NetloomError } from "../errors/errors.ts";
import { type Changes, converge, removeNamespaces } from "./converge.ts";
import { bringDaemons, daemonsOf, endDaemons, findDaemons, type RunningDaemon } from "./daemons.ts";
import { bringAttachments, type LabAttachmentState, untilFollowing, withdrawAttachments } from "./mesh.ts";
import { type Lab, sideName } from "./file/model.ts";
import { mustParseLab, parseKeptLab } from "./file/parse.ts";
import {
  begin,
  checkLabName,
  commit,
  forget,
  type LabLock,
  lockLab,
  namespacesOf,
  readState,
  rollBack,
} from "./state.ts";
import { NETNS_DIRECTORY, topology } from "./topology/topology.ts";

export { list } from "./state.ts";
export { type LabStatus, status } from "./status/status.ts";

/** The changes of `up`. All counts are zero if everything was as wanted. */
export interface UpReport {
  readonly lab: Lab;
  /** False if the lab was up and nothing had to change. */
  readonly changed: boolean;
  readonly namespaces: { readonly added: readonly string[]; readonly removed: readonly string[] };
  /** The number of underlay objects and wires that were added, changed or removed. */
  readonly operations: number;
  /** Names of the wires that were added, changed or removed: `host/workload/interface`. */
  readonly wires: {
    readonly added: readonly string[];
    readonly changed: readonly string[];
    readonly removed: readonly string[];
  };
  /** The processes that were started: `agent of alpha`. */
  readonly started: readonly string[];
  /** The attachments that the agents got. */
  readonly attachments: readonly LabAttachmentState[];
  /** The parts of `durationMs` until the processes served, and until the attachments were up. */
  readonly agentsMs: number;
  readonly attachmentsMs: number;
  readonly durationMs: number;
}

/** A process that still runs in a namespace of a lab that was taken down. It keeps its network until it ends. */
interface Survivor {
  readonly pid: number;
  readonly program: string;
  /** Name of the namespace. */
  readonly namespace: string;
}

export interface DownReport {
  /** False if nothing of the lab existed. */
  readonly existed: boolean;
  readonly namespaces: readonly string[];
  readonly survivors: readonly Survivor[];
  readonly durationMs: number;
}

export interface UpOptions {
  /** Aborts `up` between two steps, as a failure. */
  readonly signal?: AbortSignal;
  /** The lock, if the caller holds it already. */
  readonly lock?: LabLock;
}

/**
 * Brings up the lab of the file `file` with the content `text`, from any state. If it fails half-way, a new lab
 * leaves nothing behind, and a lab that was up returns to its old state. INVALID_ARGUMENT (a `FileError` with
 * all problems) if the file is wrong, ABORTED if another process is changing the lab.
 */
export async function up(
  machine: LinuxMachine,
  text: string,
  file: string,
  options: UpOptions = {},
): Promise<UpReport> {
  const startedAt = performance.now();
  const lab = mustParseLab(text, file);
  const lock = options.lock ?? (await lockLab(lab.name));
  try {
    const before = await previous(lab.name);
    const { changes, ...mesh } = await bring(machine, lab, text, before, options.signal);
    const { namespaces, underlay, wires } = changes;
    const wanted = new Set(lab.wires.map((wire) => sideName(wire.client)));
    const gone = (before.lab?.wires ?? [])
      .map((wire) => sideName(wire.client))
      .filter((name) => !wanted.has(name));
    const removed = [...new Set([...wires.removed, ...gone])];
    const operations = underlay + wires.added.size + wires.changed.size + removed.length;
    return {
      lab,
      changed: operations + namespaces.added.length + namespaces.removed.length + mesh.started.length > 0,
      namespaces,
      operations,
      wires: { added: [...wires.added], changed: [...wires.changed], removed },
      ...mesh,
      durationMs: performance.now() - startedAt,
    };
  } finally {
    if (!options.lock) lock.release();
  }
}

interface Previous {
  readonly lab: Lab | undefined;
  /** Whether the last process that changed the lab was killed. */
  readonly wasKilled: boolean;
}

async function previous(name: string): Promise<Previous> {
  const text = await readState(name, "lab.yaml");
  const wasKilled = (await readState(name, "pending.yaml")) !== undefined;
  if (text === undefined && !wasKilled) await refuseStrangers(name);
  const parsed = parseKeptLab(text ?? "", "lab.yaml");
  return { lab: parsed.ok ? parsed.lab : undefined, wasKilled };
}

/** Refuses namespaces with the lab's prefix but without its state: they may belong to another program. */
async function refuseStrangers(name: string): Promise<void> {
  const strangers = await namespacesOf(name);
  if (strangers.length === 0) return;
  throw new NetloomError(
    "ALREADY_EXISTS",
    `bring up lab ${name}: the namespace ${strangers[0]} exists, but no lab ${name} is up`,
    {
      topic: "NL-603",
      hint: `netloom lab down ${name} removes all namespaces whose names begin with nl-${name}-; or give the lab another name`,
    },
  );
}

interface Brought {
  readonly changes: Changes;
  readonly started: readonly string[];
  readonly attachments: readonly LabAttachmentState[];
  readonly agentsMs: number;
  readonly attachmentsMs: number;
}

async function bring(
  machine: LinuxMachine,
  lab: Lab,
  text: string,
  before: Previous,
  signal: AbortSignal | undefined,
): Promise<Brought> {
  await begin(lab.name, text);
  try {
    const brought = await converged(machine, lab, before, signal);
    await commit(lab.name);
    return brought;
  } catch (error) {
    await takeBack(machine, lab.name, before, error);
    throw error;
  }
}

/** Brings the lab up. Unwanted processes end first, because they would keep their namespace alive. New processes start last. */
async function converged(
  machine: LinuxMachine,
  lab: Lab,
  before: Previous,
  signal?: AbortSignal,
): Promise<Brought> {
  const daemons = daemonsOf(lab);
  const isWanted = (each: RunningDaemon): boolean =>
    daemons.some(({ kind, host }) => kind === each.kind && host === each.host);
  if (before.lab?.mesh) await withdrawAttachments(before.lab, lab);
  await endDaemons(findDaemons(lab.name).filter((each) => !isWanted(each)));
  const hadWires = before.lab !== undefined && before.lab.mesh === undefined && before.lab.wires.length > 0;
  const changes = await converge(machine, lab.name, topology(lab), {
    isUnsure: before.wasKilled,
    signal,
    leavesWires: lab.mesh !== undefined && !hadWires,
  });
  signal?.throwIfAborted();
  const builtAt = performance.now();
  const started = await bringDaemons(machine, lab.name, daemons);
  signal?.throwIfAborted();
  const startedAt = performance.now();
  const hosts = (lab.mesh?.agents ?? []).map(({ host }) => host);
  const [attachments] = await Promise.all([
    bringAttachments(lab, before.lab),
    untilFollowing(lab.name, hosts),
  ]);
  const attachmentsMs = performance.now() - startedAt;
  return { changes, started, attachments, agentsMs: startedAt - builtAt, attachmentsMs };
}

/** Restores the machine's old state, and reports if that fails. */
async function takeBack(
  machine: LinuxMachine,
  name: string,
  before: Previous,
  cause: unknown,
): Promise<void> {
  try {
    if (before.lab) {
      await converged(machine, before.lab, { lab: undefined, wasKilled: true });
      await rollBack(name);
    } else {
      await tearDown(machine, name);
    }
  } catch (error) {
    const [why, then] = [cause, error].map((each) => (each instanceof Error ? each.message : String(each)));
    throw new NetloomError("INTERNAL", `bring up lab ${name}: ${why}; and its rollback failed: ${then}`, {
      hint: `netloom lab down ${name} removes the rest`,
      cause,
    });
  }
}

/** Removes the lab `name`, also the leftovers of a killed `up`. ABORTED if another process is changing the lab. */
export async function down(
  machine: LinuxMachine,
  name: string,
  options: { readonly lock?: LabLock } = {},
): Promise<DownReport> {
  const startedAt = performance.now();
  checkLabName(name);
  const wasKnown = (await readState(name, "lab.yaml")) ?? (await readState(name, "pending.yaml"));
  const lock = options.lock ?? (await lockLab(name));
  try {
    const namespaces = await namespacesOf(name);
    await endDaemons(findDaemons(name));
    const survivors = findSurvivors(namespaces);
    await tearDown(machine, name);
    return {
      existed: wasKnown !== undefined || namespaces.length > 0,
      namespaces,
      survivors,
      durationMs: performance.now() - startedAt,
    };
  } finally {
    if (!options.lock) lock.release();
  }
}

async function tearDown(machine: LinuxMachine, name: string): Promise<void> {
  await endDaemons(findDaemons(name));
  const paths = (await namespacesOf(name)).map((namespace) => `${NETNS_DIRECTORY}/${namespace}`);
  await removeNamespaces(machine, name, paths);
  await forget(name);
}

function findSurvivors(namespaces: readonly string[]): Survivor[] {
  const byIdentity = new Map(namespaces.map((name) => [identityAt(`${NETNS_DIRECTORY}/${name}`), name]));
  byIdentity.delete(undefined);
  if (byIdentity.size === 0) return [];
  return processNumbers().flatMap((pid): Survivor[] => {
    const namespace = byIdentity.get(netnsOfProcess(pid));
    return namespace === undefined ? [] : [{ pid, program: programName(pid) ?? "(ended)", namespace }];
  });
}
