/**
 * Listens to the notifications of one kernel, in the host's namespace and in the numbered ones, and turns them into events.
 */
import {
  isServedBy,
  type KernelEvent,
  type Netns,
  type OwnerMark,
  purposeOf,
  type WatchPurpose,
} from "../../kernel/kernel.ts";
import { doomedGroup } from "../batch/reaper.ts";
import type { Reactor } from "../libc/reactor.ts";
import type { NamespaceNumbers } from "../namespaces/namespace-numbers.ts";
import { type NetnsInode, type OpenNetns, runIn } from "../namespaces/netns.ts";
import type { NetnsPlace } from "../namespaces/place.ts";
import { decodeAddress } from "../netlink/address.ts";
import * as k from "../netlink/constants.ts";
import type { NetlinkMessage } from "../netlink/message-reader.ts";
import { decodeNsid } from "../netlink/nsid.ts";
import { HostRoutes } from "./host-routes.ts";
import { LinkEvents, type Nsid } from "./link-events.ts";
import { lossOf } from "./loss-events.ts";
import { type Notification, Notifications } from "./notifications.ts";

export interface EarOptions {
  readonly host: OpenNetns;
  readonly mark: OwnerMark;
  readonly numbers: NamespaceNumbers;
  readonly reactor: Reactor;
  readonly post: (event: KernelEvent) => void;
  /** The namespace with this number is gone. */
  readonly onEnd: (nsid: number) => void;
  /** Routes of the host have changed. */
  readonly onRoutes: () => void;
  /** Notifications were lost, maybe of removed namespaces. */
  readonly onLoss: () => void;
}

export class Ear {
  readonly #options: EarOptions;
  readonly #notifications: Notifications;
  readonly #routes: HostRoutes;
  readonly #links: LinkEvents;
  /** Losses read in one go, so that each place is reported once. */
  readonly #lost = new Map<string, KernelEvent>();
  /** The places of running batches. */
  readonly #running = new Set<readonly NetnsPlace[]>();
  #purpose: WatchPurpose | undefined;

  constructor(options: EarOptions) {
    const { host, mark, reactor } = options;
    this.#options = options;
    this.#links = new LinkEvents({ ours: mark.group, doomed: doomedGroup(mark.group) });
    this.#notifications = runIn(host.fd, () => Notifications.open(mark.protocol));
    try {
      const onChange = (): void => {
        options.onRoutes();
        this.tell({ type: "route", netns: "host" });
      };
      this.#routes = runIn(host.fd, () => new HostRoutes(onChange));
    } catch (error) {
      this.#notifications.close();
      throw error;
    }
    reactor.register(this.#notifications.fd, () => this.drain());
    reactor.register(this.#routes.fd, () => this.#routes.hear());
  }

  /** Subscribes to notifications. Those of links, several for each change, are requested only if a watch needs them. */
  listen(purpose: WatchPurpose | undefined): void {
    if (purpose === this.#purpose) return;
    this.drain();
    if (!isServedBy("links", purpose)) this.#links.forgetAll();
    this.#notifications.listen(purpose);
    this.#routes.listen(isServedBy("everything", purpose));
    this.#purpose = purpose;
  }

  /**
   * Runs a batch such that its changes are not attributed to others. Notifications queued before the batch are foreign;
   * those queued at its end are its own, unless the port number of the causing socket says otherwise. For devices of the
   * batch the last state is reported.
   */
  async ofBatch<T>(places: readonly NetnsPlace[], batch: () => Promise<T>): Promise<T> {
    const isHeard = isServedBy("links", this.#purpose);
    if (isHeard) this.drain();
    this.#running.add(places);
    try {
      return await batch();
    } finally {
      if (isHeard) this.drain();
      this.#running.delete(places);
    }
  }

  /** Reads all queued notifications. */
  drain(): void {
    this.#notifications.drain(
      (notification) => this.#hear(notification),
      () => this.#resync(),
    );
    for (const event of [...this.#links.flush(), ...this.#lost.values()]) this.tell(event);
    this.#lost.clear();
  }

  tell(event: KernelEvent): void {
    if (isServedBy(purposeOf(event), this.#purpose)) this.#options.post(event);
  }

  /** The number no longer belongs to a namespace. */
  forget(nsid: number): void {
    this.#links.forget(nsid);
  }

  close(): void {
    this.#purpose = undefined;
    for (const { fd } of [this.#notifications, this.#routes]) this.#options.reactor.unregister(fd);
    this.#notifications.close();
    this.#routes.close();
  }

  #hear({ nsid, message }: Notification): void {
    if (message.type === k.RTM_DELNSID) {
      if (nsid === undefined) this.#options.onEnd(decodeNsid(message));
      return;
    }
    if (!isServedBy("links", this.#purpose)) return;
    if (nsid === undefined) return this.#hearOf("own", "host", this.#options.host.identity, message);
    const numbered = this.#options.numbers.get(nsid);
    if (numbered) this.#hearOf(nsid, numbered.netns, numbered.identity, message);
  }

  #hearOf(nsid: Nsid, netns: Netns, identity: NetnsInode, message: NetlinkMessage): void {
    switch (message.type) {
      case k.RTM_NEWLINK:
      case k.RTM_DELLINK:
        return this.#links.take({ nsid, netns }, message, this.#isOwn(identity, 0));
      case k.RTM_NEWADDR:
      case k.RTM_DELADDR:
        return this.#hearAddress(nsid, netns, message);
      default: {
        if (this.#isOwn(identity, message.port)) return;
        const { protocol } = this.#options.mark;
        const loss = lossOf({ nsid, netns, protocol, links: this.#links }, message);
        if (loss) this.#lost.set(JSON.stringify(loss), loss);
      }
    }
  }

  #hearAddress(nsid: Nsid, netns: Netns, message: NetlinkMessage): void {
    const { address, linkIndex } = decodeAddress(message);
    const device = this.#links.find(nsid, linkIndex);
    if (device?.isDoomed === true) return;
    const change = message.type === k.RTM_NEWADDR ? "new" : "removed";
    this.tell({ type: "address", netns, change, address, ...(device && { link: device.name }) });
  }

  /** Can a running batch have caused a change with this port number? Port 0 is the kernel itself. */
  #isOwn(identity: NetnsInode, port: number): boolean {
    return [...this.#running].some((places) =>
      places.some((place) => place.identity === identity && (port === 0 || port === place.socket.port)),
    );
  }

  #resync(): void {
    this.#links.forgetAll();
    this.tell({ type: "resync", reason: "ENOBUFS: notifications were lost" });
    this.#options.onLoss();
  }
}
