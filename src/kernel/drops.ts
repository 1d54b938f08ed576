/**
 * Packets dropped by the data path of a host, and the reasons. The numbers of the reasons are those of
 * datapath/include/drops.h.
 */

/** In the order of their numbers. */
export const DROP_REASONS = [
  "closed",
  "unknown",
  "congested",
  "refused",
  "source",
  "mac",
  "server",
  "source-routed",
  "unreadable",
] as const;
export type DropReason = (typeof DROP_REASONS)[number];

/** Explanations of the drop reasons for display. */
export const DROP_WORDS: Readonly<Record<DropReason, string>> = {
  closed: "frames of a workload whose wire was just closed",
  unknown: "tunnel packets that no wire of this host takes: a stranger's, or of a wire that is closed here",
  congested: "packets marked as congested on the way, from a sender that knows no such marks",
  refused: "packets that the kernel could not put into a tunnel, or take out of one",
  source: "packets from addresses that are not their side's, and claims to such addresses",
  mac: "frames from a MAC that is not their side's",
  server: "DHCP answers, router advertisements and redirects that the other side has not asked for",
  "source-routed": "packets that say by which way they go",
  unreadable: "frames that hide what they are: damaged, or with more tags or headers than anybody needs",
};

export interface DropCount {
  readonly reason: DropReason;
  /**
   * Packets since the programs of the host were first loaded, across restarts of the agent. A GSO packet of n segments
   * counts n.
   */
  readonly packets: number;
  /** Milliseconds since the last drop. */
  readonly agoMs: number;
}

/** The outer headers of tunnel packets dropped as `unknown`. */
export interface Stranger {
  readonly source: string;
  readonly destination: string;
  /** UDP port. */
  readonly port: number;
  readonly vni: number;
  readonly packets: number;
}

/** Drops of traffic that a side of a wire must not send. */
export interface Offence {
  /** The host's device of the wire, and its alias. Absent if the device is gone. */
  readonly link?: string;
  readonly alias?: string;
  /**
   * True if the frames came out of the tunnel of `link`, so the side on the other host sent them. Otherwise the side of
   * `link` did.
   */
  readonly isArrived?: true;
  readonly reason: DropReason;
  readonly packets: number;
}

export interface Drops {
  /** In the order of `DROP_REASONS`, without reasons that have never occurred. */
  readonly counts: readonly DropCount[];
  /** The latest ones, at most `MAX_STRANGERS`, most packets first. */
  readonly strangers: readonly Stranger[];
  /** The latest ones, at most `MAX_OFFENCES`, most packets first. */
  readonly offences: readonly Offence[];
}

export const NO_DROPS: Readonly<Drops> = { counts: [], strangers: [], offences: [] };

export const MAX_STRANGERS = 256;
export const MAX_OFFENCES = 1_024;

/** Sorts strangers for display: most packets first. */
export function sortStrangers(strangers: readonly Stranger[]): Stranger[] {
  const key = ({ source, destination, port, vni }: Stranger): string =>
    `${source} ${destination} ${port} ${String(vni).padStart(8, "0")}`;
  return strangers.toSorted((a, b) => b.packets - a.packets || (key(a) < key(b) ? -1 : 1));
}

/** Sorts offences for display: most packets first. */
export function sortOffences(offences: readonly Offence[]): Offence[] {
  const key = ({ link = "", isArrived, reason }: Offence): string =>
    `${link} ${isArrived ?? false} ${reason}`;
  return offences.toSorted((a, b) => b.packets - a.packets || (key(a) < key(b) ? -1 : 1));
}
