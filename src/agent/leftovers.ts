/**
 * What earlier lives of this host have asked of other stations, and nobody asks for any more: an answer that was lost with
 * its process, an endpoint that was left for another one, a workload that has died meanwhile.
 *
 * Guarantees
 * - Where a request goes is on the disk before it goes there, once for each station. So the next life knows whom to ask.
 * - Each of those stations is asked which connections of this host it has. One that this life has established stays; one
 *   whose wire may still be asked for waits for that; any other is closed there.
 * - A station that does not answer is asked again, until what it has would have expired anyway.
 */
import type { Disk } from "../world/disk.ts";
import { copyMessage } from "../api/copy-message.ts";
import {
  type Connection,
  MonitorScopeSelectorSchema,
  PathSegmentSchema,
  State,
} from "../api/gen/nsm/connection_pb.js";
import type { Incoming } from "../world/hops.ts";
import { type ConnectionHop } from "../api/hops.ts";
import { SELF } from "../world/peer.ts";
import { wireIdOf } from "../elements/wires/wire-id.ts";
import { create } from "@bufbuild/protobuf";
import { Signal } from "../async/signal.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Scope } from "../async/scope.ts";
import type { World } from "../world/world.ts";
import { NameFile } from "./name-file.ts";

const STATIONS_FILE = "stations";
const ASK_MS = 5_000;
const RETRY_MS = 5_000;
/** News of wires come before the news of their connections. */
const GATHER_MS = 500;

export interface LeftoversOptions {
  readonly world: World;
  readonly disk: Disk;
  /** Name of the path segment that asks: this host's forwarder. */
  readonly name: string;
  readonly stationAt: (url: string) => ConnectionHop;
  /** The connections of that segment in this life. */
  readonly established: () => readonly Connection[];
  /** Runs `task` when no call of its connection `id` does. */
  readonly inTurn: (id: string, task: () => Promise<void>) => Promise<void>;
  /** May somebody of this host still ask for the wire? */
  readonly isAwaited: (wireId: string) => boolean;
  /** After so long everything of an earlier life has expired by itself. */
  readonly lifetimeMs: number;
}

/** A connection at another station, as this host's forwarder would have it. */
interface Leftover {
  readonly url: string;
  readonly wireId: string;
  readonly connection: Connection;
}

export class Leftovers {
  readonly #options: LeftoversOptions;
  readonly #file: NameFile;
  readonly #signal = new Signal();
  /** Stations that have not told yet. */
  readonly #unasked = new Set<string>();
  /** Stations of this life. */
  readonly #noted = new Set<string>();
  #found: Leftover[] = [];
  #isRefused = false;

  constructor(options: LeftoversOptions) {
    this.#options = options;
    this.#file = new NameFile(options.disk, STATIONS_FILE, options.world.log);
  }

  /** Reads whom earlier lives have asked, and begins to ask them. */
  async start(): Promise<void> {
    const { world } = this.#options;
    const earlier = await this.#file.read("connections of an earlier run may stay there until they expire");
    await this.#file.replace(earlier);
    for (const url of earlier) this.#unasked.add(url);
    world.scope.spawn("close what earlier lives have left", (scope) => this.#run(scope));
  }

  /** A request is about to go to the station at `url`. */
  async note(url: string): Promise<void> {
    if (this.#noted.has(url)) return;
    try {
      await this.#file.add([url]);
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      if (!this.#isRefused)
        this.#options.world.log.warn(
          "whom this host asks cannot be written down; a restart may leave connections there",
          {
            error: error.message,
          },
        );
      this.#isRefused = true;
    }
    if (this.#noted.has(url)) return;
    this.#noted.add(url);
    // Its disk may have been lost, and with it whom an earlier life has asked.
    this.#unasked.add(url);
    this.#signal.ring();
  }

  /** Wires have come or gone. */
  look(): void {
    if (this.#found.length > 0) this.#signal.ring();
  }

  async #run(scope: Scope): Promise<void> {
    const { world, lifetimeMs } = this.#options;
    const { clock } = world;
    const untilMs = clock.monotonicMs() + lifetimeMs;
    let isShort = false;
    while (!scope.ended) {
      const isOver = clock.monotonicMs() > untilMs + RETRY_MS;
      if (isOver) {
        for (const url of this.#unasked) world.retries.over(askingOf(url));
        this.#unasked.clear();
      }
      await Promise.all([...this.#unasked].map((url) => this.#ask(url)));
      const rest: Leftover[] = [];
      for (const each of this.#found) if (!(await this.#settle(each)) && !isOver) rest.push(each);
      this.#found = rest;
      const isDone = this.#unasked.size === 0 && rest.length === 0;
      if (isDone && !isShort) {
        isShort = true;
        await this.#file.replace([...this.#noted]);
      }
      await this.#signal.wait(world.clock, scope, isDone ? Infinity : RETRY_MS);
      if (!scope.ended) await clock.sleep(GATHER_MS, scope);
    }
  }

  /** Puts what the station has of this host into `#found`. */
  async #ask(url: string): Promise<void> {
    const { world, name, stationAt } = this.#options;
    const selector = create(MonitorScopeSelectorSchema, {
      pathSegments: [create(PathSegmentSchema, { name })],
    });
    const scope = world.scope.child(`ask ${url}`, { timeoutMs: ASK_MS });
    const watch = stationAt(url).monitor(this.#caller(scope, ASK_MS), selector);
    try {
      for await (const { connections } of watch.within(scope)) {
        this.#unasked.delete(url);
        world.retries.over(askingOf(url));
        this.#learn(url, Object.values(connections));
        return;
      }
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      // A station that knows no such question has nothing to tell.
      if (error.code === "UNIMPLEMENTED") this.#unasked.delete(url);
      else world.retries.failed(askingOf(url), error);
    } finally {
      await scope.end();
    }
  }

  #learn(url: string, connections: readonly Connection[]): void {
    const known = new Set(this.#found.map(keyOf));
    for (const connection of connections) {
      const found = this.#asAsked(url, connection);
      if (found && !known.has(keyOf(found))) this.#found.push(found);
    }
  }

  /** The connection under the id that this host has asked with. `undefined` if the station was asked by another one. */
  #asAsked(url: string, connection: Connection): Leftover | undefined {
    const copy = copyMessage(connection);
    const index = (copy.path?.index ?? 0) - 1;
    const segment = copy.path?.pathSegments[index];
    if (!copy.path || segment?.name !== this.#options.name) return undefined;
    copy.path.index = index;
    copy.id = segment.id;
    return { url, wireId: wireIdOf(copy), connection: copy };
  }

  /** True if there is no more to do about it. */
  async #settle(found: Leftover): Promise<boolean> {
    const { inTurn } = this.#options;
    let isSettled = false;
    try {
      await inTurn(found.connection.id, async () => {
        const verdict = this.#judge(found);
        if (verdict === "close") await this.#close(found);
        isSettled = verdict !== "wait";
      });
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      this.#options.world.log.debug("a connection of an earlier life cannot be closed yet", {
        url: found.url,
        error: error.message,
      });
    }
    return isSettled;
  }

  #judge({ wireId, connection }: Leftover): "keep" | "wait" | "close" {
    const own = this.#options.established().filter((each) => wireIdOf(each) === wireId);
    if (own.some((each) => each.id === connection.id && nextId(each) === nextId(connection))) return "keep";
    if (own.length > 0) return "close";
    return this.#options.isAwaited(wireId) ? "wait" : "close";
  }

  async #close({ url, wireId, connection }: Leftover): Promise<void> {
    const { world, stationAt } = this.#options;
    const scope = world.scope.child(`close ${wireId} at ${url}`, { timeoutMs: ASK_MS });
    try {
      // Its client is gone, and has not asked for its end: what waits for a client that comes again, waits.
      const closed = copyMessage(connection);
      closed.state = State.DOWN;
      await stationAt(url).close(this.#caller(scope, ASK_MS), closed);
      world.log.info("closed what an earlier life has asked for and nobody wants", { wire: wireId, at: url });
    } finally {
      await scope.end();
    }
  }

  #caller(scope: Scope, timeoutMs: number): Incoming {
    return { scope, deadlineMs: this.#options.world.clock.monotonicMs() + timeoutMs, peer: SELF };
  }
}

function nextId({ path }: Connection): string | undefined {
  return path?.pathSegments[path.index + 1]?.id;
}

function keyOf({ url, connection }: Leftover): string {
  return JSON.stringify([url, connection.id, nextId(connection)]);
}

function askingOf(url: string): string {
  return `ask ${url} for connections of an earlier life`;
}
