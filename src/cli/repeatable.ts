import type { Option } from "commander";
import { option } from "./command.ts";

/** An option that can be repeated. Its value is a list; each use takes one word, so that arguments can follow. */
export function repeatable(flags: string, description: string): Option {
  const collect = (value: string, before: readonly string[] | undefined): string[] => [
    ...(before ?? []),
    value,
  ];
  return option(flags, `${description}; may be repeated`).argParser(collect);
}
