/** What the data path of a host has dropped, and why. The numbers of the reasons are those of datapath/include/drops.h. */

/** In the order of their numbers. */
export const DROP_REASONS = ["closed", "unknown", "congested", "refused"] as const;
type DropReason = (typeof DROP_REASONS)[number];

/** What each reason means, for people. */
export const DROP_WORDS: Readonly<Record<DropReason, string>> = {
  closed: "frames of a workload whose wire was just closed",
  unknown: "tunnel packets that no wire of this host takes: a stranger's, or of a wire that is closed here",
  congested: "packets marked as congested on the way, from a sender that knows no such marks",
  refused: "packets that the kernel could not put into a tunnel, or take out of one",
};

export interface DropCount {
  readonly reason: DropReason;
  /** Since the programs of the host were first loaded: whole lives of agents. An aggregate of n segments counts n. */
  readonly packets: number;
  /** How long ago the last one was, in milliseconds. */
  readonly agoMs: number;
}

/** What the outer headers of tunnel packets said that were dropped as `unknown`. */
export interface Stranger {
  readonly source: string;
  readonly destination: string;
  /** UDP port. */
  readonly port: number;
  readonly vni: number;
  readonly packets: number;
}

export interface Drops {
  /** In the order of `DROP_REASONS`; without those that have never happened. */
  readonly counts: readonly DropCount[];
  /** The latest ones, at most `MAX_STRANGERS`; those who sent most come first. */
  readonly strangers: readonly Stranger[];
}

export const MAX_STRANGERS = 256;

/** In the order in which they are told. */
export function sortStrangers(strangers: readonly Stranger[]): Stranger[] {
  const key = ({ source, destination, port, vni }: Stranger): string =>
    `${source} ${destination} ${port} ${String(vni).padStart(8, "0")}`;
  return strangers.toSorted((a, b) => b.packets - a.packets || (key(a) < key(b) ? -1 : 1));
}
