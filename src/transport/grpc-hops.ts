/** The network between hosts, over gRPC. */
import { watchOf } from "../async/watch.ts";
import type { DescFile } from "@bufbuild/protobuf";
import type { Scope } from "../async/scope.ts";
import type { Clock } from "../async/clock.ts";
import type { Credentials } from "../world/credentials.ts";
import type { Handler, Hop, Hops } from "../world/hops.ts";
import { GrpcHop, type GrpcHopOptions } from "./grpc-client.ts";
import { listen, withServices } from "./grpc-server.ts";
import { healthOf } from "./health.ts";
import { HeldSockets, isSocketIdentity } from "./inode-socket.ts";
import type { PeerLimits } from "./peer-limits.ts";
import { addReflection } from "./reflection.ts";
import type { ReadUnixCredentials } from "./socket.ts";
import { addressesOf, checkTarget } from "./url.ts";
import { Company } from "./time-share.ts";

/** A connection that nobody has used for so long is closed. */
const IDLE_MS = 300_000;

export interface GrpcHopsOptions extends Pick<GrpcHopOptions, "probeIntervalMs" | "probeTimeoutMs"> {
  readonly clock: Clock;
  /** The scope that calls from outside run in. */
  readonly scope: Scope;
  /** Those of this process. Asked at each dial and each listener. */
  readonly credentials: () => Credentials;
  readonly log: (line: string) => void;
  /** Told of programmer's errors in handlers. Default: they are logged. */
  readonly onError?: (error: unknown, method: string) => void;
  /** Contracts for reflection beside those of the mesh. */
  readonly files?: readonly DescFile[];
  /** Default: nobody asks the kernel who comes by a unix socket. */
  readonly unixCredentials?: ReadUnixCredentials;
  /** What one peer may have of a listener, where it is other than usual. */
  readonly limits?: Partial<PeerLimits>;
  /** Default: 300,000 ms. */
  readonly idleMs?: number;
}

interface Dialled {
  readonly hop: GrpcHop;
  /** Closes the hop. */
  readonly close: () => void;
  usedAtMs: number;
}

/**
 * One connection for each address and credentials, and listeners with health checks and reflection. INVALID_ARGUMENT for what is
 * no URL.
 */
export class GrpcHops implements Hops {
  readonly #options: GrpcHopsOptions;
  readonly #dialled = new Map<Credentials, Map<string, Dialled>>();
  readonly #company = new Company();
  readonly #listeners = new Set<() => Promise<void>>();
  readonly #sockets = new HeldSockets();

  constructor(options: GrpcHopsOptions) {
    this.#options = options;
  }

  dial(url: string, credentials: Credentials = this.#options.credentials()): Hop {
    checkTarget(url);
    return {
      peer: async (options) => await this.#use(url, credentials).peer(options),
      call: async (method, request, options) =>
        await this.#use(url, credentials).call(method, request, options),
      watch: (method, request) => {
        try {
          return this.#use(url, credentials).watch(method, request);
        } catch (error) {
          return watchOf({ take: () => Promise.reject(error), close: () => undefined });
        }
      },
    };
  }

  async addressesOf(url: string): Promise<readonly string[]> {
    return await addressesOf(url);
  }

  hold(url: string): () => void {
    return isSocketIdentity(url) ? this.#sockets.hold(url).release : () => undefined;
  }

  async serve(
    url: string,
    handler: Handler,
    credentials: Credentials = this.#options.credentials(),
  ): Promise<() => Promise<void>> {
    const {
      clock,
      scope,
      log,
      files,
      limits,
      unixCredentials,
      onError = (error, method) => log(describeBug(error, method)),
    } = this.#options;
    const names = new Set(handler.methods.map(({ path }) => path.split("/")[1] ?? ""));
    const served = withServices(handler, [healthOf(names)]);
    const stop = await listen(url, served, {
      clock,
      scope,
      onError,
      log,
      company: this.#company,
      credentials,
      limits,
      unixCredentials,
      extend: (server) => addReflection(server, new Set([...names, "grpc.health.v1.Health"]), files),
    });
    log(`listening on ${url} ${credentials.announcement}`);
    const close = async (): Promise<void> => {
      if (this.#listeners.delete(close)) await stop();
    };
    this.#listeners.add(close);
    return close;
  }

  /** Closes every listener and every connection. */
  async close(): Promise<void> {
    await Promise.all([...this.#listeners].map((close) => close()));
    for (const dialled of this.#dialled.values()) for (const { close } of dialled.values()) close();
    this.#dialled.clear();
  }

  /** Connections that are open or may be opened. */
  get connections(): readonly string[] {
    return [...this.#dialled.values()].flatMap((dialled) => [...dialled.keys()]);
  }

  #use(url: string, credentials: Credentials): GrpcHop {
    const nowMs = this.#options.clock.monotonicMs();
    this.#closeIdle(nowMs);
    let byUrl = this.#dialled.get(credentials);
    if (!byUrl) this.#dialled.set(credentials, (byUrl = new Map()));
    let dialled = byUrl.get(url);
    if (!dialled) byUrl.set(url, (dialled = { ...this.#open(url, credentials), usedAtMs: nowMs }));
    dialled.usedAtMs = nowMs;
    return dialled.hop;
  }

  /** A socket that is named by its inode is held as long as its connection may be made again. */
  #open(url: string, credentials: Credentials): Pick<Dialled, "hop" | "close"> {
    const held = isSocketIdentity(url) ? this.#sockets.hold(url) : undefined;
    const hop = new GrpcHop(url, {
      ...this.#options,
      credentials,
      ...(held && { address: `unix://${held.path}` }),
    });
    return {
      hop,
      close: () => {
        hop.close();
        held?.release();
      },
    };
  }

  #closeIdle(nowMs: number): void {
    const idleMs = this.#options.idleMs ?? IDLE_MS;
    for (const [credentials, dialled] of this.#dialled) {
      for (const [url, { hop, close, usedAtMs }] of dialled) {
        if (hop.isBusy || nowMs - usedAtMs < idleMs) continue;
        close();
        dialled.delete(url);
      }
      if (dialled.size === 0) this.#dialled.delete(credentials);
    }
  }
}

function describeBug(error: unknown, method: string): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `bug in the handler of ${method}: ${text}`;
}
