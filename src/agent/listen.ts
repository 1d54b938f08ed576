/** Makes an agent listen, also at an address that comes later: after a boot, after a carrier loss, or with a late DHCP lease. */
import { serveAll, type Served } from "../api/rpc.ts";
import { hasCode } from "../errors/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { parseIp } from "../net/ip.ts";
import type { Ports, World } from "../world/world.ts";
import { followHost } from "./follow-host.ts";

interface Listening {
  readonly world: World & Pick<Ports, "hops"> & { readonly kernel: Kernel };
  /** URLs to listen at: `unix:///…` serves everything, `tcp://…` serves other hosts. */
  readonly listen: readonly string[];
}

/**
 * Serves everything to programs of this host, and connections to other hosts. Returns the URLs whose address this host does not
 * have yet: it listens there as soon as it can, and reports them meanwhile (`World.retries`). Rejects if it cannot listen at a
 * URL for another reason.
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
      // Only a missing address is waited for, not a port that is taken or not allowed.
      if (!hasCode(error, "INVALID_ARGUMENT") || !(await isMissing(kernel, url))) throw error;
      log.warn("waiting for an address to listen at", { url, problem: error.message });
      awaited.push(url);
    }
  const looks = awaited.map((url) => [`listen on ${url}`, once(() => serve(url))] as const);
  if (looks.length > 0) followHost({ world, kernel, looks: new Map(looks) });
  return awaited;
}

/** Whether the URL names an address that this host does not have, or only tentatively (IPv6 duplicate address detection). */
async function isMissing(kernel: Kernel, url: string): Promise<boolean> {
  const address = /^tcp:\/\/\[?([^\]]*)\]?:\d+$/.exec(url)?.[1] ?? "";
  if (!parseIp(address)) return false;
  const [own] = await kernel.addresses([{ netns: "host", address }]);
  return own?.state !== "usable";
}

/** A function that runs `task` until it has succeeded once. */
function once(task: () => Promise<void>): () => Promise<void> {
  let isDone = false;
  return async () => {
    if (isDone) return;
    await task();
    isDone = true;
  };
}
