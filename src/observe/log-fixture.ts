/** For simulations that look for bugs: one that is said ends the process that it has happened in, and so the test. */
import { type Log, NO_LOG } from "./log.ts";

export const STRICT_LOG: Readonly<Log> = {
  ...NO_LOG,
  error(message, _fields, bug) {
    if (bug !== undefined) throw new Error(message, { cause: bug });
  },
};
