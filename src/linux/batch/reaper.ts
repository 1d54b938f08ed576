/**
 * Deletes devices in the background. The kernel takes 20 ms or more to free a device, in the calling thread, but deleting a
 * whole link group takes hardly longer than one device. So a removed device is moved into the doomed group, which is cheap.
 * After a short while one message deletes the whole group, in a thread of libuv's pool.
 */
import { isInfoKind } from "../../kernel/objects.ts";
import type { NetnsInode } from "../namespaces/netns.ts";
import type { NetlinkSocket } from "../netlink/netlink-socket.ts";
import { decodeLink } from "../netlink/link-decode.ts";
import { deleteLink, deleteLinkGroup, dumpLinks } from "../netlink/link.ts";
import { errnoName, syscallError } from "../libc/syscall.ts";

/** A burst of removals is answered before the first deletion takes the kernel's lock (RTNL). */
const GATHER_MS = 10;
/** The most threads of the pool in use. */
const PARALLEL = 32;

/** Devices of one doomed group in one namespace. */
export interface Doomed {
  readonly netns: NetnsInode;
  readonly group: number;
  /** Every namespace in which the deletion frees a name or a VNI, including `netns`. */
  readonly touches: readonly NetnsInode[];
  /** Runs when the devices are gone. */
  readonly afterwards?: () => void;
}

interface Round {
  readonly group: number;
  readonly socket: NetlinkSocket;
  readonly touches: Set<NetnsInode>;
  readonly afterwards: (() => void)[];
  readonly done: Promise<void>;
  readonly finish: () => void;
}

export class Reaper {
  /** Rounds that have not begun yet, by namespace and group. */
  readonly #waiting = new Map<string, Round>();
  readonly #running = new Set<Round>();
  /** Requests that remove addresses and routes of doomed devices, by namespace. */
  readonly #withdrawals = new Map<NetnsInode, (() => Uint8Array)[]>();
  #timer: NodeJS.Timeout | undefined;
  #failure: unknown;

  /** Adds devices, which must be in the group already. Calls `openSocket` if a socket in the namespace is needed. */
  add(doomed: Doomed, openSocket: () => NetlinkSocket): void {
    const key = `${doomed.netns} ${doomed.group}`;
    let round = this.#waiting.get(key);
    if (!round) {
      const { promise, resolve } = Promise.withResolvers<void>();
      round = {
        group: doomed.group,
        socket: openSocket(),
        touches: new Set(),
        afterwards: [],
        done: promise,
        finish: resolve,
      };
      this.#waiting.set(key, round);
    }
    for (const identity of doomed.touches) round.touches.add(identity);
    if (doomed.afterwards) round.afterwards.push(doomed.afterwards);
    this.#timer ??= setTimeout(() => this.#begin(), GATHER_MS);
  }

  /** Records a request that removes an address or route of a doomed device earlier than the deletion would. */
  withdrawLater(identity: NetnsInode, request: () => Uint8Array): void {
    const requests = this.#withdrawals.get(identity);
    if (requests) requests.push(request);
    else this.#withdrawals.set(identity, [request]);
  }

  /** Returns the recorded requests of the namespace, to be sent now, and forgets them. */
  withdraw(identity: NetnsInode): readonly Uint8Array[] {
    const requests = this.#withdrawals.get(identity) ?? [];
    this.#withdrawals.delete(identity);
    return requests.map((request) => request());
  }

  /** Waits for all deletions that free something in these namespaces. False if there were none. */
  async waitFor(identities: readonly NetnsInode[]): Promise<boolean> {
    let wasPending = false;
    for (;;) {
      const pending = [...this.#rounds()].filter((round) => identities.some((id) => round.touches.has(id)));
      if (pending.length === 0) return wasPending;
      wasPending = true;
      this.#begin();
      await Promise.all(pending.map((round) => round.done));
    }
  }

  /** Waits for all deletions. Rejects if a deletion has failed since the last call. */
  async settle(): Promise<void> {
    for (;;) {
      const pending = [...this.#rounds()];
      if (pending.length === 0) break;
      this.#begin();
      await Promise.all(pending.map((round) => round.done));
    }
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
  }

  *#rounds(): Generator<Round> {
    yield* this.#waiting.values();
    yield* this.#running;
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [key, round] of this.#waiting) {
      if (this.#running.size >= PARALLEL) return;
      this.#waiting.delete(key);
      this.#running.add(round);
      void this.#run(round);
    }
  }

  async #run(round: Round): Promise<void> {
    try {
      await deleteGroup(round.socket, round.group);
      for (const action of round.afterwards) action();
    } catch (error) {
      this.#failure ??= error;
    } finally {
      round.socket.close();
      this.#running.delete(round);
      const pending = [...this.#rounds()];
      for (const identity of round.touches)
        if (!pending.some(({ touches }) => touches.has(identity))) this.#withdrawals.delete(identity);
      round.finish();
      this.#begin();
    }
  }
}

async function deleteGroup(socket: NetlinkSocket, group: number): Promise<void> {
  const ack = await socket.changeSlowly(deleteLinkGroup(group));
  if (ack.errno === 0 || errnoName(ack.errno) === "ENODEV") return;
  // The kernel refuses the whole group if one of its devices cannot be deleted, such as one that a workload has put there.
  const links = socket.dump(dumpLinks(), (message) => decodeLink(message));
  for (const link of links.filter((link) => link.group === group)) {
    const own = await socket.changeSlowly(deleteLink(link.index));
    const errno = errnoName(own.errno);
    if (own.errno !== 0 && errno !== "ENODEV" && isInfoKind(link.kind))
      throw syscallError(`delete device ${link.name}`, errno);
  }
}

/** The IFLA_GROUP of devices under deletion. */
export function doomedGroup(group: number): number {
  return group + 1;
}
