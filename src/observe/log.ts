/**
 * Log lines: the event, then the things it concerns, as `key=value`. One line is one event, for people and programs alike:
 * `level=info msg="wire is up" wire=alpha/web/to-db endpoint=db.beta ms=4.2`
 */

export const LEVELS = ["debug", "info", "warn", "error"] as const;
export type Level = (typeof LEVELS)[number];

/** `undefined` is left out. */
type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  /** `bug` is an unexpected error. */
  error(message: string, fields?: Fields, bug?: unknown): void;
}

/**
 * A log that passes each line of `level` and above to `write`, without a line feed. The writer adds the time. `describe` turns a
 * bug into text, with whatever it has beside its message.
 */
export function lineLog(
  write: (line: string) => void,
  level: Level = "info",
  describe: (bug: unknown) => string = String,
): Log {
  const least = LEVELS.indexOf(level);
  const at =
    (own: Level) =>
    (message: string, fields: Fields = {}): void => {
      if (LEVELS.indexOf(own) >= least) write(formatLine(own, message, fields));
    };
  const error: Log["error"] = (message, fields = {}, bug?) =>
    at("error")(message, bug === undefined ? fields : { ...fields, problem: describe(bug) });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error };
}

/** Logs nothing. */
export const NO_LOG: Readonly<Log> = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

function formatLine(level: Level, message: string, fields: Fields): string {
  const pairs = Object.entries(fields).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${quoteValue(String(value))}`],
  );
  return [`level=${level}`, `msg=${quoteValue(message)}`, ...pairs].join(" ");
}

/** The text as it is if it is unambiguous, else in quotes with control characters escaped. */
function quoteValue(text: string): string {
  if (/^[\w./:@%+,→-]+$/.test(text)) return text;
  return JSON.stringify(text).replace(
    // Characters that JSON does not escape but a terminal interprets.
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A log that adds `fields` to every line. */
export function withFields(log: Log, fields: Fields): Log {
  return {
    debug: (message, more = {}) => log.debug(message, { ...fields, ...more }),
    info: (message, more = {}) => log.info(message, { ...fields, ...more }),
    warn: (message, more = {}) => log.warn(message, { ...fields, ...more }),
    error: (message, more = {}, bug?) => log.error(message, { ...fields, ...more }, bug),
  };
}

/** A silent log that passes unexpected errors to `fail`: for runs that a bug has to end. */
export function logThatFails(fail: (bug: unknown) => void): Log {
  return {
    ...NO_LOG,
    error: (_message, _fields, bug) => {
      if (bug !== undefined) fail(bug);
    },
  };
}
