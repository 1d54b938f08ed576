import type { Option } from "commander";
import { option } from "./command.ts";

/** An option that may be given several times. Its value is the list; each time it takes one word, so that arguments may follow. */
export function repeatable(flags: string, description: string): Option {
  const collect = (value: string, before: readonly string[] | undefined): string[] => [
    ...(before ?? []),
    value,
  ];
  return option(flags, `${description}; may be repeated`).argParser(collect);
}
