/** The network between hosts, over gRPC. */
import { type Watch, watchOf } from "../async/watch.ts";
import type { DescFile } from "@bufbuild/protobuf";
import { NetloomError } from "../errors/errors.ts";
import type { Scope } from "../async/scope.ts";
import type { Clock } from "../async/clock.ts";
import type { Credentials } from "../world/credentials.ts";
import type { Handler, Hop, Hops, Message } from "../world/hops.ts";
import { GrpcHop, type GrpcHopOptions } from "./grpc-client.ts";
import { listen, withServices } from "./grpc-server.ts";
import { healthOf } from "./health.ts";
import { HeldSockets, isSocketIdentity, type OpenSocketFile } from "./inode-socket.ts";
import type { PeerLimits } from "./peer-limits.ts";
import { addReflection } from "./reflection.ts";
import type { ReadUnixCredentials } from "./socket.ts";
import { addressesOf, checkTarget } from "./url.ts";
import { Company } from "./time-share.ts";

/** Idle time after which a connection is closed. */
const IDLE_MS = 300_000;

export interface GrpcHopsOptions extends Pick<GrpcHopOptions, "probeIntervalMs" | "probeTimeoutMs"> {
  readonly clock: Clock;
  /** The scope of calls from outside. */
  readonly scope: Scope;
  /** Credentials of this process. Read at each dial and each listener. */
  readonly credentials: () => Credentials;
  readonly log: (line: string) => void;
  /** Called with programmer's errors in handlers. Default: they are logged. */
  readonly onError?: (error: unknown, method: string) => void;
  /** Contracts for reflection in addition to those of the mesh. */
  readonly files?: readonly DescFile[];
  /** Default: the kernel is not asked for the peer's process on a unix socket. */
  readonly unixCredentials?: ReadUnixCredentials;
  /** Default: sockets cannot be found by their inode. */
  readonly socketFile?: OpenSocketFile;
  /** Limits of one peer at a listener that differ from the usual ones. */
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
 * One connection for each address and credentials, and listeners with health checks and reflection. INVALID_ARGUMENT
 * for text that is not a URL.
 */
export class GrpcHops implements Hops {
  readonly #options: GrpcHopsOptions;
  readonly #dialled = new Map<Credentials, Map<string, Dialled>>();
  readonly #company = new Company();
  readonly #listeners = new Set<() => Promise<void>>();
  readonly #sockets: HeldSockets;
  #isClosed = false;

  constructor(options: GrpcHopsOptions) {
    this.#options = options;
    this.#sockets = new HeldSockets(options.socketFile ?? findsNone);
  }

  dial(url: string, credentials: Credentials = this.#options.credentials()): Hop {
    checkTarget(url);
    if (isSocketIdentity(url)) return this.#found(url, credentials);
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

  /**
   * A hop to a socket that has to be found first. It copies the request at once, because the caller may change it
   * meanwhile.
   */
  #found(url: string, credentials: Credentials): Hop {
    const kept = (request: Message): Message => ({ ...request, bytes: request.bytes.slice() });
    return {
      peer: async (options) => await (await this.#useFound(url, credentials)).peer(options),
      call: async (method, request, options) => {
        const asked = kept(request);
        return await (await this.#useFound(url, credentials)).call(method, asked, options);
      },
      watch: (method, request) => {
        const asked = kept(request);
        return watchLater(async () => (await this.#useFound(url, credentials)).watch(method, asked));
      },
    };
  }

  async addressesOf(url: string): Promise<readonly string[]> {
    return await addressesOf(url);
  }

  async hold(url: string): Promise<() => void> {
    return isSocketIdentity(url) ? (await this.#sockets.hold(url)).release : () => undefined;
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
    this.#isClosed = true;
    for (const dialled of this.#dialled.values()) for (const { close } of dialled.values()) close();
    this.#dialled.clear();
  }

  /** Connections that are open or may be opened. */
  get connections(): readonly string[] {
    return [...this.#dialled.values()].flatMap((dialled) => [...dialled.keys()]);
  }

  #use(url: string, credentials: Credentials): GrpcHop {
    const known = this.#known(url, credentials);
    if (known) return known;
    const hop = new GrpcHop(url, { ...this.#options, credentials });
    this.#keep(url, credentials, { hop, close: () => hop.close() });
    return hop;
  }

  #known(url: string, credentials: Credentials): GrpcHop | undefined {
    const nowMs = this.#options.clock.monotonicMs();
    this.#closeIdle(nowMs);
    const dialled = this.#dialled.get(credentials)?.get(url);
    if (dialled) dialled.usedAtMs = nowMs;
    return dialled?.hop;
  }

  #keep(url: string, credentials: Credentials, { hop, close }: Pick<Dialled, "hop" | "close">): void {
    if (this.#isClosed) {
      close();
      return;
    }
    let byUrl = this.#dialled.get(credentials);
    if (!byUrl) this.#dialled.set(credentials, (byUrl = new Map()));
    byUrl.set(url, { hop, close, usedAtMs: this.#options.clock.monotonicMs() });
  }

  /** The hop to a socket named by its inode. The socket's file is held as long as the connection may be made again. */
  async #useFound(url: string, credentials: Credentials): Promise<GrpcHop> {
    const known = this.#known(url, credentials);
    if (known) return known;
    const held = await this.#sockets.hold(url);
    const meanwhile = this.#known(url, credentials);
    if (meanwhile) {
      held.release();
      return meanwhile;
    }
    const hop = new GrpcHop(url, { ...this.#options, credentials, address: `unix://${held.path}` });
    const close = (): void => {
      hop.close();
      held.release();
    };
    this.#keep(url, credentials, { hop, close });
    return hop;
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

/** Opens the stream when it is first read. */
function watchLater<T>(open: () => Promise<Watch<T>>): Watch<T> {
  let isClosed = false;
  let watch: Watch<T> | undefined;
  let opening: Promise<Watch<T>> | undefined;
  return watchOf({
    take: async () => {
      if (isClosed) return undefined;
      watch ??= await (opening ??= open());
      if (isClosed) watch.close();
      return await watch.take();
    },
    close: () => {
      isClosed = true;
      watch?.close();
    },
  });
}

const findsNone: OpenSocketFile = (identity) =>
  Promise.reject(new NetloomError("NOT_FOUND", `find socket ${identity}: this process does not look for it`));

function describeBug(error: unknown, method: string): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `bug in the handler of ${method}: ${text}`;
}
