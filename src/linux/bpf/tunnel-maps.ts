/**
 * The tunnels of a host in the maps of the data path: outgoing frames of a device (`tunnels`), and the destination of
 * arriving packets (`arrivals4`, `arrivals6`). `arrivals` is written before `tunnels`, and deleted after it.
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

/** Descriptors of the maps. */
export interface TunnelMapFds {
  readonly tunnels: number;
  readonly arrivals: Readonly<Record<4 | 6, number>>;
  readonly devices: number;
  readonly slow: number;
}

/** The number of entries for shared devices, indexed by the low byte of the port. */
const DEVICES = 256;

type Key = Pick<TunnelEntry, "local" | "remote" | "vni" | "port">;

export class TunnelMaps {
  readonly #fds: TunnelMapFds;
  readonly #value = Buffer.alloc(TUNNEL_BYTES);
  readonly #arrival = Buffer.alloc(ARRIVAL_BYTES);
  /** The other hosts that this process knows of. Read from the map once. */
  #remotes: Set<string> | undefined;

  constructor(fds: TunnelMapFds) {
    this.#fds = fds;
  }

  /** If true, all tunnel packets go through the kernel's own stack. */
  set isSlow(isSlow: boolean) {
    updateElement(this.#fds.slow, keyOf(0), keyOf(isSlow ? 1 : 0), BPF_ANY);
  }

  /** Sets the index of the shared device of all tunnels on this UDP port. A removed device gets no packets. */
  share(port: number, ifindex: number): void {
    updateElement(this.#fds.devices, keyOf(port % DEVICES), keyOf(ifindex), BPF_ANY);
  }

  /** The tunnel of a device. `undefined` if it has none, or if another device receives its packets. */
  get(ifindex: number): TunnelEntry | undefined {
    const entry = this.#template(ifindex);
    const arrival = entry && this.arrival(entry);
    if (!entry || arrival?.ifindex !== ifindex) return undefined;
    const { ifindex: _, ...taken } = arrival;
    return { ...entry, ...taken };
  }

  /** The outgoing half of a tunnel. */
  #template(ifindex: number): TunnelEntry | undefined {
    const isThere = lookupElement(this.#fds.tunnels, keyOf(ifindex), this.#value);
    return isThere ? decodeTunnel(this.#value) : undefined;
  }

  /** The destination of packets from this other end. */
  arrival(from: Key): ArrivalEntry | undefined {
    const { family, key } = arrivalKeyOf(from);
    return lookupElement(this.#fds.arrivals[family], key, this.#arrival)
      ? decodeArrival(this.#arrival)
      : undefined;
  }

  /** Sets or replaces the tunnel of a device. Changes nothing if a map is full. */
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

  /** Removes the tunnel of a device, if there is one. */
  remove(ifindex: number): void {
    const entry = this.#template(ifindex);
    if (!entry) return;
    deleteElement(this.#fds.tunnels, keyOf(ifindex));
    this.#shut(ifindex, entry);
  }

  /** Call when no tunnel is left: forgets the other hosts. */
  forgetRemotes(): void {
    this.#remotes = undefined;
  }

  /** The other ends of all tunnels, and of some that have been closed. */
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
    // Another device may have taken it over.
    if (this.arrival(from)?.ifindex !== ifindex) return;
    const { family, key } = arrivalKeyOf(from);
    deleteElement(this.#fds.arrivals[family], key);
  }
}
