/** Attachments that cannot be side by side, though each is right. */
import { quote } from "../document/problem.ts";
import { refText } from "./attachment.ts";
import type { Wish } from "./wish.ts";
import { workloadKey } from "./workloads.ts";

export interface Clash {
  /** Which of the wishes it is. */
  readonly index: number;
  /** A sentence without its full stop. */
  readonly problem: string;
}

/** Two devices of one workload cannot have one name. */
export function clashesOf(wishes: readonly Wish[]): Clash[] {
  const names = new Map<string, string>();
  return wishes.flatMap((wish, index): Clash[] => {
    if (wish.kind !== "Connect" || wish.interface === undefined) return [];
    const key = `${workloadKey(wish.workload)} ${wish.interface}`;
    const other = names.get(key);
    if (other === undefined) {
      names.set(key, refText(wish));
      return [];
    }
    const problem = `${other} has the interface ${quote(wish.interface)} of the same workload; give one of them another`;
    return [{ index, problem }];
  });
}
