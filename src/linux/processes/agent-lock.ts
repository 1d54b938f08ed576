/**
 * One agent in a network namespace, one on a state folder, and one on a folder of pins: two in one namespace would take each
 * other's wires for those of an earlier life, two on one state folder would write over each other's wish, and two hosts with
 * the same pins would have one map, where the devices of both have the same numbers.
 *
 * The locks are the kernel's and end with their holder, however that ends: an abstract unix socket, which belongs to a
 * network namespace, and flock(2) on files, which are seen from every mount namespace and container that has their folder.
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

/** Who holds the locks, as it says so itself. */
interface AgentIdentity {
  /** The host's name. */
  readonly host: string;
  readonly stateFolder: string;
}

/** What an agent is going to use. */
interface AgentPlaces extends AgentIdentity {
  /** Of its pins. */
  readonly bpffs: string;
}

const NAME = "\0netloom/agent";
const AF_UNIX = 1;
const SOCK_STREAM = 1;
/** For one that is just ending. */
const PATIENCE_MS = 1_000;
const RETRY_MS = 50;
const ANSWER_MS = 500;

/**
 * Takes all locks, before an agent reads or makes anything. FAILED_PRECONDITION, with who holds it, if another agent
 * has one of them. The result gives them back.
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
    // Beside it: a bpffs has no files. Sockets that everybody may use can be there, too.
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
  /** `the state folder /var/lib/netloom` */
  readonly words: string;
  /** What is locked. */
  readonly file: string;
  /** Of the folder that it is in, where that is made for it. */
  readonly mode: number;
  /** By which another folder is chosen. */
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

/** Answers everybody who comes with who this is. `undefined` if the name is taken. */
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

/** The kernel knows the process, also if it does not answer; the rest it says itself. */
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

/** `undefined` if somebody else has it. */
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
    // What is in it is for people. It is locked all the same.
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
