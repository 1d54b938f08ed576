/**
 * The network between simulated hosts. A message is bytes; it takes its time, and may be lost, come twice or come late,
 * as the fault plan says. A call is two messages, so its answer can be lost after the work was done. A stream is like a
 * TCP connection: in order and without a gap, or broken.
 */
import type { Path, Ways } from "./network-end.ts";
import { NetloomError } from "../errors/errors.ts";
import { canonicalIp, parseIp } from "../net/ip.ts";
import type { Handler, Hop, Hops } from "../world/hops.ts";
import type { FaultPlan } from "./faults.ts";
import { SimCall } from "./network-call.ts";
import { copyMessage, type Listener, type NetworkEnd, type Question } from "./network-end.ts";
import { openStream } from "./network-stream.ts";
import { between, SimRandom } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

export class SimNetwork implements Ways {
  readonly #scheduler: Scheduler;
  readonly #faults: FaultPlan;
  readonly #random: SimRandom;
  readonly #listeners = new Map<string, Listener>();
  /** The host that served an address last: where its messages go, also while nobody is there. */
  readonly #homes = new Map<string, string>();
  readonly #sent = new Map<string, number>();
  #connections = 0;

  constructor(scheduler: Scheduler, faults: FaultPlan) {
    this.#scheduler = scheduler;
    this.#faults = faults;
    this.#random = new SimRandom(scheduler.seed, "network");
  }

  /** The network as one life of a host reaches it. A `unix:` address is one of the host. */
  hops(end: NetworkEnd): Hops {
    return {
      dial: (url) => this.#dial(end, url),
      addressesOf: (url) => end.life.call({ kind: "hops.addresses", detail: url }, () => addressesIn(url)),
      // No simulated socket is named by an inode.
      hold: () => () => undefined,
      serve: (url, handler) => {
        const event = { kind: "hops.serve", detail: url };
        const address = addressOf(end.life.host, url);
        if (!this.#listeners.has(address)) {
          const stop = this.#serve(end, url, handler);
          return end.life.call(event, () => stop);
        }
        return end.life.call(event, () => {
          throw new NetloomError("ALREADY_EXISTS", `serve ${url}: somebody serves there`);
        });
      },
    };
  }

  /** Who serves there now. */
  listener(host: string, url: string): Listener | undefined {
    return this.#listeners.get(addressOf(host, url));
  }

  /**
   * Sends one message, whose sender may die meanwhile. `deliver` runs when it arrives, at most twice, and returns how
   * that ended; `onLost` runs instead when it does not.
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
   * Virtual time from now until a connection between the two notices that they are parted, for every such time to come:
   * up to a second after it began.
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

  #serve(end: NetworkEnd, url: string, handler: Handler): () => Promise<void> {
    const address = addressOf(end.life.host, url);
    const listener: Listener = { end, handler, scope: end.scope.child(`serve ${url}`) };
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

  #dial(end: NetworkEnd, url: string): Hop {
    end.life.check("hops.dial");
    const connection = `${end.life.host}/${end.life.number} ${this.#connections++}`;
    const question = (method: string, request: Question["request"]): Question => {
      const home = this.#homes.get(addressOf(end.life.host, url));
      const to = url.startsWith("unix:") ? end.life.host : (home ?? url);
      return { from: end, to, url, method, request: copyMessage(request), connection };
    };
    return {
      call: (method, request, options) => new SimCall(this, question(method, request), options).answer(),
      watch: (method, request) => openStream(this, question(method, request)),
    };
  }
}

/** A simulated host has its addresses in its URL; a name leads to none. */
function addressesIn(url: string): string[] {
  const [, v6, other = ""] = /^tcp:\/\/(?:\[([^\]]+)\]|([^:/]+)):/.exec(url) ?? [];
  const host = v6 ?? other;
  return parseIp(host) ? [canonicalIp(host)] : [];
}

/** A socket's path means something on its host only. */
function addressOf(host: string, url: string): string {
  return url.startsWith("unix:") ? `${host} ${url}` : url;
}
