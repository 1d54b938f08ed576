/** The part of Netloom that needs a feature. A remote wire also needs the features of every wire. */
export type Use = "every wire" | "remote wires" | "ports" | "cables of a lab" | "debugging" | "nothing yet";

/** One feature of the kernel. */
export interface Feature {
  readonly name: string;
  readonly supported: boolean;
  readonly use: Use;
  /** Netloom cannot make wires, or no wires between hosts, without it. */
  readonly required: boolean;
  /** First Linux version with the feature: `6.6`. */
  readonly since: string;
  /** The effect of its absence. */
  readonly effect: string;
  /** The trial and the kernel's answer: `made a link of kind geneve: EOPNOTSUPP: Unknown device type`. */
  readonly evidence: string;
  /** Instructions to get the feature. */
  readonly remedy: string;
}
