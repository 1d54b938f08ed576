import { InvalidArgumentError } from "commander";

/** The longest time that an agent waits for attachments to be up. */
const mostSeconds = 600;

/** Reads the value of `--wait`, in seconds: `10`, `0.5`, at most 600. Returns milliseconds. */
export function parseWait(text: string): number {
  const seconds = Number(text);
  if (!/^\d{1,6}(\.\d+)?$/.test(text))
    throw new InvalidArgumentError("It is a number of seconds, such as 10 or 0.5.");
  if (seconds > mostSeconds) throw new InvalidArgumentError(`It is at most ${mostSeconds} seconds.`);
  return Math.round(seconds * 1000);
}
