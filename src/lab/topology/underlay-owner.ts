/** Names the underlay of a lab as the owner of its cables. */
import type { Owners } from "../../kernel/plan.ts";

/** Alias of one end of a cable. */
export function cableAlias(lab: string, node: string, device: string): string {
  return `lab ${lab}: ${node} ${device}`;
}

/** Owners of cables. The owner is the lab's name, from the alias of the cable. */
export const UNDERLAYS: Owners = {
  ownerOf: (alias) => /^lab ([^:]+): /.exec(alias)?.[1],
  nameOf: (lab) => `the underlay of lab ${lab}`,
  makeWay: (lab) => `take that lab down first: netloom lab down ${lab}`,
};
