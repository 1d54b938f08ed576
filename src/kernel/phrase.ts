/** Phrases for descriptions of objects. */
import type { Netns } from "./link.ts";

/** ` via 10.0.0.1`, or an empty string. */
export function given(word: string, value: string | number | undefined): string {
  return value === undefined ? "" : ` ${word} ${value}`;
}

/** ` in file:///run/netns/a`; an empty string for the namespace `host`. */
export function inside(netns: Netns): string {
  return netns === "host" ? "" : ` in ${netns}`;
}
