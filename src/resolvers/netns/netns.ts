/** A network namespace by its path. */
import type { Outside, Lookout, Resolver } from "../resolver.ts";
import { quote } from "../../text/problem.ts";

/** The folder of named namespaces, as for `ip netns`. */
export const NETNS_DIRECTORY = "/run/netns";

/** Interval of checks without an event: the path may lead to another namespace by now. */
const CHECK_MS = 10_000;

export const netns: Readonly<Resolver<string>> = {
  type: "netns",
  form: "path",
  leadsTo: "netns",
  about: "by path",
  schema: (z) => z.string().describe("Path of a network namespace: /run/netns/web."),
  problem: (path) =>
    /^\/[^\p{Cc}]{1,1024}$/u.test(path)
      ? undefined
      : `${quote(path)} is not an absolute path; write one such as ${NETNS_DIRECTORY}/web`,
  key: pathKey,
  text: (path) => path,
  label: (path) => path.split("/").findLast((name) => name !== "") ?? path,
  spellings: [
    {
      form: (example) => `${NETNS_DIRECTORY}/${example}`,
      read: (text) => (text.startsWith("/") ? { value: text } : undefined),
    },
    {
      form: (example) => example,
      about: "a named namespace",
      isLast: true,
      read: (text, { lab }) =>
        lab === undefined && !text.includes("/") ? { value: `${NETNS_DIRECTORY}/${text}` } : undefined,
    },
  ],
  folders: [NETNS_DIRECTORY],
  watch: watchPath,
};

export function pathKey(path: string): string {
  return `netns ${path}`;
}

/** Watches whatever namespace is at `path`. */
export function watchPath(path: string, { kernel }: Outside): Lookout {
  return {
    look: async () => ({ type: "netns", identity: await kernel.resolve(`file://${path}`) }),
    checkMs: CHECK_MS,
    isOver: false,
    close: () => undefined,
  };
}
