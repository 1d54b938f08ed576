/**
 * Closes connections at other stations that earlier agents of this host requested and that no document requests any more: the
 * answer was lost with the process, the client has moved to another endpoint, or the workload has died.
 *
 * Guarantees
 * - The URL of a station is on the disk before the first request goes there. So the next agent knows which stations to ask.
 * - Each of those stations is asked for its connections of this host. A connection that this agent has established stays. A
 *   connection whose wire may still be requested stays until that is decided. Any other is closed there.
 * - A station that does not answer is asked again, until its connections have expired anyway.
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
/** Time to gather events: news of a wire comes before the news of its connection. */
const GATHER_MS = 500;

export interface LeftoversOptions {
  readonly world: World;
  readonly disk: Disk;
  /** Name of the path segment that sends the requests: this host's forwarder. */
  readonly name: string;
  readonly stationAt: (url: string) => ConnectionHop;
  /** The connections of that segment that this agent has established. */
  readonly established: () => readonly Connection[];
  /** Runs `task` when no call of the connection `id` runs. */
  readonly inTurn: (id: string, task: () => Promise<void>) => Promise<void>;
  /** Whether a client of this host may still request the wire. */
  readonly isAwaited: (wireId: string) => boolean;
  /** The time after which all connections of an earlier agent have expired. */
  readonly lifetimeMs: number;
}

/** A connection at another station, in the form in which this host's forwarder would close it. */
interface Leftover {
  readonly url: string;
  readonly wireId: string;
  readonly connection: Connection;
}

export class Leftovers {
  readonly #options: LeftoversOptions;
  readonly #file: NameFile;
  readonly #signal = new Signal();
  /** Stations that have not answered yet. */
  readonly #unasked = new Set<string>();
  /** Stations that this agent has put on the disk. */
  readonly #noted = new Set<string>();
  #found: Leftover[] = [];
  #isRefused = false;

  constructor(options: LeftoversOptions) {
    this.#options = options;
    this.#file = new NameFile(options.disk, STATIONS_FILE, options.world.log);
  }

  /** Reads the stations of earlier agents, and starts to ask them. */
  async start(): Promise<void> {
    const { world } = this.#options;
    const earlier = await this.#file.read("connections of an earlier run may stay there until they expire");
    await this.#file.replace(earlier);
    for (const url of earlier) this.#unasked.add(url);
    world.scope.spawn("close the leftovers of earlier runs", (scope) => this.#run(scope));
  }

  /** Puts the station at `url` on the disk. Called before a request goes there. */
  async note(url: string): Promise<void> {
    if (this.#noted.has(url)) return;
    try {
      await this.#file.add([url]);
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      if (!this.#isRefused)
        this.#options.world.log.warn(
          "the URL of a station cannot be stored; a restart may leave connections there",
          {
            error: error.message,
          },
        );
      this.#isRefused = true;
    }
    if (this.#noted.has(url)) return;
    this.#noted.add(url);
    // The list of an earlier agent may have been lost with its disk.
    this.#unasked.add(url);
    this.#signal.ring();
  }

  /** Checks again after wires were made or removed. */
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

  /** Puts the station's connections of this host into `#found`. */
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
      // A station without this call cannot answer.
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

  /** The connection under the id of this host's request. `undefined` if another host requested it. */
  #asAsked(url: string, connection: Connection): Leftover | undefined {
    const copy = copyMessage(connection);
    const index = (copy.path?.index ?? 0) - 1;
    const segment = copy.path?.pathSegments[index];
    if (!copy.path || segment?.name !== this.#options.name) return undefined;
    copy.path.index = index;
    copy.id = segment.id;
    return { url, wireId: wireIdOf(copy), connection: copy };
  }

  /** Closes a leftover if no document requests it. True if nothing remains to be done. */
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
      this.#options.world.log.debug("a connection from before the restart cannot be closed yet", {
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
      // State DOWN means that the client is gone but did not close: an endpoint that waits for its return keeps waiting.
      const closed = copyMessage(connection);
      closed.state = State.DOWN;
      await stationAt(url).close(this.#caller(scope, ASK_MS), closed);
      world.log.info("closed a connection from before the restart that no document requests", {
        wire: wireId,
        at: url,
      });
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
  return `ask ${url} for connections from before the restart`;
}
