/** Repeats decisions about a shared store that other registries change at the same time. */
import type { Element } from "../chain/element.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Shelf, StoreView } from "./store-view.ts";

/** Attempts against other registries that write the same name first. */
const MAX_ATTEMPTS = 8;

/**
 * Repeats `decide` with fresh knowledge while other registries write the same record first (ABORTED). Repeats a refusal
 * (PERMISSION_DENIED) once if the store has something else than was known. UNAVAILABLE after `MAX_ATTEMPTS` attempts.
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
 * An element that repeats the rest of the chain like `decideAnew`. The later elements must change an entry in the same way each
 * time.
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
