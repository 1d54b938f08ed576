/**
 * Allows one agent per network namespace, per state folder, and per folder of pins. Two in one namespace would take each
 * other's wires for leftovers of an earlier process. Two with one state folder would overwrite each other's desired state. Two
 * hosts with the same pins would share one map, although their devices have the same indexes.
 *
 * The kernel holds the locks, and releases them when their holder ends in any way: an abstract unix socket, which belongs
 * to a network namespace, and flock(2) on files, which works across mount namespaces and containers that share the folder.
 */
import { once } from "node:events";
import { closeSync, constants, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { NetloomError } from "../../errors/errors.ts";
import { peerCredentials } from "./peer-credentials.ts";
import {
  close,
  connectSocket,
  lockFile,
  receive,
  socket,
  SOCK_NONBLOCK,
  waitReadable,
} from "../libc/syscall.ts";

/** The holder of the locks, in its own words. */
interface AgentIdentity {
  /** The host's name. */
  readonly host: string;
  readonly stateFolder: string;
}

/** The resources of an agent. */
interface AgentPlaces extends AgentIdentity {
  /** The folder of its pins. */
  readonly bpffs: string;
}

const NAME = "\0netloom/agent";
const AF_UNIX = 1;
const SOCK_STREAM = 1;
/** The time to wait for an agent that is ending. */
const PATIENCE_MS = 1_000;
const RETRY_MS = 50;
const ANSWER_MS = 500;

/**
 * Takes all locks, before an agent reads or makes anything. FAILED_PRECONDITION, with the holder, if another agent has one
 * of them. The result releases them.
 */
export async function lockAgent({ bpffs, ...me }: AgentPlaces): Promise<() => Promise<void>> {
  const attempt = `run the agent of ${me.host}`;
  const text = JSON.stringify({ pid: process.pid, ...me });
  const server = await patiently(
    () => listen(text),
    async () =>
      held(`${attempt}: another agent runs in this network namespace: ${await whoHoldsNamespace()}`, [
        "end it first: one agent serves a host, and a second one would take over its wires",
        "give a host of its own to a second one: another network namespace",
      ]),
  );
  const locked: number[] = [];
  const unlock = async (): Promise<void> => {
    for (const fd of locked) closeSync(fd);
    await end(server);
  };
  const folders: readonly LockedFolder[] = [
    {
      words: `the state folder ${me.stateFolder}`,
      file: join(me.stateFolder, "lock"),
      mode: 0o700,
      option: "--state-dir",
    },
    // Next to the folder: a bpffs cannot hold files. Public sockets may be in the same place.
    { words: `the folder of pins ${bpffs}`, file: `${bpffs}.lock`, mode: 0o755, option: "--bpffs" },
  ];
  try {
    for (const folder of folders) locked.push(await lockFolder(folder, { attempt, text }));
    return unlock;
  } catch (error) {
    await unlock();
    throw error;
  }
}

interface LockedFolder {
  /** The description for messages: `the state folder /var/lib/netloom`. */
  readonly words: string;
  /** The file to lock. */
  readonly file: string;
  /** The mode of its folder, if the folder must be created. */
  readonly mode: number;
  /** The option that sets another folder. */
  readonly option: string;
}

async function lockFolder(
  folder: LockedFolder,
  { attempt, text }: { readonly attempt: string; readonly text: string },
): Promise<number> {
  const { words, file, option } = folder;
  return await patiently(
    async () => tryLock(folder, text),
    async () =>
      held(`${attempt}: another agent has ${words}: ${holderOf(file)}`, [
        `end it first, or give this one a folder of its own with ${option}`,
      ]),
  );
}

async function patiently<T>(
  take: () => Promise<T | undefined>,
  refusal: () => Promise<NetloomError>,
): Promise<T> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (;;) {
    const taken = await take();
    if (taken !== undefined) return taken;
    if (performance.now() > giveUpAt) throw await refusal();
    await sleep(RETRY_MS);
  }
}

function held(message: string, hints: readonly string[]): NetloomError {
  return new NetloomError("FAILED_PRECONDITION", message, { topic: "NL-204", hint: hints.join("; ") });
}

/** Sends the identity of this agent to everybody who connects. `undefined` if the name is taken. */
async function listen(text: string): Promise<Server | undefined> {
  const server = createServer((guest) => {
    guest.on("error", () => guest.destroy());
    guest.end(text);
  });
  try {
    server.listen({ path: NAME });
    await once(server, "listening");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return undefined;
    throw new NetloomError("INTERNAL", `lock this network namespace: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return server;
}

async function end(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  await closed;
}

/** The kernel knows the process even if it does not answer; the process itself tells the rest. */
async function whoHoldsNamespace(): Promise<string> {
  const name = Buffer.from(NAME);
  const address = new Uint8Array(2 + name.length);
  address[0] = AF_UNIX;
  address.set(name, 2);
  try {
    const fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    try {
      connectSocket(fd, address);
      // struct ucred: i32 pid | u32 uid
      const { pid, uid: user } = peerCredentials(fd);
      const answer = (await waitReadable(fd, ANSWER_MS)) ? receive(fd, new Uint8Array(8_192)) : undefined;
      const said = user === 0 ? read(Buffer.from(answer ?? []).toString()) : undefined;
      if (said) return describe({ ...said, pid: pid || said.pid });
      return user === 0 ? `process ${pid}, which does not answer` : `process ${pid} of user ${user}`;
    } finally {
      close(fd);
    }
  } catch (error) {
    if (!(error instanceof NetloomError)) throw error;
    return `see ss -xlp; it does not answer: ${error.message}`;
  }
}

/** `undefined` if another process has the lock. */
function tryLock({ words, file, mode, option }: LockedFolder, text: string): number | undefined {
  let fd: number;
  try {
    mkdirSync(dirname(file), { recursive: true, mode });
    fd = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600);
  } catch (error) {
    const { code = "EIO", message } = error as NodeJS.ErrnoException;
    throw new NetloomError("FAILED_PRECONDITION", `lock ${words}: ${message}`, {
      cause: error,
      hint:
        code === "ENOSPC" ? "free space there: df -h" : `name a folder that root can write to with ${option}`,
    });
  }
  if (!lockFile(fd)) {
    closeSync(fd);
    return undefined;
  }
  try {
    ftruncateSync(fd);
    writeSync(fd, text);
  } catch (error) {
    // The content is only information for people: the file is locked even if it cannot be written.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
  return fd;
}

function holderOf(file: string): string {
  const said = read(readFileSync(file, "utf8"));
  return said ? describe(said) : "see lsof, or fuser";
}

type Said = AgentIdentity & { readonly pid: number };

function read(text: string): Said | undefined {
  try {
    const { pid, host, stateFolder } = JSON.parse(text) as Partial<Said>;
    return typeof pid === "number" && typeof host === "string" && typeof stateFolder === "string"
      ? { pid, host, stateFolder }
      : undefined;
  } catch {
    return undefined;
  }
}

function describe({ pid, host, stateFolder }: Said): string {
  return `process ${pid}, host ${host}, state folder ${stateFolder}`;
}
