/** The World of a process on a real machine. */
import { type Log, NO_LOG } from "../observe/log.ts";
import { observation } from "../observe/observation.ts";
import { type SpanExporter, tracer } from "../observe/trace.ts";
import { rootScope } from "../async/task-scope.ts";
import type { Credentials } from "../world/credentials.ts";
import type { Ports, World } from "../world/world.ts";
import { GrpcHops, type GrpcHopsOptions } from "./grpc-hops.ts";
import { nodeClock } from "./node-clock.ts";
import { nodeKeys, nodeRandom } from "./node-keys.ts";

/** The part of an identity that the transport needs. */
interface Proving {
  readonly credentials: Credentials;
}

export interface NodeWorldOptions<I extends Proving> extends Pick<
  GrpcHopsOptions,
  "onError" | "files" | "unixCredentials" | "socketFile"
> {
  readonly host: string;
  /** Makes the identity of this process, given a World whose hops are usable as soon as this returns. */
  readonly identity: (world: World & Pick<Ports, "hops">) => I;
  /** Default: nothing is logged. */
  readonly log?: Log;
  /** Default: no span is recorded. */
  readonly exporter?: SpanExporter;
}

export interface NodeWorld<I = unknown> extends World {
  readonly hops: GrpcHops;
  readonly identity: I;
  /** Ends all tasks, then every listener and connection. Rejects with the first error of a task. */
  close(): Promise<void>;
}

export function nodeWorld<I extends Proving>(options: NodeWorldOptions<I>): NodeWorld<I> {
  const { host, identity: open, log = NO_LOG, exporter, ...transport } = options;
  const clock = nodeClock();
  const scope = rootScope(host, clock);
  const random = nodeRandom();
  const bytes = (purpose: string, n: number, length: number) => random.bytes(purpose, n, length);
  const trace = exporter && tracer({ host, clock, bytes, exporter });
  const hops = new GrpcHops({
    ...transport,
    credentials: () => identity.credentials,
    log: (line) => log.info(line),
    clock,
    scope,
  });
  const told = observation(clock, { log, ...(trace && { trace }) });
  const world = { host, clock, random, keys: nodeKeys(), hops, scope, ...told };
  const identity = open(world);
  return {
    ...world,
    identity,
    close: async () => {
      try {
        await scope.end();
      } finally {
        await hops.close();
        await exporter?.close();
      }
    },
  };
}
