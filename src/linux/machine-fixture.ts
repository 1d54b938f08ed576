/** What the tests of the kernel's carrier are made of. */
import assert from "node:assert/strict";
import {
  KernelError,
  type KernelEvent,
  type KernelObject,
  type Netns,
  type Operation,
  type Veth,
} from "../kernel/kernel.ts";
import { type Watch } from "../async/watch.ts";

export function add(...objects: readonly KernelObject[]): Operation[] {
  return objects.map((object) => ({ verb: "add", object }));
}

export function remove(...objects: readonly KernelObject[]): Operation[] {
  return objects.map((object) => ({ verb: "remove", object }));
}

export function mac(number: number): string {
  return `02:00:00:00:${(number >> 8).toString(16).padStart(2, "0")}:${(number & 255).toString(16).padStart(2, "0")}`;
}

export function veth(a: Netns, b: Netns, n = 1): Veth {
  const end = (netns: Netns, side: string, number: number): Veth["ends"][0] => ({
    netns,
    name: `nl-${n}${side}`,
    mac: mac(2 * n + number),
    mtuBytes: 1400,
    alias: `${side}-${n}`,
  });
  return { kind: "veth", ends: [end(a, "a", 0), end(b, "b", 1)] };
}

export async function rejection(promise: Promise<unknown>): Promise<KernelError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof KernelError, String(error));
  return error;
}

/** Reads events until one of `type`. */
export async function next(watch: Watch<KernelEvent>, type: KernelEvent["type"]): Promise<KernelEvent> {
  for (;;) {
    const event = await watch.take();
    assert.ok(event, "the watch has ended");
    if (event.type === type) return event;
  }
}
