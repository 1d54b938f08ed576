/** What is decided by what is known of a shared store, where others decide at the same time. */
import type { Element } from "../chain/element.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Shelf, StoreView } from "./store-view.ts";

/** So often another registry may have been quicker with the same name. */
const MAX_ATTEMPTS = 8;

/**
 * Decides again, by what is known then, as long as others are quicker with the same record; and once more what was refused
 * (PERMISSION_DENIED), if the store has something else than was known. UNAVAILABLE if there is no end to it.
 */
export async function decideAnew<T>(
  { view, shelf, name }: { readonly view: StoreView; readonly shelf: Shelf; readonly name: string },
  decide: () => Promise<T>,
): Promise<T> {
  let isConfirmed = false;
  for (let attempt = 1; ; attempt++) {
    try {
      return await decide();
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      if (error.code === "PERMISSION_DENIED" && !isConfirmed) {
        isConfirmed = true;
        if (await view.refresh(shelf, name)) continue;
      }
      if (error.code !== "ABORTED") throw error;
      if (attempt === MAX_ATTEMPTS) throw overtaken(shelf, name, error);
    }
  }
}

/**
 * The same for a whole chain, from this element on. What the elements behind it change of an entry is what they would
 * change of it again.
 */
export function retryOvertaken<T>(
  view: StoreView,
  shelf: Shelf,
  nameOf: (entry: T) => string,
): Element<T, T> {
  const again = <R>(entry: T, next: (entry: T) => Promise<R>): Promise<R> =>
    decideAnew({ view, shelf, name: nameOf(entry) }, () => next(entry));
  return {
    name: "retry-overtaken",
    request: (_call, entry, next) => again(entry, next),
    close: (_call, entry, next) => again(entry, next),
  };
}

function overtaken({ prefix }: Shelf, name: string, cause: NetloomError): NetloomError {
  return new NetloomError(
    "UNAVAILABLE",
    `write ${prefix}${name}: other registries have changed it ${MAX_ATTEMPTS} times meanwhile`,
    { cause, hint: "try again a little later" },
  );
}
