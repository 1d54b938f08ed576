/** All kinds of stores. A new kind is a folder here and a line in this list. */
import { NetloomError } from "../errors/errors.ts";
import { memoryKind } from "./memory/memory-kind.ts";
import { sqliteKind } from "./sqlite/sqlite-kind.ts";
import type { OpenStore, OpenStoreOptions, StoreKind } from "./store-kind.ts";

export const STORES = [memoryKind, sqliteKind] as const satisfies readonly StoreKind[];

/** The forms of all URLs, for `--help`: `memory, or sqlite:PATH`. */
export function storeSpellings(): string {
  const spellings = STORES.map(({ spelling }) => spelling);
  return [spellings.slice(0, -1).join(", "), spellings.at(-1)].join(", or ");
}

/** A pattern for every URL of a store, for schemas of files. */
export function storeUrlPattern(): RegExp {
  // For a kind with nothing after the colon, the colon is optional.
  const forms = STORES.map(({ scheme, rest }) => (rest === "" ? `${scheme}:?` : `${scheme}:${rest}`));
  return new RegExp(`^(?:${forms.join("|")})$`);
}

/** Do registries that open this URL share its data? */
export function isSharedStore(url: string): boolean {
  return STORES.some(({ scheme, isShared }) => scheme === url.split(":", 1)[0] && isShared);
}

/** The URL of a store in `folder` that registries of this machine can share. */
export function storeInFolder(folder: string): string {
  const kinds: readonly StoreKind[] = STORES;
  const kind = kinds.find(({ isShared, inFolder }) => isShared && inFolder !== undefined);
  return kind?.inFolder?.(folder) ?? "";
}

/**
 * Opens the store of a URL; `memory` is short for `memory:`. INVALID_ARGUMENT for `attempt` if the URL is of no kind,
 * otherwise the errors of the kind.
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
