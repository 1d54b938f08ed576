/**
 * Sockets by identity: `inode://device/inode` of the file that a socket is bound to, as upstream's programs name
 * theirs. A privileged finder locates the file; this module holds it open.
 */
import { NetloomError } from "../errors/errors.ts";
import { reason } from "../errors/reasons.ts";

export function isSocketIdentity(url: string): boolean {
  return /^inode:\/\/[0-9]{1,20}\/[0-9]{1,20}$/.test(url);
}

/** An open file that a socket is bound to. */
export interface SocketFile {
  /** Path under which this process reaches it. */
  readonly path: string;
  close(): void;
}

/** Finds the file in any namespace. NOT_FOUND if nobody listens there. */
export type OpenSocketFile = (identity: string) => Promise<SocketFile>;

/** A path under which this process reaches a socket, and the function that releases it. */
interface Held {
  readonly path: string;
  readonly release: () => void;
}

/** The sockets that this process holds. */
export class HeldSockets {
  readonly #open: OpenSocketFile;
  readonly #held = new Map<string, { readonly file: Promise<SocketFile>; users: number }>();

  constructor(open: OpenSocketFile) {
    this.#open = open;
  }

  /**
   * Finds the socket and holds its file. While it is held, no other socket gets its inode, and it stays reachable even
   * if the process or path through which it was found disappears. UNAVAILABLE if nobody listens on such a file.
   */
  async hold(url: string): Promise<Held> {
    const held = this.#held.get(url) ?? { file: this.#open(url), users: 0 };
    this.#held.set(url, held);
    held.users += 1;
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      held.users -= 1;
      if (held.users === 0 && this.#held.get(url) === held) this.#held.delete(url);
    };
    try {
      const file = await held.file;
      return {
        path: file.path,
        release: () => {
          release();
          if (held.users === 0) file.close();
        },
      };
    } catch (error) {
      release();
      throw error instanceof NetloomError && error.code === "NOT_FOUND" ? gone(url, error) : error;
    }
  }
}

function gone(url: string, cause: NetloomError): NetloomError {
  return new NetloomError("UNAVAILABLE", `call ${url}: ${cause.message}`, {
    cause,
    topic: "NL-701",
    reason: reason("PEER_UNREACHABLE", { url, why: cause.message }),
    hint: cause.hint,
  });
}
