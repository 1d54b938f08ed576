/**
 * Registers this host's endpoints under the manager's URL, and shows them on this host under their own.
 * Upstream: sdk/pkg/registry/common/localbypass
 */
import type { NetworkServiceEndpoint } from "../api/gen/nsm/registry_pb.js";
import type { Call } from "../chain/call.ts";
import type { Element } from "../chain/element.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Hops } from "../world/hops.ts";
import { isLocal } from "../world/peer.ts";

interface Local {
  readonly url: string;
  readonly release: () => void;
}

/**
 * Requests and closes of one endpoint come one after the other (`Begin`).
 *
 * Guarantees
 * - Registrations that leave the host have the manager's URL; the answer to their caller has its own URL.
 * - A URL leads to the process that was there at the registration, or to nobody. UNAVAILABLE if nobody was there.
 * - After a failed registration an endpoint has the URL that it had before, if any.
 * - `self:` URLs, of roles of this process, can only be registered by this process, and sockets only by this host.
 *   INVALID_ARGUMENT otherwise.
 */
export class LocalBypass {
  readonly #ownUrl: string;
  readonly #hold: Hops["hold"];
  readonly #urls = new Map<string, Local>();

  constructor(ownUrl: string, hold: Hops["hold"]) {
    this.#ownUrl = ownUrl;
    this.#hold = hold;
  }

  element(): Element<NetworkServiceEndpoint, NetworkServiceEndpoint> {
    return {
      name: "local-bypass",
      request: async (call, endpoint, next) => {
        const { name, url } = endpoint;
        checkUrl(call, endpoint);
        const previous = this.#urls.get(name);
        const local = previous?.url === url ? previous : { url, release: await this.#hold(url) };
        this.#urls.set(name, local);
        endpoint.url = this.#ownUrl;
        try {
          const registered = await next(endpoint);
          if (local !== previous) previous?.release();
          registered.url = url;
          return registered;
        } catch (error) {
          if (local !== previous) {
            this.#delete(name);
            if (previous) this.#urls.set(name, previous);
          }
          throw error;
        }
      },
      close: async (_call, endpoint, next) => {
        endpoint.url = this.#ownUrl;
        try {
          await next(endpoint);
        } finally {
          this.#delete(endpoint.name);
        }
      },
    };
  }

  /**
   * An endpoint as this host sees it. `undefined` for one that an earlier process of this host registered: that process is gone,
   * and the registration will expire.
   */
  seen(endpoint: NetworkServiceEndpoint, isDeleted: boolean): NetworkServiceEndpoint | undefined {
    const local = this.#urls.get(endpoint.name)?.url;
    if (local !== undefined) endpoint.url = local;
    return local === undefined && endpoint.url === this.#ownUrl && !isDeleted ? undefined : endpoint;
  }

  #delete(name: string): void {
    this.#urls.get(name)?.release();
    this.#urls.delete(name);
  }
}

function checkUrl(call: Call, { name, url }: NetworkServiceEndpoint): void {
  const problem = urlProblem(call, url);
  if (!problem) return;
  throw new NetloomError(
    "INVALID_ARGUMENT",
    `register endpoint ${name} with URL ${JSON.stringify(url.slice(0, 200))}: ${problem}`,
  );
}

function urlProblem({ peer }: Call, url: string): string | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):./.exec(url)?.[1];
  if (scheme === undefined) return "an endpoint needs a URL under which its manager reaches it";
  if (scheme === "self" && peer.origin.kind !== "self")
    return "that is the name of a role of another process";
  if (["unix", "inode", "file"].includes(scheme) && !isLocal(peer))
    return "a socket is reached on its own host only";
  return undefined;
}
