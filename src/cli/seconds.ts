import { InvalidArgumentError } from "commander";

/** The value of an option: `10`, `0.5`. In milliseconds. */
export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (/^\d{1,6}(\.\d+)?$/.test(text)) return Math.round(seconds * 1000);
  throw new InvalidArgumentError("It is a number of seconds, such as 10 or 0.5.");
}
