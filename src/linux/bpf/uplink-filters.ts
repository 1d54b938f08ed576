/**
 * The `uplink` program on devices of the host where the kernel has no tcx links: as a filter of a clsact qdisc, which is made where
 * there is none. Which devices have it is kept by pins of the program, whose names say it, so that a later process finds them:
 *
 *   filters/<ifindex>        the filter is ours
 *   filters/<ifindex>-own    so is the qdisc
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
  /** Of the host's namespace, from the first device on. */
  #socket: NetlinkSocket | undefined;

  /** `program`: the descriptor. */
  constructor(bpffs: string, program: number) {
    this.#directory = join(bpffs, "filters");
    this.#program = program;
  }

  /** On a device of the CURRENT namespace, in the place of what an earlier process has left there. False where the kernel refuses. */
  attach(ifindex: number): boolean {
    this.#socket ??= NetlinkSocket.open();
    mkdirSync(this.#directory, { recursive: true });
    const isOwn =
      this.#socket.change(addClsact(ifindex)).errno === 0 || existsSync(this.#path(ifindex, true));
    // First the pin: who dies in between leaves nothing that nobody knows of.
    this.#pin(ifindex, isOwn);
    if (this.#socket.change(putUplinkFilter(ifindex, this.#program)).errno === 0) return true;
    this.detach(ifindex);
    return false;
  }

  /** Takes it off a device, or forgets one that is gone. */
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

  /** Those that an earlier process has left. */
  left(): number[] {
    if (!existsSync(this.#directory)) return [];
    return readdirSync(this.#directory).map((name) => Number.parseInt(name, 10));
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  /** Takes it off all of them, and removes the directory. */
  destroy(): void {
    for (const ifindex of this.left()) this.detach(ifindex);
    if (existsSync(this.#directory)) rmdirSync(this.#directory);
  }

  /** Nobody has a filter there. */
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
