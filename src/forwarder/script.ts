/**
 * Operations as shell commands, to read, to learn from, or to run where Netloom is not.
 *
 * Two things have no command (iproute2 6.1): the eBPF program becomes a redirect of tc that carries the same frames,
 * but does not count per wire nor take the short cut into the workload; and the owner of an address is only written
 * down where `ip address` knows the word `proto`.
 */
import { describeOperation, settingsOf } from "../kernel/kernel-text.ts";
import type {
  KernelObject,
  LinkEnd,
  Netns,
  Operation,
  Program,
  Qdisc,
  Route,
  Rule,
  Sysctl,
  Vxlan,
} from "../kernel/kernel.ts";
import { type Device, endsOf, familyOf, isDevice } from "./identity.ts";
import { command, comment, netnsArgument, quote } from "./shell.ts";

export interface ScriptOptions {
  /** The namespace that `host` stands for. Default: the one that the script runs in. */
  readonly host?: Netns;
  /** What marks devices as ours. Default: the mark of the mesh. */
  readonly group?: number;
  /** What marks everything else as ours. Default: the mark of the mesh. */
  readonly protocol?: number;
}

type Verb = Operation["verb"];
type Words = readonly (string | number)[];

/** Lines of a POSIX shell script that does `operations` with `ip` and `tc`, and stops at the first failure. */
export function script(operations: readonly Operation[], options: ScriptOptions = {}): string[] {
  const writer = new ScriptWriter(options);
  const lines = operations.flatMap((operation) => writer.lines(operation));
  const hasAddress = operations.some(({ object }) => object.kind === "address");
  return ["#!/bin/sh", "set -eu", ...(hasAddress ? writer.ownerOfAddresses() : []), ...lines];
}

class ScriptWriter {
  readonly #host: Netns;
  readonly #group: number;
  readonly #protocol: number;

  constructor(options: ScriptOptions) {
    this.#host = options.host ?? "host";
    this.#group = options.group ?? 0x4e4c0000;
    this.#protocol = options.protocol ?? 78;
  }

  ownerOfAddresses(): string[] {
    return [
      comment("Newer versions of ip can mark an address with its owner."),
      `if ip address help 2>&1 | grep -qi ' proto '; then owner='proto ${this.#protocol}'; else owner=; fi`,
    ];
  }

  lines({ verb, object, ...rest }: Operation): string[] {
    if (isDevice(object)) {
      if (verb === "add") return this.#addDevice(object);
      if (verb === "remove") return this.#removeDevice(object);
      return "from" in rest && isDevice(rest.from) ? this.#changeDevice(object, rest.from) : [];
    }
    switch (object.kind) {
      case "program":
        return this.#program(verb, object);
      case "address":
        return [this.#address(verb, object)];
      case "route":
        return [this.#route(verb, object)];
      case "rule":
        return [this.#rule(verb, object)];
      case "up":
        return [this.#ip(object.netns, "link", "set", "dev", object.link, verb === "remove" ? "down" : "up")];
      case "neighbor":
        return [this.#neighbor(verb, object)];
      case "qdisc":
        return [
          command(
            this.#at(object.netns),
            "tc",
            "qdisc",
            toolVerb(verb),
            "dev",
            object.link,
            ...shape(verb, object),
          ),
        ];
      case "sysctl":
      default:
        return verb === "remove" ? [] : [this.#sysctl(object)];
    }
  }

  #at(netns: Netns): Netns {
    return netns === "host" ? this.#host : netns;
  }

  #ip(netns: Netns, ...words: Words): string {
    return command(this.#at(netns), "ip", ...words);
  }

  #sysctl(object: Sysctl): string {
    const settings = settingsOf(object).map(([name, value]) => `${name}=${value}`);
    const line = command(this.#at(object.netns), "sysctl", "-q", "-w", ...settings);
    return object.isOptional ? `${line} || :` : line;
  }

  #addDevice(device: Device): string[] {
    const add = command(this.#host, "ip", "link", "add");
    const ends = endsOf(device).map((end) => this.#birth(end, device.kind));
    const made = `${add} ${ends[0] ?? ""} type ${device.kind}`;
    const tail =
      device.kind === "veth" ? ` peer ${ends[1] ?? ""}` : device.kind === "vxlan" ? ` ${tunnel(device)}` : "";
    return [made + tail, ...endsOf(device).map((end) => this.#finish(end))];
  }

  /** What a device can be born with. */
  #birth(end: LinkEnd, kind: Device["kind"]): string {
    const netns = end.netns === "host" ? "" : ` netns ${netnsArgument(end.netns)}`;
    const queues = kind === "veth" ? " numtxqueues 1 numrxqueues 1" : "";
    return `name ${quote(end.name)}${netns} address ${quote(end.mac)} mtu ${end.mtuBytes}${queues}`;
  }

  #finish(end: LinkEnd): string {
    const group = ["group", this.#group];
    return this.#set(end, [...group, "alias", end.alias, "addrgenmode", addrGenMode(end)]);
  }

  #set(end: LinkEnd, words: Words): string {
    return this.#ip(end.netns, "link", "set", "dev", end.name, ...words);
  }

  #removeDevice(device: Device): string[] {
    const [end] = endsOf(device);
    return end ? [this.#ip(end.netns, "link", "del", "dev", end.name)] : [];
  }

  #changeDevice(device: Device, from: Device): string[] {
    const before = endsOf(from);
    const lines = endsOf(device).flatMap((end, i) => {
      const words = differences(end, before[i]);
      const mode = end.linkLocal === before[i]?.linkLocal ? [] : [this.#linkLocal(end)];
      return [...(words.length > 0 ? [this.#set(end, words)] : []), ...mode];
    });
    if (device.kind !== "vxlan" || from.kind !== "vxlan") return lines;
    if (device.local === from.local && device.remote === from.remote) return lines;
    const ends = ["type", "vxlan", "local", device.local, "remote", device.remote];
    return [...lines, this.#set(device, ends)];
  }

  /** Unlike `ip link set … addrgenmode` it works on a device that is up. */
  #linkLocal({ netns, name, linkLocal }: LinkEnd): string {
    const values = { "net/ipv6/conf/%/addr_gen_mode": linkLocal ? "0" : "1" };
    return this.#sysctl({ kind: "sysctl", netns, link: name, values, isOptional: true });
  }

  #address(verb: Verb, object: Extract<KernelObject, { kind: "address" }>): string {
    const peer = object.peer === undefined ? [] : ["peer", object.peer];
    const nodad = familyOf(object.address) === 6 && verb !== "remove" ? ["nodad"] : [];
    const words = ["address", toolVerb(verb), object.address, ...peer, "dev", object.link, ...nodad];
    return this.#ip(object.netns, ...words) + (verb === "remove" ? "" : " $owner");
  }

  #route(verb: Verb, route: Route): string {
    const words: Words = [
      ...family(familyOf(route.destination)),
      "route",
      toolVerb(verb),
      route.destination,
      ...option("via", route.via),
      "dev",
      route.link,
      ...option("table", route.table),
      ...option("metric", route.metric),
      ...option("src", route.source),
      ...(route.onlink ? ["onlink"] : []),
      "proto",
      this.#protocol,
    ];
    return this.#ip(route.netns, ...words);
  }

  #rule(verb: Verb, rule: Rule): string {
    const ports = (range: readonly [number, number] | undefined): string | undefined => range?.join("-");
    const words: Words = [
      ...family(rule.family),
      "rule",
      toolVerb(verb),
      "pref",
      rule.priority,
      ...option("from", rule.from),
      ...option("to", rule.to),
      ...option("ipproto", rule.ipProtocol),
      ...option("sport", ports(rule.sourcePorts)),
      ...option("dport", ports(rule.destinationPorts)),
      ...option("iif", rule.iif),
      "lookup",
      rule.table,
      "protocol",
      this.#protocol,
    ];
    return this.#ip(rule.netns, ...words);
  }

  #neighbor(verb: Verb, object: Extract<KernelObject, { kind: "neighbor" }>): string {
    const words = ["neighbor", toolVerb(verb), object.address];
    if (verb === "remove") return this.#ip(object.netns, ...words, "dev", object.link);
    const mac = ["lladdr", object.mac, "dev", object.link];
    return this.#ip(object.netns, ...words, ...mac, "nud", "permanent", "protocol", this.#protocol);
  }

  #program(verb: Verb, object: Program): string[] {
    const tc = (...words: Words): string => command(this.#at(object.netns), "tc", ...words);
    const about = comment(
      `${describeOperation({ verb: "add", object })} (eBPF; no command of iproute2 can do that)`,
    );
    if (object.target === undefined) return verb === "remove" ? [] : [about];
    if (verb === "remove") return [tc("qdisc", "del", "dev", object.link, "clsact")];
    const everything = ["protocol", "all", "pref", 1, "handle", "800::800", "u32", "match", "u32", 0, 0];
    const redirect = ["action", "mirred", "egress", "redirect", "dev", object.target];
    return [
      about,
      ...(verb === "add" ? [tc("qdisc", "add", "dev", object.link, "clsact")] : []),
      tc("filter", toolVerb(verb), "dev", object.link, "ingress", ...everything, ...redirect),
    ];
  }
}

function addrGenMode({ linkLocal }: LinkEnd): string {
  return linkLocal ? "eui64" : "none";
}

function tunnel(vxlan: Vxlan): string {
  const { vni, local, remote, port } = vxlan;
  return `id ${vni} local ${quote(local)} remote ${quote(remote)} dstport ${port} nolearning df set`;
}

function differences(end: LinkEnd, from: LinkEnd | undefined): Words {
  return [
    ...(end.mtuBytes === from?.mtuBytes ? [] : ["mtu", end.mtuBytes]),
    ...(end.mac === from?.mac ? [] : ["address", end.mac]),
    ...(end.alias === from?.alias ? [] : ["alias", end.alias]),
  ];
}

function shape(verb: Verb, { shape: wanted }: Qdisc): Words {
  if (verb === "remove") return ["root"];
  if (wanted.type === "netem") {
    return ["root", "netem", "delay", `${wanted.delayMs}ms`, "loss", `${wanted.lossPercent}%`];
  }
  const { rateBitsPerSecond, burstBytes, limitBytes } = wanted;
  return [
    "root",
    "tbf",
    "rate",
    `${rateBitsPerSecond}bit`,
    "burst",
    `${burstBytes}b`,
    "limit",
    `${limitBytes}b`,
  ];
}

function option(word: string, value: string | number | undefined): Words {
  return value === undefined ? [] : [word, value];
}

function family(number: 4 | 6): Words {
  return number === 6 ? ["-6"] : [];
}

function toolVerb(verb: Verb): string {
  return verb === "add" ? "add" : verb === "change" ? "replace" : "del";
}
