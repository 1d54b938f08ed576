/** The World of a process on a real machine. */
import { type Log, NO_LOG } from "../observe/log.ts";
import { observation } from "../observe/observation.ts";
import { type SpanExporter, tracer } from "../observe/trace.ts";
import { rootScope } from "../async/task-scope.ts";
import type { World } from "../world/world.ts";
import { GrpcHops, type GrpcHopsOptions } from "./grpc-hops.ts";
import { nodeClock } from "./node-clock.ts";
import { nodeKeys, nodeRandom } from "./node-keys.ts";

export interface NodeWorldOptions extends Pick<
  GrpcHopsOptions,
  "insecure" | "onError" | "files" | "unixCredentials"
> {
  readonly host: string;
  /** Default: nothing is written down. */
  readonly log?: Log;
  /** Default: no span is recorded. */
  readonly exporter?: SpanExporter;
}

export interface NodeWorld extends World {
  readonly hops: GrpcHops;
  /** Ends all tasks, then every listener and connection. Rejects with the first error of a task. */
  close(): Promise<void>;
}

export function nodeWorld(options: NodeWorldOptions): NodeWorld {
  const { host, log = NO_LOG, exporter, ...transport } = options;
  const clock = nodeClock();
  const scope = rootScope(host, clock);
  const random = nodeRandom();
  const bytes = (purpose: string, n: number, length: number) => random.bytes(purpose, n, length);
  const trace = exporter && tracer({ host, clock, bytes, exporter });
  const hops = new GrpcHops({ ...transport, log: (line) => log.info(line), clock, scope });
  return {
    host,
    clock,
    random,
    keys: nodeKeys(),
    hops,
    scope,
    ...observation(clock, { log, ...(trace && { trace }) }),
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
