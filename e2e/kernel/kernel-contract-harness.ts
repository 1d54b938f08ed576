/** The tools and assertions for cases of the kernel contract. */
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

/** A foreign mark: objects with it belong to a stranger. */
export const STRANGERS_MARK = { group: 0x53545200, protocol: 99 } as const;

/** A machine for one case. Its maker cleans it up and checks for leftovers. */
export interface KernelHarness {
  /** A new, empty namespace, as a path: `file:///…`. */
  netns(): Promise<Netns>;
  /** Removes the namespace, which the harness does not keep alive. */
  removeNetns(netns: Netns): Promise<void>;
  /** Removes the namespace and makes a new one at its path. */
  recreateNetns(netns: Netns): Promise<void>;
  /** A kernel; by default in a new host namespace and with the mark of the mesh. */
  kernel(options?: {
    readonly host?: Netns;
    readonly mark?: { readonly group: number; readonly protocol: number };
  }): Promise<Kernel>;
  /** Sends one datagram of about 100 bytes from a namespace, whether it arrives or not. */
  send(from: Netns, address: string): Promise<void>;
  /** The number of programs pinned by the kernels of the harness, including those of removed devices. */
  pins(): Promise<number>;
  /** Adds a foreign cable, up at both ends: the device `name` in both namespaces. */
  plug(netns: Netns, name: string, far: Netns): Promise<void>;
  /** Changes one end of a cable, as its owner does. */
  tend(netns: Netns, name: string, change: CableChange): Promise<void>;
  /**
   * Sets a foreign route of the main table, and replaces other foreign routes to its destination; without hops it removes
   * them.
   */
  lead(netns: Netns, route: StrangersRoute): Promise<void>;
  /** Removes all objects of one sort, of both families, from a device, whoever has made them, as another program might. */
  flush(netns: Netns, name: string, what: "addresses" | "routes" | "neighbors"): Promise<void>;
  /** Removes the IPv4 rule with this priority, as another program might. */
  dropRule(netns: Netns, priority: number): Promise<void>;
  /** Removes the program of a device of the host, as another program might. */
  dropProgram(netns: Netns, name: string): Promise<void>;
  /** Removes a cable, as its owner does. */
  unplug(netns: Netns, name: string): Promise<void>;
  /** Adds a line to the test's output. */
  say(line: string): void;
  /** The most notifications that an unread watch can hold. */
  readonly watchLimit: number;
}

/** Changes to one end of a cable by its owner. */
export interface CableChange {
  readonly isUp?: boolean;
  readonly mtuBytes?: number;
  readonly mac?: string;
  readonly name?: string;
  /** A bridge to join. The case uses a new name. */
  readonly master?: string;
  /** With prefix length. */
  readonly address?: string;
}

/** A foreign route. */
export interface StrangersRoute {
  readonly destination: string;
  readonly hops: readonly { readonly link: string; readonly via: string }[];
  /** Default: the MTU of the devices. */
  readonly mtuBytes?: number;
}

export interface ContractCase {
  readonly title: string;
  /** Optional Linux features (src/linux/probe) that a real kernel needs for the case. */
  readonly needs?: readonly string[];
  run(harness: KernelHarness): Promise<void>;
}

export function add(...objects: readonly KernelObject[]): Operation[] {
  return objects.map((object) => ({ verb: "add", object }));
}

/** Removals in reverse order, with links last, as a plan is removed. */
export function remove(...objects: readonly KernelObject[]): Operation[] {
  return objects.toReversed().map((object) => ({ verb: "remove", object }));
}

/** All objects with the mark in these namespaces, in a comparable form. */
export async function stateOf(kernel: Kernel, ...namespaces: readonly Netns[]): Promise<string[]> {
  return canonical(await kernel.observe(namespaces.map((netns) => ({ netns }))));
}

/** One line per object, sorted, with the ends of a veth pair in one order. */
export function canonical(objects: readonly KernelObject[]): string[] {
  return objects.map((object) => JSON.stringify(sortKeys(withSortedEnds(object)))).toSorted();
}

/** The error of a promise that must reject with a `KernelError`. */
export async function kernelError(promise: Promise<unknown>): Promise<KernelError> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof KernelError, `not a KernelError: ${String(outcome)}`);
  return outcome;
}

/** Asserts everything in the refusal of an operation that callers may rely on: code, errno, number, and the first words. */
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
