/**
 * The network between simulated hosts. A message is bytes; it takes time, and may be lost, duplicated or late according to
 * the fault plan. A call is two messages, so its answer can be lost after the work is done. A stream is like a TCP
 * connection: in order and without a gap, or broken.
 */
import type { Path, Ways } from "./end.ts";
import { NetloomError } from "../../errors/errors.ts";
import { watchOf } from "../../async/watch.ts";
import type { Credentials } from "../../world/credentials.ts";
import type { Hop, Hops } from "../../world/hops.ts";
import { canonicalIp, parseIp } from "../../net/ip.ts";
import type { FaultPlan } from "../faults.ts";
import { HANDSHAKE, SimCall } from "./call.ts";
import {
  copySent,
  type SimListener,
  type NetworkEnd,
  type SentQuestion,
  unavailable,
  type NetworkLine,
} from "./end.ts";
import { originAt, shakeHands } from "./handshake.ts";
import { openStream } from "./stream.ts";
import { plainPeer } from "../../world/peer.ts";
import { between, SimRandom } from "../random.ts";
import type { Scheduler } from "../scheduler.ts";

export class SimNetwork implements Ways {
  readonly #scheduler: Scheduler;
  readonly #faults: FaultPlan;
  readonly #random: SimRandom;
  readonly #listeners = new Map<string, SimListener>();
  /** The host that last served an address. Messages go there even while nothing listens. */
  readonly #homes = new Map<string, string>();
  readonly #sent = new Map<string, number>();
  #connections = 0;

  constructor(scheduler: Scheduler, faults: FaultPlan) {
    this.#scheduler = scheduler;
    this.#faults = faults;
    this.#random = new SimRandom(scheduler.seed, "network");
  }

  /** The network for one life of a host. A `unix:` address belongs to the host. */
  hops(end: NetworkEnd): Hops {
    return {
      dial: (url, credentials = end.credentials) => this.#dial(end, url, credentials),
      addressesOf: (url) => end.life.call({ kind: "hops.addresses", detail: url }, () => addressesIn(url)),
      // No simulated socket is named by an inode.
      hold: () => Promise.resolve(() => undefined),
      serve: (url, handler, credentials = end.credentials) => {
        const event = { kind: "hops.serve", detail: url };
        const address = addressOf(end.life.host, url);
        if (!this.#listeners.has(address)) {
          const stop = this.#serve({ end, url, handler, credentials });
          return end.life.call(event, () => stop);
        }
        return end.life.call(event, () => {
          throw new NetloomError("ALREADY_EXISTS", `serve ${url}: somebody serves there`);
        });
      },
    };
  }

  /** The current listener at an address. */
  listener(host: string, url: string): SimListener | undefined {
    return this.#listeners.get(addressOf(host, url));
  }

  /**
   * Sends one message, whose sender may die meanwhile. `deliver` runs when it arrives, at most twice, and returns the
   * outcome for the history; `onLost` runs instead if it is lost.
   */
  send(path: Path, detail: string, deliver: () => string | void, onLost?: () => void): void {
    const { from, to } = path;
    const way = `${from}>${to}`;
    const n = this.#sent.get(way) ?? 0;
    this.#sent.set(way, n + 1);
    const label = `#${n} from ${from}: ${detail}`;
    const faults = this.#faults.messages(from, to, n);
    if (this.isCut(path) || faults.some(({ how }) => how === "lose")) {
      this.#scheduler.note(from, `network.lose #${n} to ${to}: ${detail}`);
      onLost?.();
      return;
    }
    const latencyMs = between(this.#random, way, n, 100, from === to ? 200 : 5000) / 1000;
    const late = faults.find(({ how }) => how === "delay")?.delayMs ?? 0;
    const arrive = (delayMs: number, lost?: () => void): void => {
      this.#scheduler.after(delayMs, { host: to, kind: "network.deliver", detail: label }, () => {
        if (!this.isCut(path)) return deliver();
        lost?.();
        return "lost";
      });
    };
    arrive(latencyMs + late, onLost);
    const copy = faults.find(({ how }) => how === "duplicate");
    if (copy) arrive(latencyMs + copy.delayMs);
  }

  isCut({ from, to }: Path): boolean {
    return this.#faults.isPartitioned(from, to, this.#scheduler.nowMs);
  }

  /**
   * The delays in virtual time until a connection between the two hosts notices each coming partition: up to a second after
   * it begins.
   */
  cutsAfterMs({ from, to }: Path, connection: string): number[] {
    const { nowMs } = this.#scheduler;
    return this.#faults
      .partitions(from, to)
      .filter(({ atMs, forMs }) => nowMs < atMs + forMs)
      .map(({ atMs }) => {
        const noticeMs = between(this.#random, `notice ${from}>${to} ${connection}`, atMs, 1, 1000);
        return Math.max(0, atMs - nowMs) + noticeMs;
      });
  }

  #serve({ url, ...served }: Omit<SimListener, "scope"> & { readonly url: string }): () => Promise<void> {
    const { end } = served;
    const address = addressOf(end.life.host, url);
    const listener: SimListener = { ...served, scope: end.scope.child(`serve ${url}`) };
    this.#listeners.set(address, listener);
    this.#homes.set(address, end.life.host);
    const remove = (): void => {
      if (this.#listeners.get(address) === listener) this.#listeners.delete(address);
    };
    const forget = end.life.onEnd(remove);
    return async () => {
      forget();
      remove();
      await listener.scope.end();
    };
  }

  #newConnection({ life }: NetworkEnd): string {
    return `${life.host}/${life.number} ${this.#connections++}`;
  }

  #dial(end: NetworkEnd, url: string, credentials: Credentials): Hop {
    end.life.check("hops.dial");
    let line: NetworkLine = { connection: this.#newConnection(end), proof: { kind: "none" } };
    let isUsed = false;
    const question = (method: string, request: SentQuestion["request"]): SentQuestion => {
      const home = this.#homes.get(addressOf(end.life.host, url));
      const to = url.startsWith("unix:") ? end.life.host : (home ?? url);
      const proof = credentials.current();
      if (line.proof !== proof)
        line = { connection: isUsed ? this.#newConnection(end) : line.connection, proof };
      isUsed = true;
      return { from: end, to, url, method, request: copySent(request), line };
    };
    // A process without a current proof sends no request.
    const refuse = (error: unknown): Promise<never> =>
      end.life.call({ kind: "hop.refuse", detail: url }, () => {
        throw error;
      });
    return {
      peer: async (options) => {
        const asked = attempt(() => question(HANDSHAKE, NOTHING));
        if ("error" in asked) return await refuse(asked.error);
        const plain = plainPeer(originAt(url), line.connection);
        if (line.proof.kind === "none") return await end.life.call({ kind: "hop.peer" }, () => plain);
        await new SimCall(this, asked.value, options).answer();
        const listener = this.listener(asked.value.to, url);
        if (listener) return shakeHands(asked.value, listener).answering;
        throw unavailable(asked.value, "nobody serves there");
      },
      call: (method, request, options) => {
        const asked = attempt(() => question(method, request));
        return "error" in asked ? refuse(asked.error) : new SimCall(this, asked.value, options).answer();
      },
      watch: (method, request) => {
        const asked = attempt(() => question(method, request));
        if (!("error" in asked)) return openStream(this, asked.value);
        return watchOf({ take: () => refuse(asked.error), close: () => undefined });
      },
    };
  }
}

/** The address in the URL of a simulated host; a name resolves to none. */
function addressesIn(url: string): string[] {
  const [, v6, other = ""] = /^tcp:\/\/(?:\[([^\]]+)\]|([^:/]+)):/.exec(url) ?? [];
  const host = v6 ?? other;
  return parseIp(host) ? [canonicalIp(host)] : [];
}

const NOTHING: Readonly<SentQuestion["request"]> = { bytes: new Uint8Array(), metadata: {} };

function attempt<T>(run: () => T): { readonly value: T } | { readonly error: NetloomError } {
  try {
    return { value: run() };
  } catch (error) {
    if (error instanceof NetloomError) return { error };
    throw error;
  }
}

/** The path of a socket is local to its host. */
function addressOf(host: string, url: string): string {
  return url.startsWith("unix:") ? `${host} ${url}` : url;
}
