/** The routing tables of policy routes. Their numbers are derived, so that a restarted agent finds its tables again. */
import { hash64 } from "../../net/hash.ts";

/** First of the 2^24 routing tables of policy routes. */
const POLICY_TABLE_BASE = 0x4e000000;

/** First priority of a wire's policy rules: before main (32766), after the rules that an administrator puts first. */
export const POLICY_PRIORITY_BASE = 20000;

/** The table of the policy with this selector. The `n`th of equal policies gets a table of its own. */
export function policyTable(connectionId: string, selector: string, n: number): number {
  return POLICY_TABLE_BASE + Number(hash64([connectionId, "policy", selector, n].join("\n")) & 0xffffffn);
}

export function isPolicyTable(table: number): boolean {
  return table >= POLICY_TABLE_BASE && table <= POLICY_TABLE_BASE + 0xffffff;
}
