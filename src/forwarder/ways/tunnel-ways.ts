/**
 * The ways of this host's tunnels to other hosts: the present width of each, the wires that use it, and the wires that would do
 * better with another width.
 */
import type { Side } from "../../mechanisms/side.ts";
import type { Kernel, ReachableWay, WayQuery } from "../../kernel/kernel.ts";

/** The two ends of a tunnel, as its near host has them. */
export interface WayPair {
  /** An address of this host. */
  readonly from: string;
  readonly to: string;
  readonly udpPort: number | undefined;
}

/** A wire's tunnel as the two hosts agreed on it. Bytes are of the packets between the hosts. */
export interface WayUse {
  readonly pair: WayPair;
  /** The width that this host would have allowed then; `undefined` if it did not know the way. */
  readonly ownBytes: number | undefined;
  /** The width that both hosts agreed on. */
  readonly usedBytes: number;
}

/** A way as last seen. */
interface KnownWay {
  /** The last way that existed; absent if there never was one. */
  readonly way?: ReachableWay;
  /** The kernel's errno while there is no way. */
  readonly unreachable?: string;
}

/** The way of a tunnel, described for people. */
export interface ToldWay {
  readonly to: string;
  /** 0 if unknown. */
  readonly widthBytes: number;
  /** The reason for the width, or for having no way: `by the route via 10.0.0.254 dev eth0`. */
  readonly words: string;
}

export interface TunnelWaysOptions {
  readonly kernel: Pick<Kernel, "ways">;
  /** The operator's limit for packets between the hosts (`--underlay-mtu`). Default: none. */
  readonly mostBytes?: number | undefined;
  /** Called with the connections, and no others, whose tunnels would now be agreed on with another width. */
  readonly onMisfit?: (connectionIds: readonly string[]) => void;
}

/** One side of a connection: a forwarder's connection has at most one tunnel to each side. */
export interface WayHolder {
  readonly connectionId: string;
  readonly towards: Side;
}

/**
 * Guarantees
 * - A width is that of the way now, and at most the operator's limit. While there is no way, it is the last one known, so that an
 *   outage changes no wire.
 * - A look asks the kernel once for each pair of addresses, however many wires use it, all in one batch.
 * - A use misfits if its way is narrower than the agreed width, or wider and this host was the limit. `onMisfit` reports it when
 *   it is agreed on, and at every look until it is agreed on again.
 */
export class TunnelWays {
  readonly #options: TunnelWaysOptions;
  readonly #seen = new Map<string, KnownWay>();
  readonly #uses = new Map<string, WayUse & WayHolder>();

  constructor(options: TunnelWaysOptions) {
    this.#options = options;
  }

  /** The operator's limit. */
  get mostBytes(): number | undefined {
    return this.#options.mostBytes;
  }

  /** Asks the kernel. `undefined` if there is no way, never was one, and the operator sets no limit. */
  async widthOf(pair: WayPair): Promise<number | undefined> {
    await this.#ask([pair]);
    return this.#widthOf(pair);
  }

  /** Replaces what `holder` used before. */
  use(holder: WayHolder, use: WayUse): void {
    this.#uses.set(holderKey(holder), { ...holder, ...use });
    // The way may have changed, and been looked at, while the two hosts agreed.
    if (!this.#fits(use)) this.#tellMisfits();
  }

  drop(holder: WayHolder): void {
    this.#uses.delete(holderKey(holder));
  }

  /** The way that `holder` uses, as last seen; `undefined` if it uses none. */
  told(holder: WayHolder): ToldWay | undefined {
    const pair = this.#uses.get(holderKey(holder))?.pair;
    if (!pair) return undefined;
    const { way, unreachable } = this.#seen.get(keyOf(pair)) ?? {};
    const { mostBytes = Infinity } = this.#options;
    const words = [
      ...(way ? [mostBytes < way.mtuBytes ? "by --underlay-mtu" : boundWords(way)] : []),
      ...(unreachable === undefined ? [] : [`there is no way now: ${unreachable}`]),
    ];
    return { to: pair.to, widthBytes: this.#widthOf(pair) ?? 0, words: words.join("; ") };
  }

  /** Looks at all ways in use and reports misfits. */
  async look(): Promise<void> {
    const pairs = new Map([...this.#uses.values()].map(({ pair }) => [keyOf(pair), pair]));
    for (const key of this.#seen.keys()) if (!pairs.has(key)) this.#seen.delete(key);
    if (pairs.size === 0) return;
    await this.#ask([...pairs.values()]);
    this.#tellMisfits();
  }

  #tellMisfits(): void {
    const misfits = [...this.#uses.values()].filter((use) => !this.#fits(use));
    if (misfits.length > 0) this.#options.onMisfit?.([...new Set(misfits.map((use) => use.connectionId))]);
  }

  #fits({ pair, ownBytes, usedBytes }: WayUse): boolean {
    // A look forgot the way before it was used: its width is unknown now.
    if (!this.#seen.has(keyOf(pair))) return false;
    const nowBytes = this.#widthOf(pair);
    if (nowBytes === undefined) return true;
    if (nowBytes < usedBytes) return false;
    const isBoundHere = ownBytes === undefined || ownBytes <= usedBytes;
    return !isBoundHere || nowBytes === usedBytes;
  }

  async #ask(pairs: readonly WayPair[]): Promise<void> {
    const ways = await this.#options.kernel.ways(pairs.map(queryOf));
    for (const [i, pair] of pairs.entries()) {
      const way = ways[i];
      const key = keyOf(pair);
      const before = this.#seen.get(key)?.way;
      if (way && "hops" in way) this.#seen.set(key, { way });
      else
        this.#seen.set(key, {
          ...(before && { way: before }),
          unreachable: way?.unreachable ?? "ENETUNREACH",
        });
    }
  }

  #widthOf(pair: WayPair): number | undefined {
    const { mostBytes } = this.#options;
    const width = this.#seen.get(keyOf(pair))?.way?.mtuBytes;
    if (width === undefined || mostBytes === undefined) return width ?? mostBytes;
    return Math.min(width, mostBytes);
  }
}

function queryOf({ from, to, udpPort }: WayPair): WayQuery {
  return { netns: "host", from, to, ...(udpPort !== undefined && { udpPort }) };
}

function holderKey({ connectionId, towards }: WayHolder): string {
  return `${towards} ${connectionId}`;
}

function keyOf({ from, to, udpPort }: WayPair): string {
  return `${from} ${to} ${udpPort ?? ""}`;
}

/** Describes the hop that limits a way. */
function boundWords({ mtuBytes, hops }: ReachableWay): string {
  const hop = hops.find((each) => each.mtuBytes === mtuBytes);
  if (!hop) return "";
  const { link, via, boundBy } = hop;
  const where = `${via === undefined ? "" : `via ${via} `}dev ${link}`;
  return `by the ${boundBy === "route" ? `route ${where}` : `device ${link}`}${hops.length > 1 ? `, one of ${hops.length} next hops` : ""}`;
}
