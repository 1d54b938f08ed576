/** What a case of the kernel contract has in its hands, and what it compares with. */
import assert from "node:assert/strict";
import { refusal } from "../../src/kernel/kernel-text.ts";
import {
  type Kernel,
  KernelError,
  type KernelEvent,
  type KernelObject,
  type Netns,
  type Operation,
} from "../../src/kernel/kernel.ts";
import { type Watch } from "../../src/async/watch.ts";

/** A mark that is not ours: whatever carries it belongs to a stranger. */
export const STRANGERS_MARK = { group: 0x53545200, protocol: 99 } as const;

/** A machine for one case. It is cleaned up, and checked for leftovers, by whoever made it. */
export interface KernelHarness {
  /** A new, empty namespace, as a path: `file:///…`. */
  netns(): Promise<Netns>;
  /** The namespace dies: nothing of the harness holds it. */
  removeNetns(netns: Netns): Promise<void>;
  /** Another namespace at the path of one that was removed. */
  recreateNetns(netns: Netns): Promise<void>;
  /** A kernel; by default in a host namespace of its own and with the mark of the mesh. */
  kernel(options?: {
    readonly host?: Netns;
    readonly mark?: { readonly group: number; readonly protocol: number };
  }): Promise<Kernel>;
  /** One datagram of about 100 bytes from a namespace. What becomes of it is not looked at. */
  send(from: Netns, address: string): Promise<void>;
  /** Programs that are pinned for the kernels of the harness, also those of devices that are gone. */
  pins(): Promise<number>;
  /** Lays a cable that nobody of ours has made, up at both ends: the device `name` of both namespaces. */
  plug(netns: Netns, name: string, far: Netns): Promise<void>;
  /** Its owner does something with one end of it. */
  tend(netns: Netns, name: string, change: CableChange): Promise<void>;
  /** A stranger's route of the main table, in the place of any other of a stranger's to there; without hops there is none any more. */
  lead(netns: Netns, route: StrangersRoute): Promise<void>;
  /** Somebody takes all of one sort, of both families, off a device, whosever it is. */
  flush(netns: Netns, name: string, what: "addresses" | "routes" | "neighbors"): Promise<void>;
  /** Somebody removes the IPv4 rule with this priority. */
  dropRule(netns: Netns, priority: number): Promise<void>;
  /** Somebody takes off a device of the host what its program hangs on. */
  dropProgram(netns: Netns, name: string): Promise<void>;
  /** Its owner takes it away. */
  unplug(netns: Netns, name: string): Promise<void>;
  /** Tells the reader of the test's output something. */
  say(line: string): void;
  /** Notifications that an unread watch can hold. */
  readonly watchLimit: number;
}

/** What the owner of a cable may do with it. */
export interface CableChange {
  readonly isUp?: boolean;
  readonly mtuBytes?: number;
  readonly mac?: string;
  readonly name?: string;
  /** The bridge that it becomes a member of; the case names no bridge that is there. */
  readonly master?: string;
  /** With prefix length. */
  readonly address?: string;
}

/** A route that nobody of ours has made. */
export interface StrangersRoute {
  readonly destination: string;
  readonly hops: readonly { readonly link: string; readonly via: string }[];
  /** Default: the devices'. */
  readonly mtuBytes?: number;
}

export interface ContractCase {
  readonly title: string;
  /** Features of Linux that not every kernel has (src/linux/probe), without which a real kernel cannot play the case. */
  readonly needs?: readonly string[];
  run(harness: KernelHarness): Promise<void>;
}

export function add(...objects: readonly KernelObject[]): Operation[] {
  return objects.map((object) => ({ verb: "add", object }));
}

/** Removals in the reverse order, as plans are taken down: links last. */
export function remove(...objects: readonly KernelObject[]): Operation[] {
  return objects.toReversed().map((object) => ({ verb: "remove", object }));
}

/** Everything of ours in these namespaces, in a form that can be compared. */
export async function stateOf(kernel: Kernel, ...namespaces: readonly Netns[]): Promise<string[]> {
  return canonical(await kernel.observe(namespaces.map((netns) => ({ netns }))));
}

/** One line per object, sorted; which end of a veth pair comes first says nothing. */
export function canonical(objects: readonly KernelObject[]): string[] {
  return objects.map((object) => JSON.stringify(sortKeys(withSortedEnds(object)))).toSorted();
}

/** The error of a promise that has to reject with a `KernelError`. */
export async function kernelError(promise: Promise<unknown>): Promise<KernelError> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof KernelError, `not a KernelError: ${String(outcome)}`);
  return outcome;
}

/** The kernel's refusal of one operation in all that callers may rely on: code, errno, number, and the first words. */
export function assertRefusal(error: KernelError, operation: Operation, errno: string, number: number): void {
  const expected = refusal(operation, errno, "", { operation: number });
  assert.deepEqual(
    { code: error.code, errno: error.errno, operation: error.operation },
    { code: expected.code, errno, operation: number },
    error.message,
  );
  assert.ok(
    error.message.startsWith(expected.message),
    `${error.message} does not begin with ${expected.message}`,
  );
  assert.ok(error.message.length > expected.message.length, "the reason is missing");
}

/** Reads events until one fits, and returns it. */
export async function eventOf(
  watch: Watch<KernelEvent>,
  fits: (event: KernelEvent) => boolean,
): Promise<KernelEvent> {
  for (;;) {
    const event = await watch.take();
    assert.ok(event, "the watch was closed");
    if (fits(event)) return event;
  }
}

function withSortedEnds(object: KernelObject): KernelObject {
  if (object.kind !== "veth") return object;
  const [a, b] = object.ends;
  return `${a.netns} ${a.name}` < `${b.netns} ${b.name}` ? object : { kind: "veth", ends: [b, a] };
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, each]) => [key, sortKeys(each)]));
}
