import type { Counters } from "../../world/kernel.ts";

export type Verdict = "pass" | "redirect" | "redirect-peer";

/** The `wire` program on the ingress of a device of the current namespace. */
export interface Attachment {
  readonly ifindex: number;
  /** Name of the pin: no `/`, no `.`, at most 128 bytes. */
  readonly name: string;
  readonly verdict: Verdict;
  /** In the same namespace as `ifindex`. */
  readonly targetIfindex?: number;
}

export interface AttachedWire {
  readonly name: string;
  /** 0 when the device is gone. Then verdict and target are unknown. */
  readonly ifindex: number;
  readonly verdict?: Verdict;
  readonly targetIfindex?: number;
}

/** The programs of datapath/ in the kernel, pinned in one bpffs directory. All calls are synchronous. */
export declare class Datapath {
  /** Mounts a bpffs at `bpffs` if there is none, loads and pins the program and its map, or adopts the pinned ones. */
  static open(bpffs: string): Datapath;
  /** Puts the program on a device of the CURRENT namespace. ALREADY_EXISTS if name or ifindex are in use. */
  attach(wire: Attachment): void;
  /** New verdict and target of what is attached; the counters go on. NOT_FOUND if it is not attached. */
  change(wire: Attachment): void;
  /** Takes the program off. What is not there is fine. */
  detach(name: string): void;
  list(): AttachedWire[];
  /** `undefined` if nothing is attached to a device with this index. */
  counters(ifindex: number): Counters | undefined;
  /** Counters of every attached wire, by ifindex, in few system calls. */
  allCounters(): Map<number, Counters>;
  /** Closes descriptors. Pins and traffic stay. */
  close(): void;
  /** Detaches everything, removes the pins, and unmounts the bpffs if `open` mounted it. For the end of a lab or a test. */
  destroy(): void;
}
