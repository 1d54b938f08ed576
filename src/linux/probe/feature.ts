/** What of netloom needs a feature. A remote wire needs all that every wire needs, too. */
export type Use = "every wire" | "remote wires" | "ports" | "cables of a lab" | "debugging" | "nothing yet";

/** One feature of the kernel. */
export interface Feature {
  readonly name: string;
  readonly supported: boolean;
  readonly use: Use;
  /** Netloom cannot make wires, or none between hosts, without it. */
  readonly required: boolean;
  /** First Linux that has it: `6.6`. */
  readonly since: string;
  /** What it is for: what does not work without it. */
  readonly effect: string;
  /** How it was found out, with the kernel's own words: `made a link of kind geneve: EOPNOTSUPP: Unknown device type`. */
  readonly evidence: string;
  /** How to get it. */
  readonly remedy: string;
}
