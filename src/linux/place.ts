/** The namespaces of one request, open for as long as it runs. */
import { KernelError, type Netns } from "../world/kernel.ts";
import { NetlinkSocket } from "./netlink-socket.ts";
import { type Identity, type NetnsTable, type OpenNetns, runIn } from "./netns.ts";

/** An open namespace, and a netlink socket in it once that is needed. */
export class Place {
  /** How the request names it, the first time. */
  readonly netns: Netns;
  readonly identity: Identity;
  readonly fd: number;
  readonly #open: OpenNetns;
  #socket: NetlinkSocket | undefined;

  constructor(netns: Netns, open: OpenNetns) {
    this.netns = netns;
    this.identity = open.identity;
    this.fd = open.fd;
    this.#open = open;
  }

  get socket(): NetlinkSocket {
    this.#socket ??= this.run(() => NetlinkSocket.open());
    return this.#socket;
  }

  /** Runs a synchronous function inside. */
  run<T>(action: () => T): T {
    return runIn(this.fd, action);
  }

  close(): void {
    this.#socket?.close();
    this.#open.close();
  }
}

/** Opens each namespace of a request once, whatever the names that it goes by. */
export class Places {
  readonly #table: NetnsTable;
  readonly #hostPath: string;
  readonly #onFirstUse: (place: Place) => void;
  readonly #byName = new Map<Netns, Place>();
  readonly #byIdentity = new Map<Identity, Place>();

  /** `onFirstUse` is called for each place once, as soon as it is open. */
  constructor(table: NetnsTable, hostPath: string, onFirstUse: (place: Place) => void) {
    this.#table = table;
    this.#hostPath = hostPath;
    this.#onFirstUse = onFirstUse;
  }

  /** NOT_FOUND if there is no such namespace (any more). */
  of(netns: Netns): Place {
    const known = this.#byName.get(netns);
    if (known) return known;
    const opened = this.#table.open(netns, this.#hostPath);
    const same = this.#byIdentity.get(opened.identity);
    if (same) opened.close();
    const place = same ?? new Place(netns, opened);
    this.#byName.set(netns, place);
    this.#byIdentity.set(place.identity, place);
    if (!same) this.#onFirstUse(place);
    return place;
  }

  /** Like `of`; `undefined` if there is no such namespace. */
  find(netns: Netns): Place | undefined {
    try {
      return this.of(netns);
    } catch (error) {
      if (error instanceof KernelError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
  }

  identities(): Identity[] {
    return [...this.#byIdentity.keys()];
  }

  close(): void {
    for (const place of this.#byIdentity.values()) place.close();
    this.#byName.clear();
    this.#byIdentity.clear();
  }
}
