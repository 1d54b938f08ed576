/** All kinds of stores. A new one is a folder here and a line in this list. */
import { NetloomError } from "../errors/errors.ts";
import { memoryKind } from "./memory/memory-kind.ts";
import { sqliteKind } from "./sqlite/sqlite-kind.ts";
import type { OpenStore, OpenStoreOptions, StoreKind } from "./store-kind.ts";

export const STORES = [memoryKind, sqliteKind] as const satisfies readonly StoreKind[];

/** As `--help` has it: `memory, or sqlite:PATH`. */
export function storeSpellings(): string {
  const spellings = STORES.map(({ spelling }) => spelling);
  return [spellings.slice(0, -1).join(", "), spellings.at(-1)].join(", or ");
}

/**
 * Opens the store of a URL; `memory` is short for `memory:`. INVALID_ARGUMENT for `attempt` if that is none of these,
 * else the errors of its kind.
 */
export async function openStore(url: string, attempt: string, options: OpenStoreOptions): Promise<OpenStore> {
  const [scheme = ""] = url.split(":", 1);
  const rest = url.slice(scheme.length + 1);
  const kind = STORES.find((each) => each.scheme === scheme);
  if (kind && new RegExp(`^(?:${kind.rest})$`).test(rest)) return await kind.open(rest, options);
  throw new NetloomError("INVALID_ARGUMENT", `${attempt} ${JSON.stringify(url)}: there is no such store`, {
    hint: `use ${storeSpellings()}`,
  });
}
