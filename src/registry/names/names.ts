/** Checks names for a registry. Upstream accepts any name that is not empty. */
import { NetloomError } from "../../errors/errors.ts";

const MAX_LENGTH = 1024;

/** INVALID_ARGUMENT if `name` cannot be registered; UNIMPLEMENTED for a name of another domain (`name@domain`). */
export function checkName(attempt: string, name: string): void {
  if (name === "") throw new NetloomError("INVALID_ARGUMENT", `${attempt}: its name is empty`);
  if (name.length > MAX_LENGTH) {
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `${attempt}: its name has ${name.length} characters, and at most ${MAX_LENGTH} are allowed`,
    );
  }
  if (name.includes("@")) {
    throw new NetloomError(
      "UNIMPLEMENTED",
      `${attempt} ${name}: names of other domains cannot be registered here`,
    );
  }
}
