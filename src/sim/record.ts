import type { World } from "../world/world.ts";
import { type Carrier, carriedWorld } from "./carried-world.ts";
import type { Outcome, Recording } from "./recording.ts";

/** `world`, with every result of its calls written into `recording` on the way to the program. */
export function recordWorld(world: World, recording: Recording): World {
  let calls = 0;
  const carrier: Carrier = {
    ask: (name, args, run) => {
      const outcome = attempt(() => run(world));
      recording.add({ kind: "ask", name, args, outcome: plain(outcome) });
      if ("error" in outcome) throw outcome.error;
      return outcome.value;
    },
    call: (name, args, run) => {
      const call = calls++;
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
    serve: (address, handler) => {
      const stop = carrier.ask("hops.serve", [address], ({ hops }) =>
        hops.serve(address, async (method, request) => {
          const call = calls++;
          recording.add({ kind: "in", call, address, method, request });
          try {
            const value = await handler(method, request);
            recording.add({ kind: "out", call, outcome: { value } });
            return value;
          } catch (error) {
            recording.add({ kind: "out", call, outcome: { error } });
            throw error;
          }
        }),
      );
      return () => carrier.ask("hops.serve.stop", [address], () => stop());
    },
  };
  return carriedWorld(world.host, carrier);
}

function attempt<T>(run: () => T): { readonly value: T } | { readonly error: unknown } {
  try {
    return { value: run() };
  } catch (error) {
    return { error };
  }
}

/** What came out, without functions: those stay with the program. */
function plain(outcome: Outcome): Outcome {
  return "value" in outcome && typeof outcome.value === "function" ? { value: undefined } : outcome;
}
