/** The kinds of documents, in the order in which sentences name them. A new one is a folder, and a line here. */
import { connect } from "./connect/words.ts";
import { expose } from "./expose/words.ts";
import { networkFunction } from "./function/words.ts";
import type { KindWords } from "./kind.ts";
import { networkService } from "./network-service/words.ts";

export const KINDS: readonly KindWords[] = [networkService, connect, expose, networkFunction];

/** The kind that people mean: `Connect` for `connects`, in any case. `undefined` for what is no kind. */
export function kindNamed(text: string): KindWords | undefined {
  const lower = text.toLowerCase();
  return KINDS.find(({ names }) => names.includes(lower));
}
