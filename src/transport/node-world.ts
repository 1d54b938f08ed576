/** The World of a process on a real machine. */
import { rootScope } from "../async/task-scope.ts";
import type { World } from "../world/world.ts";
import { GrpcHops, type GrpcHopsOptions } from "./grpc-hops.ts";
import { nodeClock } from "./node-clock.ts";
import { nodeKeys, nodeRandom } from "./node-keys.ts";

export interface NodeWorldOptions extends Pick<
  GrpcHopsOptions,
  "insecure" | "log" | "onError" | "files" | "unixCredentials"
> {
  readonly host: string;
}

export interface NodeWorld extends World {
  readonly hops: GrpcHops;
  /** Ends all tasks, then every listener and connection. Rejects with the first error of a task. */
  close(): Promise<void>;
}

export function nodeWorld(options: NodeWorldOptions): NodeWorld {
  const { host, ...transport } = options;
  const clock = nodeClock();
  const scope = rootScope(host, clock);
  const hops = new GrpcHops({ ...transport, clock, scope });
  return {
    host,
    clock,
    random: nodeRandom(),
    keys: nodeKeys(),
    hops,
    scope,
    close: async () => {
      try {
        await scope.end();
      } finally {
        await hops.close();
      }
    },
  };
}
