/** Phrases that descriptions of objects are made of. */
import type { Netns } from "./link.ts";

/** ` via 10.0.0.1`, or nothing. */
export function given(word: string, value: string | number | undefined): string {
  return value === undefined ? "" : ` ${word} ${value}`;
}

/** ` in file:///run/netns/a`; the namespace `host` goes unsaid. */
export function inside(netns: Netns): string {
  return netns === "host" ? "" : ` in ${netns}`;
}
