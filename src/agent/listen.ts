/** Where an agent listens, and what it does where an address is not there yet: after a boot, a link without carrier, a lease that comes late. */
import { serveAll, type Served } from "../api/rpc.ts";
import { hasCode } from "../errors/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { parseIp } from "../net/ip.ts";
import type { Ports, World } from "../world/world.ts";
import { followHost } from "./follow-host.ts";

interface Listening {
  readonly world: World & Pick<Ports, "hops"> & { readonly kernel: Kernel };
  /** `unix:///…` for everything, `tcp://…` for other hosts. */
  readonly listen: readonly string[];
}

/**
 * Whoever is on this host may ask for everything, other hosts for connections. Returns the URLs whose address this host cannot use yet:
 * it listens there as soon as it can, and says so meanwhile (`World.retries`). Rejects for one where it cannot listen for another reason.
 */
export async function listenAt(
  { world, listen }: Listening,
  { served, connections }: { readonly served: readonly Served[]; readonly connections: readonly Served[] },
): Promise<string[]> {
  const { hops, kernel, log } = world;
  const serve = async (url: string): Promise<void> =>
    void (await hops.serve(url, serveAll(url.startsWith("unix:") ? served : connections)));
  const awaited: string[] = [];
  for (const url of listen)
    try {
      await serve(url);
    } catch (error) {
      // A port that somebody has, or that we may not have, is another matter.
      if (!hasCode(error, "INVALID_ARGUMENT") || !(await isMissing(kernel, url))) throw error;
      log.warn("waiting for an address to listen at", { url, problem: error.message });
      awaited.push(url);
    }
  const looks = awaited.map((url) => [`listen on ${url}`, once(() => serve(url))] as const);
  if (looks.length > 0) followHost({ world, kernel, looks: new Map(looks) });
  return awaited;
}

/** Does the URL name an address that this host does not have, or has not for sure? */
async function isMissing(kernel: Kernel, url: string): Promise<boolean> {
  const address = /^tcp:\/\/\[?([^\]]*)\]?:\d+$/.exec(url)?.[1] ?? "";
  if (!parseIp(address)) return false;
  const [own] = await kernel.addresses([{ netns: "host", address }]);
  return own?.state !== "usable";
}

/** Does nothing any more when it has worked. */
function once(task: () => Promise<void>): () => Promise<void> {
  let isDone = false;
  return async () => {
    if (isDone) return;
    await task();
    isDone = true;
  };
}
