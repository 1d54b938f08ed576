/**
 * Hears that routes or rules of one namespace have changed, at a cost that does not grow with their number: after the first word
 * of it the socket leaves the groups, so that the kernel tells it nothing more, and joins them again a moment later. What
 * happened meanwhile is covered by the one call that follows.
 */
import { close, receive, setSocketOption, SO_RCVBUF, SOL_SOCKET } from "../libc/syscall.ts";
import * as k from "../netlink/constants.ts";
import { join, openBound } from "../netlink/groups.ts";
import { ROUTE_GROUPS } from "./notifications.ts";

/** For so long nothing is heard after something has changed. */
const PAUSE_MS = 100;

const buffer = new Uint8Array(4096);

export class HostRoutes {
  readonly fd: number;
  readonly #onChange: () => void;
  #isOn = false;
  #pause: NodeJS.Timeout | undefined;

  /** Opens the socket in the current namespace; it hears nothing before `listen`. */
  constructor(onChange: () => void) {
    this.fd = openBound();
    this.#onChange = onChange;
    // One word is enough: until it is read no other needs room, nor does anybody have to know that there were more.
    setSocketOption(this.fd, SOL_SOCKET, SO_RCVBUF, 1);
    setSocketOption(this.fd, k.SOL_NETLINK, k.NETLINK_NO_ENOBUFS, 1);
  }

  listen(isOn: boolean): void {
    if (isOn === this.#isOn) return;
    this.#isOn = isOn;
    this.#endPause();
    join(this.fd, ROUTE_GROUPS, isOn);
    // Nothing more comes now, and what is left would take the room of the first word next time.
    if (!isOn) this.#empty();
  }

  /** To be called when there is something to read. */
  hear(): void {
    if (!this.#isOn || this.#pause) return;
    if (!this.#empty()) return;
    join(this.fd, ROUTE_GROUPS, false);
    // What came before it had left.
    this.#empty();
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      // First heard again, then told: nothing falls between.
      join(this.fd, ROUTE_GROUPS, true);
      this.#onChange();
    }, PAUSE_MS).unref();
  }

  close(): void {
    this.#isOn = false;
    this.#endPause();
    close(this.fd);
  }

  #endPause(): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
  }

  /** Reads until there is no more, and looks at nothing of it. Was there anything? */
  #empty(): boolean {
    let isAny = false;
    while (receive(this.fd, buffer)) isAny = true;
    return isAny;
  }
}
