/** Hosts for tests of the transport: hops on sockets in a folder of their own, all closed when the test is over. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { rootScope } from "../async/task-scope.ts";
import type { HostWorld } from "../world/world.ts";
import { GrpcHops, type GrpcHopsOptions } from "./grpc-hops.ts";
import { nodeClock } from "./node-clock.ts";
import { PLAIN_CREDENTIALS } from "../identity/identities.ts";

export interface GrpcHost extends Pick<HostWorld, "clock" | "scope"> {
  readonly hops: GrpcHops;
  readonly log: string[];
  readonly errors: unknown[];
}

export function grpcHost(t: TestContext, options: Partial<GrpcHopsOptions> = {}): GrpcHost {
  const clock = nodeClock();
  const scope = rootScope("test", clock);
  const log: string[] = [];
  const errors: unknown[] = [];
  const hops = new GrpcHops({
    clock,
    scope,
    credentials: () => PLAIN_CREDENTIALS,
    log: (line) => void log.push(line),
    onError: (error) => void errors.push(error),
    ...options,
  });
  t.after(async () => {
    await hops.close();
    await scope.end();
  });
  return { hops, clock, scope, log, errors };
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "nlt-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}
