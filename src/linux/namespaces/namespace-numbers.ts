/** The numbers (nsid) of used namespaces in the host's namespace, and the names of these namespaces in events. */
import { KernelError, type Netns } from "../../kernel/kernel.ts";
import { decodeNsid, dumpNsids, getNsid, newNsid } from "../netlink/nsid.ts";
import type { NetnsInode } from "./netns.ts";
import type { NetlinkSocket } from "../netlink/netlink-socket.ts";
import type { NetnsPlace } from "./place.ts";
import { syscallError } from "../libc/syscall.ts";

export interface Numbered {
  readonly identity: NetnsInode;
  readonly cookie: string;
  /** The name at first use. */
  readonly netns: Netns;
}

export class NamespaceNumbers {
  readonly #byNumber = new Map<number, Numbered>();
  readonly #byIdentity = new Map<NetnsInode, { cookie: string; nsid: number }>();

  has(identity: NetnsInode, cookie: string): boolean {
    return this.#byIdentity.get(identity)?.cookie === cookie;
  }

  get(nsid: number): Numbered | undefined {
    return this.#byNumber.get(nsid);
  }

  /** Assigns a number to the namespace, or reads the one that it has. `host` is a socket in the host's namespace. */
  add(place: NetnsPlace, cookie: string, host: NetlinkSocket): void {
    const nsid = numberOf(place, host);
    this.#byNumber.set(nsid, { identity: place.identity, cookie, netns: place.netns });
    this.#byIdentity.set(place.identity, { cookie, nsid });
  }

  remove(nsid: number): Numbered | undefined {
    const numbered = this.#byNumber.get(nsid);
    if (!numbered) return undefined;
    this.#byNumber.delete(nsid);
    if (this.#byIdentity.get(numbered.identity)?.nsid === nsid) this.#byIdentity.delete(numbered.identity);
    return numbered;
  }

  /** The numbers of namespaces that are gone, after notifications were lost. */
  stale(host: NetlinkSocket): number[] {
    const alive = new Set(host.dump(dumpNsids(), decodeNsid));
    return [...this.#byNumber.keys()].filter((nsid) => !alive.has(nsid));
  }
}

function numberOf({ fd, netns }: NetnsPlace, host: NetlinkSocket): number {
  try {
    return host.get(newNsid(fd), decodeNsid, ["EEXIST"]) ?? host.get(getNsid(fd), decodeNsid) ?? -1;
  } catch (error) {
    if (!(error instanceof KernelError) || error.errno === undefined) throw error;
    throw syscallError(`number network namespace ${netns}`, error.errno);
  }
}
