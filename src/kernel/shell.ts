/** Commands of a POSIX shell, safely quoted and in the right namespace. */
import type { Netns } from "./link.ts";

/** Quotes a word with single quotes if necessary. */
export function quote(word: string | number): string {
  const text = String(word);
  return /^[A-Za-z0-9_.,:/@=%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A comment line. Control characters in `text` become spaces, so it stays on one line. */
export function comment(text: string): string {
  return `# ${text.replaceAll(/\p{Cc}+/gu, " ")}`;
}

export type Tool = "ip" | "tc" | "sysctl";

/**
 * The command line that runs `tool` in `netns`: `ip -n a …` for a namespace of `ip netns`, `nsenter --net=… ip …` for
 * another path. Empty words are left out.
 */
export function command(netns: Netns, tool: Tool, ...words: readonly (string | number)[]): string {
  const rest = words.filter((word) => word !== "").map(quote);
  if (netns === "host") return [tool, ...rest].join(" ");
  const name = netnsName(netns);
  if (name !== undefined && tool !== "sysctl") return [tool, "-n", quote(name), ...rest].join(" ");
  return [`nsenter --net=${shellPath(netns)}`, tool, ...rest].join(" ");
}

/** The argument of `netns` in `ip link add … netns`, as shell text. */
export function netnsArgument(netns: Netns): string {
  const name = netns === "host" ? undefined : netnsName(netns);
  return name === undefined ? shellPath(netns) : quote(name);
}

/** The name in `ip netns`: `a` for file:///run/netns/a. */
function netnsName(netns: Netns): string | undefined {
  return /^file:\/\/(?:\/var)?\/run\/netns\/([^/-][^/]*)$/.exec(netns)?.[1];
}

function shellPath(netns: Netns): string {
  if (netns === "host") return "/proc/self/ns/net";
  const inode = /^inode:\/\/[0-9]+\/([0-9]+)$/.exec(netns)?.[1];
  // No command takes an inode: the shell has to find a path to it.
  if (inode !== undefined) {
    return `"$(find -L /run/netns /proc/[0-9]*/ns/net -inum ${inode} -print -quit 2>/dev/null)"`;
  }
  return quote(netns.slice("file://".length));
}
