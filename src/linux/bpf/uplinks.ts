/**
 * The `uplink` program on the ingress of devices of the host, in front of what others have there: it takes tunnel packets that this
 * host has negotiated, and leaves all else to the kernel. Where it is missing packets come the long way, by the shared device.
 *
 *   uplinks/<ifindex>   the pin of its tcx link: it stays when nobody of us lives
 *
 * Before Linux 6.6 there are no such links: then it is a filter (uplink-filters.ts).
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { createTcxLink, getPinned, pinObject, programId, tcxLinkInfo, updateLink } from "./bpf.ts";
import { close, errnoName } from "../libc/syscall.ts";
import { UplinkFilters } from "./uplink-filters.ts";

export class Uplinks {
  readonly #directory: string;
  readonly #program: number;
  /** Where it is attached, as far as this process knows: so that a tunnel more costs no question. */
  readonly #known = new Set<number>();
  readonly #filters: UplinkFilters;
  readonly #hasLinks: boolean;

  /** `hasLinks`: for tests, as on a kernel without tcx. `program`: the descriptor. Pins of devices that are gone go; an older program makes way. */
  constructor(bpffs: string, program: number, { hasLinks = true } = {}) {
    this.#filters = new UplinkFilters(bpffs, program);
    this.#hasLinks = hasLinks;
    this.#directory = join(bpffs, "uplinks");
    this.#program = program;
    mkdirSync(this.#directory, { recursive: true });
    const current = programId(program);
    for (const ifindex of this.#pins()) {
      const link = getPinned(this.#path(ifindex));
      if (link === undefined) continue;
      try {
        const info = tcxLinkInfo(link);
        if (info.ifindex !== ifindex) unlinkSync(this.#path(ifindex));
        else {
          if (info.programId !== current) updateLink(link, program);
          this.#known.add(ifindex);
        }
      } finally {
        close(link);
      }
    }
  }

  /**
   * Sees to it that the program is on this device of the CURRENT namespace. Where the kernel refuses (the device has just gone; somebody
   * has a filter of another sort in its place) packets come the long way, and it is tried again with the next tunnel. A device of ours
   * gets no filter: it has the block of all of them there.
   */
  attach(ifindex: number, { isOurs = false } = {}): void {
    if (this.#known.has(ifindex)) return;
    const link = this.#hasLinks ? createTcxLink(this.#program, ifindex) : undefined;
    // A kernel without such links says EINVAL.
    if (link === undefined || errnoName(-link) === "EINVAL") {
      if (!isOurs && this.#filters.attach(ifindex)) this.#known.add(ifindex);
      return;
    }
    if (link < 0) return;
    try {
      const path = this.#path(ifindex);
      if (existsSync(path)) unlinkSync(path);
      pinObject(link, path);
    } finally {
      close(link);
    }
    this.#known.add(ifindex);
  }

  get attached(): ReadonlySet<number> {
    return this.#known;
  }

  /** Takes it off a device, or forgets one that is gone. */
  detach(ifindex: number): void {
    this.#known.delete(ifindex);
    const path = this.#path(ifindex);
    if (existsSync(path)) unlinkSync(path);
    else if (this.#filters.left().includes(ifindex)) this.#filters.detach(ifindex);
  }

  /** Takes it off all of them. */
  clear(): void {
    for (const ifindex of [...this.#known, ...this.#filters.left()]) this.detach(ifindex);
  }

  /** Closes descriptors. */
  close(): void {
    this.#filters.close();
  }

  /** Takes it off all of them, and removes the directory. */
  destroy(): void {
    for (const ifindex of this.#pins()) this.detach(ifindex);
    rmdirSync(this.#directory);
    this.#filters.destroy();
    this.close();
  }

  #pins(): number[] {
    return readdirSync(this.#directory).map(Number);
  }

  #path(ifindex: number): string {
    return join(this.#directory, String(ifindex));
  }
}
