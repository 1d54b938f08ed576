import { watchOf } from "../../async/watch.ts";
import type { HostWorld } from "../../world/world.ts";
import type { Handler, IncomingMessage } from "../../world/hops.ts";
import type { Arrived, CarriedHandler } from "./carried-handler.ts";
import { carriedWorld, type Carrier } from "./carried-world.ts";
import type { RecordedOutcome, Recording } from "./recording.ts";

/** Wraps `world`: writes the result of every call into `recording`. */
export function recordWorld(world: HostWorld, recording: Recording): HostWorld {
  let calls = 0;
  let listeners = 0;
  const nextCall = (): number => calls++;
  const carrier: Carrier = {
    ask: (name, args, run) => {
      const outcome = attempt(() => run(world));
      recording.add({ kind: "ask", name, args, outcome });
      if ("error" in outcome) throw outcome.error;
      return outcome.value;
    },
    call: (name, args, run) => {
      const call = nextCall();
      recording.add({ kind: "call", name, args, call });
      return new Promise((resolve, reject) => {
        run(world).then(
          (value) => {
            recording.add({ kind: "settle", call, outcome: { value } });
            resolve(value);
          },
          (error: unknown) => {
            recording.add({ kind: "settle", call, outcome: { error } });
            reject(error);
          },
        );
      });
    },
    open: (name, args, run) => {
      recording.add({ kind: "ask", name, args, outcome: { value: undefined } });
      const opened = run(world);
      return () => opened;
    },
    listen: (handler) => recordedHandler(handler, recording, listeners++, nextCall),
  };
  return carriedWorld(world.host, carrier, world.log);
}

/** Records calls from outside, and the program's answers. */
function recordedHandler(
  handler: CarriedHandler,
  recording: Recording,
  listener: number,
  nextCall: () => number,
): Handler {
  const out = (call: number, outcome: RecordedOutcome): void => recording.add({ kind: "out", call, outcome });
  const finish = <T>(call: number, answer: Promise<T>): Promise<T> =>
    answer.then(
      (value) => {
        out(call, { value });
        return value;
      },
      (error: unknown) => {
        out(call, { error });
        throw error;
      },
    );
  return {
    methods: handler.methods,
    call: (incoming) => {
      const call = nextCall();
      recording.add({ kind: "in", call, listener, how: "call", arrived: withoutScope(incoming) });
      const answering = handler.call(withoutScope(incoming));
      incoming.scope.onEnd(() => {
        if (answering.isOver()) return;
        recording.add({ kind: "gone", call });
        answering.leave();
      });
      return finish(call, answering.answer);
    },
    watch: (incoming) => {
      const stream = nextCall();
      recording.add({ kind: "in", call: stream, listener, how: "watch", arrived: withoutScope(incoming) });
      const opened = attempt(() => handler.watch(withoutScope(incoming)));
      out(stream, "error" in opened ? opened : { value: undefined });
      if ("error" in opened) throw opened.error;
      const answering = opened.value;
      const go = (): void => {
        if (answering.isOver()) return;
        recording.add({ kind: "gone", call: stream });
        answering.leave();
      };
      incoming.scope.onEnd(go);
      return watchOf({
        take: () => {
          const call = nextCall();
          recording.add({ kind: "pull", call, stream });
          return finish(call, answering.answer.take());
        },
        close: go,
      });
    },
  };
}

function withoutScope({ method, bytes, metadata, peer, deadlineMs }: IncomingMessage): Arrived {
  return { method, bytes, metadata, peer, deadlineMs };
}

function attempt<T>(run: () => T): { readonly value: T } | { readonly error: unknown } {
  try {
    return { value: run() };
  } catch (error) {
    return { error };
  }
}
