/** The program's side of calls that arrive in a carried world. The recorder and the replayer share it. */
import { NetloomError } from "../../errors/errors.ts";
import { type Watch, watchOf } from "../../async/watch.ts";
import type { Scope } from "../../async/scope.ts";
import type { Clock } from "../../async/clock.ts";
import type { Handler, IncomingMessage, Message } from "../../world/hops.ts";

/** An arriving call without its scope. The scope is made here, so that a replay has it too. */
export type Arrived = Omit<IncomingMessage, "scope">;

/** The program's answer to one call. */
export interface Answering<T> {
  readonly answer: T;
  /** Call when the caller goes away: ends the scope and the stream. */
  leave(): void;
  /** True if the program has finished or was stopped. */
  readonly isOver: () => boolean;
}

/** A handler whose calls arrive without a scope. */
export interface CarriedHandler {
  readonly methods: Handler["methods"];
  call(arrived: Arrived): Answering<Promise<Message>>;
  /** Throws the error of the handler. */
  watch(arrived: Arrived): Answering<Watch<Uint8Array>>;
}

/** Wraps a handler. `root` and `clock` are those of the carried world. */
export function carriedHandler(handler: Handler, root: Scope, clock: Clock): CarriedHandler {
  const open = (arrived: Arrived): Scope =>
    root.child(
      arrived.method,
      Number.isFinite(arrived.deadlineMs) ? { timeoutMs: arrived.deadlineMs - clock.monotonicMs() } : {},
    );
  const end = (scope: Scope): void => {
    // The end of the root ends its children.
    if (!root.ended) root.spawn(`end ${scope.name}`, () => endQuietly(scope));
  };
  return {
    methods: handler.methods,
    call: (arrived) => {
      let scope: Scope | undefined;
      const over = once(() => {
        if (scope) end(scope);
      });
      const run = async (): Promise<Message> => {
        try {
          scope = open(arrived);
          return await handler.call({ ...arrived, scope });
        } finally {
          over.go();
        }
      };
      return { answer: run(), leave: over.go, isOver: over.isGone };
    },
    watch: (arrived) => {
      const scope = open(arrived);
      let answers: Watch<Uint8Array>;
      try {
        answers = handler.watch({ ...arrived, scope });
      } catch (error) {
        end(scope);
        throw error;
      }
      const over = once(() => {
        answers.close();
        end(scope);
      });
      const take = async (): Promise<Uint8Array | undefined> => {
        let answer: Uint8Array | undefined;
        try {
          answer = await answers.take();
          return answer;
        } finally {
          if (answer === undefined) over.go();
        }
      };
      return { answer: watchOf({ take, close: over.go }), leave: over.go, isOver: over.isGone };
    },
  };
}

function once(action: () => void): { readonly go: () => void; readonly isGone: () => boolean } {
  let isGone = false;
  return {
    go: () => {
      if (isGone) return;
      isGone = true;
      action();
    },
    isGone: () => isGone,
  };
}

/** Ends a scope. Operating errors no longer matter, because the outcome of the call is known. */
async function endQuietly(scope: Scope): Promise<void> {
  try {
    await scope.end();
  } catch (error) {
    if (error instanceof NetloomError) return;
    throw error;
  }
}
