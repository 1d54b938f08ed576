/**
 * The kernel worker: the only thread that enters namespaces and talks to the kernel. It answers the requests of machine.ts.
 * A request that waits (for a deletion, or for a namespace in use) does not block others.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { KernelError, type KernelEvent, type Netns } from "../../kernel/kernel.ts";
import { HostKernel } from "./host-kernel.ts";
import {
  errorToData,
  type KernelSettings,
  type Post,
  type LastingProgram,
  type WorkerQuestion,
  type Request,
  type WorkerMemory,
} from "./messages.ts";
import { lookUp } from "../batch/links.ts";
import { decodeRoute, getRoute, NO_ROUTE } from "../netlink/route.ts";
import { createNetns, removeNetns } from "../namespaces/netns-lifecycle.ts";
import { NetnsTable } from "../namespaces/netns-table.ts";
import { type NetnsInode, runIn } from "../namespaces/netns.ts";
import { openNeed } from "./open-need.ts";
import { NetnsPlace } from "../namespaces/place.ts";
import { ProcSys } from "../namespaces/proc-sys.ts";
import { Reactor } from "../libc/reactor.ts";
import { Reaper } from "../batch/reaper.ts";
import { keepLedger } from "../libc/syscall.ts";
import { KeyedMutex } from "../../async/keyed-mutex.ts";

const port = parentPort;
if (!port) throw new TypeError("worker.ts is started by machine.ts");
const { ledger, wakeup } = workerData as WorkerMemory;
keepLedger(ledger);

const shared = {
  table: new NetnsTable(),
  reaper: new Reaper(),
  settings: new ProcSys(),
  turns: new KeyedMutex<NetnsInode>(),
  reactor: Reactor.open(),
};
Atomics.store(wakeup, 0, shared.reactor.wakeup);
const kernels = new Map<number, HostKernel>();
/** Kernels that could not be opened again after the death of an earlier worker: their next use reports why. */
const unopened = new Map<number, unknown>();

function post(message: Post): void {
  port?.postMessage(message);
}

/** Posts events. Events of one turn are posted in one message. */
function together(kernel: number): (event: KernelEvent) => void {
  const heard: KernelEvent[] = [];
  return (event) => {
    if (heard.push(event) === 1) queueMicrotask(() => post({ kernel, events: heard.splice(0) }));
  };
}

function open(number: number, settings: KernelSettings): void {
  try {
    kernels.set(number, new HostKernel(settings, shared, together(number)));
  } catch (error) {
    unopened.set(number, error);
    throw error;
  }
}

function kernelOf(number: number): HostKernel {
  const kernel = kernels.get(number);
  if (kernel) return kernel;
  throw unopened.get(number) ?? new KernelError("FAILED_PRECONDITION", "use a kernel: it is closed");
}

async function answer(request: Request): Promise<unknown> {
  switch (request.type) {
    case "open":
      return open(request.kernel, request.settings);
    case "close":
      kernels.get(request.kernel)?.close();
      return kernels.delete(request.kernel);
    case "apply":
      return kernelOf(request.kernel).apply(request.batch, request.options);
    case "observe":
      return kernelOf(request.kernel).observe(request.queries);
    case "native-networks":
      return kernelOf(request.kernel).nativeNetworks(request.queries);
    case "counters":
      return kernelOf(request.kernel).counters(request.queries);
    case "devices":
      return kernelOf(request.kernel).devices(request.queries);
    case "ways":
      return kernelOf(request.kernel).ways(request.queries);
    case "addresses":
      return kernelOf(request.kernel).addresses(request.queries);
    case "drops":
      return kernelOf(request.kernel).drops();
    case "resolve":
      return kernelOf(request.kernel).resolve(request.netns);
    case "settle":
      return kernelOf(request.kernel).settle();
    case "listen":
      return kernelOf(request.kernel).listen(request.purpose);
    case "create-netns":
      return createNetns(request.path);
    case "remove-netns":
      return removeNetns(request.path);
    case "descriptor":
      return openNeed(request.need, shared.table);
    case "device-towards":
      return deviceTowards(request.netns, request.address);
    case "spawn":
      return spawnIn(request.netns, request.program);
    case "end":
    default:
      return end();
  }
}

function deviceTowards(netns: Netns, address: string): string | undefined {
  const place = new NetnsPlace(netns, shared.table.open(netns));
  try {
    const index = place.socket.get(getRoute(address), decodeRoute, NO_ROUTE)?.linkIndex;
    return index === undefined ? undefined : lookUp(place, index)?.name;
  } finally {
    place.close();
  }
}

/** Starts a program in the namespace: a child inherits the namespace of the thread that forks it. */
function spawnIn(netns: Netns, { argv, environment, logFile }: LastingProgram): number {
  const [command = "", ...args] = argv;
  const place = shared.table.open(netns);
  const log = openSync(logFile, "a", 0o600);
  try {
    const stdio = ["ignore" as const, log, log];
    const child = runIn(place.fd, () => spawn(command, args, { detached: true, stdio, env: environment }));
    // Nothing waits for the program here. A failed start was already reported by the missing process ID.
    child.on("error", () => undefined);
    child.unref();
    if (child.pid !== undefined) return child.pid;
    throw new KernelError("NOT_FOUND", `start ${command} in ${netns}: it cannot be executed`);
  } finally {
    closeSync(log);
    place.close();
  }
}

async function end(): Promise<void> {
  await shared.reaper.settle();
  shared.settings.close();
  for (const kernel of kernels.values()) kernel.close();
  kernels.clear();
  Atomics.store(wakeup, 0, 0);
  await shared.reactor.close();
}

function take({ id, request }: WorkerQuestion): void {
  answer(request)
    .then(
      (value) => post({ id, value }),
      (error: unknown) => post({ id, error: errorToData(error) }),
    )
    .finally(() => {
      if (request.type === "end") port?.close();
    });
}

/** Takes in all waiting requests before the first begins, so that requests for one namespace share its descriptor. */
port.on("message", (first: WorkerQuestion) => {
  take(first);
  for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port))
    take(next.message as WorkerQuestion);
});
