/** The open namespaces of one request. */
import { KernelError, type Netns } from "../../kernel/kernel.ts";
import type { NetlinkSocket } from "../netlink/netlink-socket.ts";
import type { NetnsTable } from "./netns-table.ts";
import { type NetnsInode, type OpenNetns, runIn } from "./netns.ts";

/** An open namespace in one request. */
export class NetnsPlace {
  /** The first name that the request uses for it. */
  readonly netns: Netns;
  readonly #open: OpenNetns;

  constructor(netns: Netns, open: OpenNetns) {
    this.netns = netns;
    this.#open = open;
  }

  get identity(): NetnsInode {
    return this.#open.identity;
  }

  get fd(): number {
    return this.#open.fd;
  }

  get socket(): NetlinkSocket {
    return this.#open.socket;
  }

  /** Unique until the next boot, unlike the identity. */
  get cookie(): string {
    return this.#open.cookie;
  }

  /** Runs a synchronous function inside the namespace. */
  run<T>(action: () => T): T {
    return runIn(this.fd, action);
  }

  close(): void {
    this.#open.close();
  }
}

/** Opens each namespace of a request once, under all of its names. */
export class Places {
  readonly #table: NetnsTable;
  readonly #host: OpenNetns;
  readonly #onFirstUse: (place: NetnsPlace) => void;
  readonly #byName = new Map<Netns, NetnsPlace>();
  readonly #byIdentity = new Map<NetnsInode, NetnsPlace>();

  /** `onFirstUse` is called once for each place, as soon as it is open. */
  constructor(table: NetnsTable, host: OpenNetns, onFirstUse: (place: NetnsPlace) => void) {
    this.#table = table;
    this.#host = host;
    this.#onFirstUse = onFirstUse;
  }

  /** NOT_FOUND if the namespace does not exist. */
  of(netns: Netns): NetnsPlace {
    const known = this.#byName.get(netns);
    if (known) return known;
    const opened = netns === "host" ? this.#host.again() : this.#table.open(netns);
    const same = this.#byIdentity.get(opened.identity);
    if (same) opened.close();
    const place = same ?? new NetnsPlace(netns, opened);
    this.#byName.set(netns, place);
    this.#byIdentity.set(place.identity, place);
    if (!same) this.#onFirstUse(place);
    return place;
  }

  /** Like `of`; `undefined` if the namespace does not exist. */
  find(netns: Netns): NetnsPlace | undefined {
    try {
      return this.of(netns);
    } catch (error) {
      if (error instanceof KernelError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
  }

  identities(): NetnsInode[] {
    return [...this.#byIdentity.keys()];
  }

  all(): NetnsPlace[] {
    return [...this.#byIdentity.values()];
  }

  close(): void {
    for (const place of this.#byIdentity.values()) place.close();
    this.#byName.clear();
    this.#byIdentity.clear();
  }
}
