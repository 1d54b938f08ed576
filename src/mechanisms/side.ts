/** The two ends of a wire. */
export type Side = "client" | "endpoint";

export function otherSide(side: Side): Side {
  return side === "client" ? "endpoint" : "client";
}
