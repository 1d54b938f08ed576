/** The facts of a host about the packets of a wire. */
export interface Reachability {
  /** `True`: packets pass. `False`: no packet passes. */
  readonly status: "True" | "False" | "Unknown";
  /** One word in CamelCase, for programs. */
  readonly reason: string;
  /** A sentence for people. May be empty. */
  readonly message: string;
}

/** No check has a result for the packets. */
export const NOT_PROVEN: Readonly<Reachability> = {
  status: "Unknown",
  reason: "NotProven",
  message: "nothing has proven yet that packets pass",
};

/** The wire is one veth pair between two workloads of this host. A pair whose ends are up passes every packet. */
export const BOTH_ENDS_UP: Readonly<Reachability> = { status: "True", reason: "BothEndsUp", message: "" };
