/** The kinds of documents, in the order in which messages list them. A new kind is a folder, and a line here. */
import { client } from "./client/words.ts";
import { serviceFunction } from "./service-function/words.ts";
import type { KindWords } from "./kind.ts";
import { provider } from "./provider/words.ts";
import { networkService } from "./network-service/words.ts";

export const KINDS: readonly KindWords[] = [networkService, client, provider, serviceFunction];

/** The kind with this name: `NetworkServiceClient` for `clients`, upper or lower case. `undefined` if no kind has it. */
export function kindNamed(text: string): KindWords | undefined {
  const lower = text.toLowerCase();
  return KINDS.find(({ names }) => names.includes(lower));
}
