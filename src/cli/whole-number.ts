import { InvalidArgumentError } from "commander";

/** Reads an option's whole number: 1 to 999,999,999. */
export function wholeNumber(text: string): number {
  const number = Number(text);
  if (/^\d{1,9}$/.test(text) && number > 0) return number;
  throw new InvalidArgumentError("It is a whole number, 1 or more.");
}
