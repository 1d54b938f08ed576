/** The kinds of documents, in the order in which sentences name them. A new one is a folder, and a line here. */
import { client } from "./client/words.ts";
import { serviceFunction } from "./service-function/words.ts";
import type { KindWords } from "./kind.ts";
import { provider } from "./provider/words.ts";
import { networkService } from "./network-service/words.ts";

export const KINDS: readonly KindWords[] = [networkService, client, provider, serviceFunction];

/** The kind that people mean: `NetworkServiceClient` for `clients`, in any case. `undefined` for what is no kind. */
export function kindNamed(text: string): KindWords | undefined {
  const lower = text.toLowerCase();
  return KINDS.find(({ names }) => names.includes(lower));
}
