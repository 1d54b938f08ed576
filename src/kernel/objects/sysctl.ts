import type { Netns } from "../link.ts";
import { type AttachedKind, inPhase } from "../object-kind.ts";
import { inside } from "../phrase.ts";

/** Sysctls of a namespace, or of one device in it. Equivalent to: `sysctl -w name=value …` */
export interface Sysctl {
  readonly kind: "sysctl";
  readonly netns: Netns;
  /** The device of the settings. Its name replaces `%` in each path. */
  readonly link?: string;
  /** By path below /proc/sys with slashes (an interface name may hold a dot): `net/ipv6/conf/%/disable_ipv6`. */
  readonly values: Readonly<Record<string, string>>;
  /** Skip a setting that the kernel does not have (no IPv6) or that cannot be written (/proc/sys is read-only). */
  readonly isOptional?: true;
}

export const sysctl = {
  phase: inPhase("settings"),
  isUnmarked: true,
  namespaces: ({ netns }) => [netns],
  carrier: ({ netns, link }) => (link === undefined ? undefined : { netns, link }),
  identity: ({ netns, link = "", values }) => `sysctl ${netns} ${link} ${Object.keys(values).join(" ")}`,
  describe: (object) => `sysctl ${assignments(object).join(" ")}${inside(object.netns)}`,
  script(tools, { verb, object }) {
    if (verb === "remove") return [];
    return [tools.sysctl(object.netns, assignments(object), { optional: object.isOptional ?? false })];
  },
} as const satisfies AttachedKind<Sysctl>;

/** The paths below /proc/sys with their values. */
export function settingsOf({
  link = "%",
  values,
}: Pick<Sysctl, "link" | "values">): (readonly [name: string, value: string])[] {
  return Object.entries(values).map(([path, value]) => [path.replace("%", link), value]);
}

function assignments(object: Sysctl): string[] {
  return settingsOf(object).map(([name, value]) => `${name}=${value}`);
}
