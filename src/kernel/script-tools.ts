/** Tools for the scripts of object kinds: commands in the right namespace, with the owner mark. */
import type { LinkEnd, Netns, OnLink } from "./link.ts";
import { MESH_MARK, type OwnerMark } from "./mark.ts";
import { command, netnsArgument, quote } from "./shell.ts";

export type Words = readonly (string | number)[];

/** Options of a script. Default: the mark of the mesh. */
export interface ScriptOptions extends Partial<OwnerMark> {
  /** The namespace to use for `host`. Default: the one that the script runs in. */
  readonly host?: Netns;
}

interface DeviceWords {
  /** The device type: `veth`. */
  readonly type: string;
  /** Words for each end, after its name, namespace, address and MTU. */
  readonly each?: string;
  /** Words after the type. */
  readonly tail?: string;
}

export class ScriptTools {
  readonly protocol: number;
  readonly #group: number;
  readonly #host: Netns;

  constructor({ host = "host", group = MESH_MARK.group, protocol = MESH_MARK.protocol }: ScriptOptions) {
    this.#host = host;
    this.#group = group;
    this.protocol = protocol;
  }

  ip(netns: Netns, ...words: Words): string {
    return command(this.#at(netns), "ip", ...words);
  }

  tc(netns: Netns, ...words: Words): string {
    return command(this.#at(netns), "tc", ...words);
  }

  /** Sets sysctls. `optional`: the script continues if they fail. */
  sysctl(netns: Netns, settings: readonly string[], { optional }: { readonly optional: boolean }): string {
    const line = command(this.#at(netns), "sysctl", "-q", "-w", ...settings);
    return optional ? `${line} || :` : line;
  }

  /** Makes a device with all properties that it has before it is up. */
  addDevice(ends: readonly LinkEnd[], { type, each = "", tail = "" }: DeviceWords): string[] {
    const [first, second] = ends.map((end) => birth(end) + each);
    const peer = second === undefined ? "" : ` peer ${second}`;
    const made = `${command(this.#host, "ip", "link", "add")} ${first} type ${type}${peer}${tail}`;
    return [made, ...ends.map((end) => this.#finish(end))];
  }

  removeDevice({ netns, name }: LinkEnd): string[] {
    return [this.ip(netns, "link", "del", "dev", name)];
  }

  changeEnds(ends: readonly LinkEnd[], from: readonly LinkEnd[]): string[] {
    return ends.flatMap((end, i) => {
      const words = differences(end, from[i]);
      const mode = end.linkLocal === from[i]?.linkLocal ? [] : [this.#linkLocal(end)];
      return [...(words.length > 0 ? [this.set(end, ...words)] : []), ...mode];
    });
  }

  /** `ip link set` */
  set({ netns, name }: LinkEnd, ...words: Words): string {
    return this.ip(netns, "link", "set", "dev", name, ...words);
  }

  /** Redirects everything that enters a device to another device of its namespace. */
  redirect({ netns, link }: OnLink, target: string, verb: "add" | "change" = "add"): string[] {
    const everything = ["protocol", "all", "pref", 1, "handle", "800::800", "u32", "match", "u32", 0, 0];
    const out = ["action", "mirred", "egress", "redirect", "dev", target];
    return [
      ...(verb === "add" ? [this.tc(netns, "qdisc", "add", "dev", link, "clsact")] : []),
      this.tc(netns, "filter", toolVerb(verb), "dev", link, "ingress", ...everything, ...out),
    ];
  }

  #at(netns: Netns): Netns {
    return netns === "host" ? this.#host : netns;
  }

  #finish(end: LinkEnd): string {
    const mode = end.linkLocal ? "eui64" : "none";
    return this.set(end, "group", this.#group, "alias", end.alias, "addrgenmode", mode);
  }

  /** Sets the address generation mode by sysctl. Unlike `ip link set … addrgenmode` this works on a device that is up. */
  #linkLocal({ netns, name, linkLocal }: LinkEnd): string {
    const setting = `net/ipv6/conf/${name}/addr_gen_mode=${linkLocal ? "0" : "1"}`;
    return this.sysctl(netns, [setting], { optional: true });
  }
}

function birth(end: LinkEnd): string {
  const netns = end.netns === "host" ? "" : ` netns ${netnsArgument(end.netns)}`;
  return `name ${quote(end.name)}${netns} address ${quote(end.mac)} mtu ${end.mtuBytes}`;
}

function differences(end: LinkEnd, from: LinkEnd | undefined): Words {
  return [
    ...(end.mtuBytes === from?.mtuBytes ? [] : ["mtu", end.mtuBytes]),
    ...(end.mac === from?.mac ? [] : ["address", end.mac]),
    ...(end.alias === from?.alias ? [] : ["alias", end.alias]),
  ];
}

/** The word of `ip` and `tc` for a verb. */
export function toolVerb(verb: "add" | "change" | "remove"): string {
  return verb === "add" ? "add" : verb === "change" ? "replace" : "del";
}

/** `via 10.0.0.1`, or nothing. */
export function option(word: string, value: string | number | undefined): Words {
  return value === undefined ? [] : [word, value];
}

/** `-6`, or nothing. */
export function familyOption(family: 4 | 6): Words {
  return family === 6 ? ["-6"] : [];
}
