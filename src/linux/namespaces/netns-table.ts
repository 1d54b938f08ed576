/** Finds namespaces by name: a path, an identity, `host`. */
import { readdirSync } from "node:fs";
import { KernelError, type Netns } from "../../kernel/kernel.ts";
import { type NetnsInode, identityAt, notFound, openPath, type OpenNetns } from "./netns.ts";

/** All paths that may lead to a namespace. The path where it was last found comes first, because it rarely changes. */
function* pathsOf(known: FoundNetns | undefined): Generator<string> {
  if (known) yield known.path;
  for (const name of list("/run/netns")) yield `/run/netns/${name}`;
  for (const name of list("/proc")) if (/^\d+$/.test(name)) yield `/proc/${name}/ns/net`;
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

export interface FoundNetns {
  readonly path: string;
  readonly cookie: string;
}

/** The last known path of each identity. While idle it holds paths, no descriptors. */
export class NetnsTable {
  readonly #found = new Map<NetnsInode, FoundNetns>();
  /** Namespaces that running requests have open. */
  readonly #inUse = new Map<NetnsInode, OpenNetns>();

  /**
   * Opens the namespace that `netns` names now. Concurrent users of a namespace share one open object. `host` is the
   * namespace of the process. NOT_FOUND with the reason.
   */
  open(netns: Netns): OpenNetns {
    const inUse = this.#findInUse(netns);
    if (inUse) return inUse.again();
    const opened = this.#open(netns);
    const same = this.#inUse.get(opened.identity);
    if (same) {
      opened.close();
      return same.again();
    }
    this.#inUse.set(opened.identity, opened);
    opened.onEnd(() => this.#inUse.delete(opened.identity));
    return opened;
  }

  /** An already open namespace, identified by a stat of its path. */
  #findInUse(netns: Netns): OpenNetns | undefined {
    if (this.#inUse.size === 0 || !netns.startsWith("file:///")) return undefined;
    const identity = identityAt(netns.slice("file://".length));
    return identity && this.#inUse.get(identity);
  }

  #open(netns: Netns): OpenNetns {
    if (netns === "host") return openPath("/proc/self/ns/net", "host");
    if (netns.startsWith("file:///")) return openPath(netns.slice("file://".length), netns);
    if (/^inode:\/\/\d+\/\d+$/.test(netns)) return this.#openIdentity(netns as NetnsInode);
    throw new KernelError(
      "INVALID_ARGUMENT",
      `open network namespace ${netns}: neither host nor file:///path nor inode://device/inode`,
    );
  }

  /** Records the path of a namespace, and replaces an earlier namespace with the same inode. */
  remember(identity: NetnsInode, found: FoundNetns): void {
    this.#found.set(identity, found);
  }

  /** All recorded namespaces. */
  known(): NetnsInode[] {
    return [...this.#found.keys()];
  }

  /** Forgets a removed namespace, but not a later one with the same inode. */
  forget(identity: NetnsInode, cookie: string): void {
    if (this.#found.get(identity)?.cookie === cookie) this.#found.delete(identity);
  }

  #openIdentity(identity: NetnsInode): OpenNetns {
    const known = this.#found.get(identity);
    for (const path of pathsOf(known)) {
      if (identityAt(path) !== identity) continue;
      const opened = this.#openIfSame(path, identity, known);
      if (opened) return opened;
    }
    throw notFound(identity, this.#whyGone(identity, known));
  }

  /** `undefined` if the path now leads elsewhere, or to a later namespace with the same inode. */
  #openIfSame(path: string, identity: NetnsInode, known: FoundNetns | undefined): OpenNetns | undefined {
    let opened: OpenNetns;
    try {
      opened = openPath(path, identity);
    } catch (error) {
      if (error instanceof KernelError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
    try {
      if (opened.identity === identity) {
        const { cookie } = opened;
        if (!known || known.cookie === cookie) {
          this.remember(identity, { path, cookie });
          return opened;
        }
      }
    } catch (error) {
      opened.close();
      throw error;
    }
    opened.close();
    return undefined;
  }

  #whyGone(identity: NetnsInode, known: FoundNetns | undefined): string {
    if (!known) return "found neither below /run/netns nor in any process";
    const now = identityAt(known.path);
    const isProcess = known.path.startsWith("/proc/");
    if (now === undefined)
      return `it was found at ${known.path}, which is gone: ${isProcess ? "the process ended" : "it was removed"}`;
    const why = isProcess ? "the process ended and its number was reused" : "it was removed and made anew";
    const where = now === identity ? "a later namespace with the same inode" : "another namespace";
    return `it was found at ${known.path}, which now leads to ${where}: ${why}`;
  }
}
