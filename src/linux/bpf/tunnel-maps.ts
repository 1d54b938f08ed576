/**
 * The tunnels of a host in the maps of the data path: what leaves a device (`tunnels`), and where what arrives goes (`arrivals4`,
 * `arrivals6`). What arrives is let in before anything goes out, and shut out last.
 */
import { deleteElement, forEachElement, lookupElement, updateElement, BPF_ANY } from "./bpf.ts";
import {
  ARRIVAL_BYTES,
  type ArrivalEntry,
  arrivalKeyOf,
  decodeArrival,
  decodeTunnel,
  encodeArrival,
  encodeTunnel,
  TUNNEL_BYTES,
  type TunnelEntry,
} from "./tunnel-entry.ts";
import { KEY_BYTES, keyOf } from "./wire-map.ts";

/** Descriptors. */
export interface TunnelMapFds {
  readonly tunnels: number;
  readonly arrivals: Readonly<Record<4 | 6, number>>;
  readonly devices: number;
  readonly slow: number;
}

/** So many ports may have a shared device, by their low byte. */
const DEVICES = 256;

type Key = Pick<TunnelEntry, "local" | "remote" | "vni" | "port">;

export class TunnelMaps {
  readonly #fds: TunnelMapFds;
  readonly #value = Buffer.alloc(TUNNEL_BYTES);
  readonly #arrival = Buffer.alloc(ARRIVAL_BYTES);
  /** The other hosts, as far as this process has heard of them; read from the map once. */
  #remotes: Set<string> | undefined;

  constructor(fds: TunnelMapFds) {
    this.#fds = fds;
  }

  /** Whether all packets of tunnels pass by the kernel's own stack. */
  set isSlow(isSlow: boolean) {
    updateElement(this.#fds.slow, keyOf(0), keyOf(isSlow ? 1 : 0), BPF_ANY);
  }

  /** The device that all tunnels on this UDP port share, by its index; one that is gone leads nowhere. */
  share(port: number, ifindex: number): void {
    updateElement(this.#fds.devices, keyOf(port % DEVICES), keyOf(ifindex), BPF_ANY);
  }

  /** The tunnel of a device, `undefined` if it has none, or what arrives is another's. */
  get(ifindex: number): TunnelEntry | undefined {
    const entry = this.#template(ifindex);
    const arrival = entry && this.arrival(entry);
    if (!entry || arrival?.ifindex !== ifindex) return undefined;
    const { ifindex: _, ...taken } = arrival;
    return { ...entry, ...taken };
  }

  /** As far as what leaves is concerned. */
  #template(ifindex: number): TunnelEntry | undefined {
    const isThere = lookupElement(this.#fds.tunnels, keyOf(ifindex), this.#value);
    return isThere ? decodeTunnel(this.#value) : undefined;
  }

  /** Where what comes from there goes. */
  arrival(from: Key): ArrivalEntry | undefined {
    const { family, key } = arrivalKeyOf(from);
    return lookupElement(this.#fds.arrivals[family], key, this.#arrival)
      ? decodeArrival(this.#arrival)
      : undefined;
  }

  /** In the place of the one that the device had. Where there is no room nothing is changed. */
  put(ifindex: number, entry: TunnelEntry): void {
    const before = this.#template(ifindex);
    this.#remotes?.add(entry.remote);
    const { family, key } = arrivalKeyOf(entry);
    const held = this.arrival(entry);
    const arrival = encodeArrival({ ifindex, ...(entry.isAlone && { isAlone: true }) });
    const arrivals = this.#fds.arrivals[family];
    updateElement(arrivals, key, arrival, BPF_ANY);
    try {
      updateElement(this.#fds.tunnels, keyOf(ifindex), encodeTunnel(entry), BPF_ANY);
    } catch (error) {
      if (held) updateElement(arrivals, key, encodeArrival(held), BPF_ANY);
      else deleteElement(arrivals, key);
      throw error;
    }
    if (before && !arrivalKeyOf(before).key.equals(key)) this.#shut(ifindex, before);
  }

  /** What is not there is fine. */
  remove(ifindex: number): void {
    const entry = this.#template(ifindex);
    if (!entry) return;
    deleteElement(this.#fds.tunnels, keyOf(ifindex));
    this.#shut(ifindex, entry);
  }

  /** No tunnel is left: they lead nowhere any more. */
  forgetRemotes(): void {
    this.#remotes = undefined;
  }

  /** Where tunnels lead, and some that have led there. */
  remotes(): ReadonlySet<string> {
    if (this.#remotes) return this.#remotes;
    const remotes = new Set<string>();
    this.#each((value) => remotes.add(decodeTunnel(value).remote));
    this.#remotes = remotes;
    return remotes;
  }

  get isEmpty(): boolean {
    let isEmpty = true;
    this.#each(() => (isEmpty = false));
    return isEmpty;
  }

  #each(visit: (value: Buffer) => void): void {
    const sizes = { keyBytes: KEY_BYTES, valueBytes: TUNNEL_BYTES };
    forEachElement(this.#fds.tunnels, sizes, (_key, value) => visit(value));
  }

  #shut(ifindex: number, from: Key): void {
    // It may be another device's by now.
    if (this.arrival(from)?.ifindex !== ifindex) return;
    const { family, key } = arrivalKeyOf(from);
    deleteElement(this.#fds.arrivals[family], key);
  }
}
