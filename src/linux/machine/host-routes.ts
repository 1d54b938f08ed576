/**
 * Detects changes of routes or rules in one namespace, at a cost that does not grow with their number: after the first
 * notification the socket leaves the groups, so that the kernel sends no more, and joins them again a moment later. The
 * single call that follows covers all changes in between.
 */
import { close, receive, setSocketOption, SO_RCVBUF, SOL_SOCKET } from "../libc/syscall.ts";
import * as k from "../netlink/constants.ts";
import { join, openBound } from "../netlink/groups.ts";
import { ROUTE_GROUPS } from "./notifications.ts";

/** The time for which the socket is silent after a change. */
const PAUSE_MS = 100;

const buffer = new Uint8Array(4096);

export class HostRoutes {
  readonly fd: number;
  readonly #onChange: () => void;
  #isOn = false;
  #pause: NodeJS.Timeout | undefined;

  /** Opens the socket in the current namespace. It gets no notifications before `listen`. */
  constructor(onChange: () => void) {
    this.fd = openBound();
    this.#onChange = onChange;
    // One notification is enough: until it is read no other needs room, and losing more is not an error.
    setSocketOption(this.fd, SOL_SOCKET, SO_RCVBUF, 1);
    setSocketOption(this.fd, k.SOL_NETLINK, k.NETLINK_NO_ENOBUFS, 1);
  }

  listen(isOn: boolean): void {
    if (isOn === this.#isOn) return;
    this.#isOn = isOn;
    this.#endPause();
    join(this.fd, ROUTE_GROUPS, isOn);
    // No more notifications arrive now, and old ones would fill the small buffer next time.
    if (!isOn) this.#empty();
  }

  /** Call when the socket is readable. */
  hear(): void {
    if (!this.#isOn || this.#pause) return;
    if (!this.#empty()) return;
    join(this.fd, ROUTE_GROUPS, false);
    // Notifications from before it left the groups.
    this.#empty();
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      // Join before the call, so that no change is missed.
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

  /** Discards all queued notifications. True if there were any. */
  #empty(): boolean {
    let isAny = false;
    while (receive(this.fd, buffer)) isAny = true;
    return isAny;
  }
}
