/**
 * The `uplink` program on devices of the host if the kernel has no tcx links: a filter of a clsact qdisc, which is added if
 * missing. Pins of the program mark the devices with the filter by their names, so that a later process finds them:
 *
 *   filters/<ifindex>        the filter belongs to Netloom
 *   filters/<ifindex>-own    the qdisc does, too
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { NetlinkSocket } from "../netlink/netlink-socket.ts";
import {
  addClsact,
  deleteClsact,
  deleteUplinkFilter,
  dumpFilters,
  putUplinkFilter,
} from "../netlink/uplink-filter.ts";
import { pinObject } from "./bpf.ts";

export class UplinkFilters {
  readonly #directory: string;
  readonly #program: number;
  /** A socket in the host's namespace, opened for the first device. */
  #socket: NetlinkSocket | undefined;

  /** `program`: the descriptor. */
  constructor(bpffs: string, program: number) {
    this.#directory = join(bpffs, "filters");
    this.#program = program;
  }

  /**
   * Attaches the program to a device of the CURRENT namespace, and replaces a filter of an earlier process. False if the
   * kernel refuses.
   */
  attach(ifindex: number): boolean {
    this.#socket ??= NetlinkSocket.open();
    mkdirSync(this.#directory, { recursive: true });
    const isOwn =
      this.#socket.change(addClsact(ifindex)).errno === 0 || existsSync(this.#path(ifindex, true));
    // Pin first, so that a process that dies in between leaves no unknown filter.
    this.#pin(ifindex, isOwn);
    if (this.#socket.change(putUplinkFilter(ifindex, this.#program)).errno === 0) return true;
    this.detach(ifindex);
    return false;
  }

  /** Detaches the program from a device, or removes the pins of a removed device. */
  detach(ifindex: number): void {
    this.#socket ??= NetlinkSocket.open();
    this.#socket.change(deleteUplinkFilter(ifindex));
    if (existsSync(this.#path(ifindex, true)) && this.#isBare(ifindex))
      this.#socket.change(deleteClsact(ifindex));
    for (const isOwn of [false, true]) {
      const path = this.#path(ifindex, isOwn);
      if (existsSync(path)) unlinkSync(path);
    }
  }

  /** The devices with filters of an earlier process. */
  left(): number[] {
    if (!existsSync(this.#directory)) return [];
    return readdirSync(this.#directory).map((name) => Number.parseInt(name, 10));
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  /** Detaches the program from all devices, and removes the directory. */
  destroy(): void {
    for (const ifindex of this.left()) this.detach(ifindex);
    if (existsSync(this.#directory)) rmdirSync(this.#directory);
  }

  /** Does the qdisc have no filters? */
  #isBare(ifindex: number): boolean {
    return (["ingress", "egress"] as const).every(
      (way) => this.#socket?.dump(dumpFilters(ifindex, way), () => true).length === 0,
    );
  }

  #pin(ifindex: number, isOwn: boolean): void {
    const path = this.#path(ifindex, isOwn);
    if (existsSync(path)) unlinkSync(path);
    pinObject(this.#program, path);
  }

  #path(ifindex: number, isOwn: boolean): string {
    return join(this.#directory, isOwn ? `${ifindex}-own` : String(ifindex));
  }
}
