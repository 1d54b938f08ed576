/**
 * The `uplink` program on the ingress of devices of the host, before the programs of others there. It takes the packets of
 * this host's tunnels, and leaves all others to the kernel. Without it packets take the slow path, by the shared device.
 *
 *   uplinks/<ifindex>   the pin of its tcx link, which stays while no process of Netloom runs
 *
 * Before Linux 6.6 there are no tcx links: a filter is used instead (uplink-filters.ts).
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { createTcxLink, getPinned, pinObject, programId, tcxLinkInfo, updateLink } from "./bpf.ts";
import { close, errnoName } from "../libc/syscall.ts";
import { UplinkFilters } from "./uplink-filters.ts";

export class Uplinks {
  readonly #directory: string;
  readonly #program: number;
  /** Devices known to have the program, so that a further tunnel needs no query. */
  readonly #known = new Set<number>();
  readonly #filters: UplinkFilters;
  readonly #hasLinks: boolean;

  /**
   * Removes the pins of removed devices, and replaces older programs. `hasLinks`: false in tests, as on a kernel without
   * tcx. `program`: the descriptor.
   */
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
   * Makes sure that the program is on this device of the CURRENT namespace. If the kernel refuses (the device is gone, or a
   * foreign filter of another kind has its place), packets take the slow path, and the next tunnel tries again. One of
   * Netloom's own devices gets no filter, because it has the shared block.
   */
  attach(ifindex: number, { isOurs = false } = {}): void {
    if (this.#known.has(ifindex)) return;
    const link = this.#hasLinks ? createTcxLink(this.#program, ifindex) : undefined;
    // EINVAL: the kernel has no tcx links.
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

  /** Detaches the program from a device, or removes the pins of a removed device. */
  detach(ifindex: number): void {
    this.#known.delete(ifindex);
    const path = this.#path(ifindex);
    if (existsSync(path)) unlinkSync(path);
    else if (this.#filters.left().includes(ifindex)) this.#filters.detach(ifindex);
  }

  /** Detaches the program from all devices. */
  clear(): void {
    for (const ifindex of [...this.#known, ...this.#filters.left()]) this.detach(ifindex);
  }

  /** Closes the descriptors. */
  close(): void {
    this.#filters.close();
  }

  /** Detaches the program from all devices, and removes the directory. */
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
