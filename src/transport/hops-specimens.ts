/** What the promises of `Hops` are made of: two hosts, a service, and the words for what is expected. */
import { NetloomError } from "../errors/errors.ts";
import { type Watch, watchOf } from "../async/watch.ts";
import type { HostWorld } from "../world/world.ts";
import type { Handler, Incoming, Message } from "../world/hops.ts";

export interface HopsUnderTest {
  /** The host that calls. */
  readonly near: Pick<HostWorld, "hops" | "clock" | "scope">;
  /** The host that serves. */
  readonly far: Pick<HostWorld, "hops" | "clock" | "scope">;
  /** An address of `far` that nobody serves yet. */
  readonly url: string;
  /** The process of `far` dies without a word. */
  readonly kill: () => Promise<void>;
}

export interface HopsPromise {
  /** A sentence of behaviour. */
  readonly title: string;
  /** Throws if the promise is broken. */
  readonly check: (under: HopsUnderTest) => Promise<void>;
}

export const CALL = "/test.Test/Call";
export const WATCH = "/test.Test/Watch";

/** Default: an empty answer, and a stream that begins with what it was asked and stays open. */
export function handler(of: Partial<Pick<Handler, "call" | "watch">>): Handler {
  return {
    methods: [
      { path: CALL, kind: "call" },
      { path: WATCH, kind: "watch" },
    ],
    call: async (incoming) => {
      if (incoming.method !== CALL)
        throw new NetloomError("UNIMPLEMENTED", `call ${incoming.method}: no such`);
      return of.call ? await of.call(incoming) : message();
    },
    watch: of.watch ?? ((incoming) => openStream(incoming.bytes)),
  };
}

export function openStream(first: Uint8Array): Watch<Uint8Array> {
  const left = [first];
  const closed = signal();
  return watchOf({
    take: async () => {
      const answer = left.shift();
      if (!answer) await closed.promise;
      return answer;
    },
    close: closed.give,
  });
}

export function counting(count: number): Watch<Uint8Array> {
  let n = 0;
  return watchOf({
    take: async () => (n < count ? bytes(n % 256, (n++ >> 8) & 0xff) : undefined),
    close: () => undefined,
  });
}

export function numberOf(answer: Uint8Array | undefined): number {
  return (answer?.[0] ?? -1) + 256 * (answer?.[1] ?? 0);
}

/** Answers when the call's scope ends, which is too late. */
export async function untilEnd({ scope }: Incoming, ended: Signal): Promise<Message> {
  await scope.done;
  ended.give();
  throw new NetloomError("CANCELLED", "the caller has gone");
}

export interface Signal {
  readonly promise: Promise<void>;
  readonly give: () => void;
}

export function signal(): Signal {
  let give = (): void => undefined;
  const promise = new Promise<void>((resolve) => (give = resolve));
  return { promise, give };
}

export function ask({ hops }: HopsUnderTest["near"], url: string): Promise<Message> {
  return hops.dial(url).call(CALL, message(), { timeoutMs: 5000 });
}

/** A connection that was refused is tried again a little later. */
export async function eventually(
  { clock }: HopsUnderTest["near"],
  run: () => Promise<unknown>,
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await run();
      return;
    } catch (error) {
      if (attempt === 50) throw error;
      await clock.sleep(50);
    }
  }
}

export async function failure(promise: Promise<unknown>): Promise<NetloomError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof NetloomError) return error;
    throw error;
  }
  throw new Error("it succeeded");
}

export function message(...content: number[]): Message {
  return { bytes: bytes(...content), metadata: {} };
}

export function bytes(...content: number[]): Uint8Array {
  return Uint8Array.from(content);
}

export function ok(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

export function equal(actual: unknown, expected: unknown): void {
  const [a, b] = [show(actual), show(expected)];
  if (a !== b) throw new Error(`${a} instead of ${b}`);
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    each === undefined ? "(undefined)" : each === Infinity ? "(infinite)" : each,
  );
}
