/** The World of a process on a real machine. */
import { race, rootScope } from "../chain/scope.ts";
import type { Scope } from "../world/scope.ts";
import type { Clock, World } from "../world/world.ts";
import { GrpcHops, type GrpcHopsOptions } from "./grpc-hops.ts";
import { nodeClock } from "./node-clock.ts";
import { nodeDisk } from "./node-disk.ts";
import { nodeKeys, nodeRandom } from "./node-keys.ts";

export interface NodeWorldOptions extends Pick<GrpcHopsOptions, "insecure" | "log" | "onError" | "files"> {
  readonly host: string;
  /** Folder of the disk. */
  readonly stateFolder: string;
  /** Files there that say what is true until the machine starts again. Default: none. */
  readonly volatileFiles?: readonly string[];
  readonly kernel: World["kernel"];
  /** Makes the store, on the World's clock; its tasks belong to the World's scope. */
  readonly store: (clock: Clock, scope: Scope) => World["store"];
}

export interface NodeWorld extends World {
  readonly hops: GrpcHops;
  /** Ends all tasks, then every listener and connection. Rejects with the first error of a task. */
  close(): Promise<void>;
}

/** `kernel` stays the caller's, who closes it after the World. */
export function nodeWorld(options: NodeWorldOptions): NodeWorld {
  const { host, stateFolder, volatileFiles, kernel, ...transport } = options;
  const clock = nodeClock();
  const scope = rootScope(host, clock);
  const hops = new GrpcHops({ ...transport, clock, scope });
  return {
    host,
    clock,
    random: nodeRandom(),
    keys: nodeKeys(),
    hops,
    disk: nodeDisk(stateFolder, { ...(volatileFiles && { volatile: volatileFiles }) }),
    store: options.store(clock, scope),
    kernel,
    scope,
    race,
    close: async () => {
      try {
        await scope.end();
      } finally {
        await hops.close();
      }
    },
  };
}
