/** Random valid wires for tests, from so few names and numbers that two of them often clash. */
import fc from "fast-check";
import type { Netns } from "../kernel/kernel.ts";
import { validateWire } from "./validate.ts";
import type { ConnectionContext, ContextRoute, PolicyRoute, Wire } from "./wire.ts";
import type { KernelMechanism } from "../mechanisms/kernel/kernel.ts";
import type { VxlanMechanism } from "../mechanisms/vxlan/vxlan.ts";

type Family = 4 | 6;

const host = fc.nat(5);
const optional = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined });

function ipv(family: Family, side: "src" | "dst", n: number): string {
  const number = n + (side === "src" ? 1 : 11);
  return family === 4 ? `10.0.0.${number}` : `fd00::${number.toString(16)}`;
}

function addresses(family: Family, side: "src" | "dst"): fc.Arbitrary<string[]> {
  const lengths = family === 4 ? [24, 28, 32, 32] : [64, 120, 128, 128];
  const one = fc
    .tuple(host, fc.constantFrom(...lengths))
    .map(([n, length]) => `${ipv(family, side, n)}/${length}`);
  return fc.uniqueArray(one, { minLength: 1, maxLength: 3, selector: (text) => text.split("/")[0] });
}

function routes(family: Family, side: "src" | "dst"): fc.Arbitrary<ContextRoute[]> {
  const prefixes =
    family === 4
      ? ["0.0.0.0/0", "10.0.0.0/24", "10.9.0.0/16", "10.0.0.11/32"]
      : ["::/0", "fd00::/64", "fd09::/48"];
  const one = fc.tuple(fc.constantFrom(...prefixes), optional(host)).map(([prefix, n]) => ({
    prefix,
    ...(n === undefined ? {} : { nextHop: ipv(family, side === "src" ? "dst" : "src", n) }),
  }));
  return fc.uniqueArray(one, { maxLength: 3, selector: (route) => route.prefix });
}

function policies(family: Family): fc.Arbitrary<PolicyRoute[]> {
  const one = fc
    .record({
      from: optional(host.map((n) => ipv(family, "src", n))),
      proto: optional(fc.constantFrom("tcp", "17")),
      dstPort: optional(fc.constantFrom("80", "8000-8999")),
      routes: routes(family, "src"),
    })
    .map((each): PolicyRoute => withoutUndefined(each));
  return fc.array(one, { maxLength: 2 });
}

const contexts: fc.Arbitrary<ConnectionContext> = fc.subarray<Family>([4, 6]).chain((families) => {
  const each = <T>(make: (family: Family) => fc.Arbitrary<T[]>): fc.Arbitrary<T[]> =>
    fc.tuple(...families.map(make)).map((lists) => lists.flat());
  return fc
    .record({
      srcIpAddrs: each((family) => addresses(family, "src")),
      dstIpAddrs: each((family) => addresses(family, "dst")),
      srcRoutes: each((family) => routes(family, "src")),
      dstRoutes: each((family) => routes(family, "dst")),
      policies: each(policies),
      srcMac: optional(fc.constantFrom("02:00:00:00:00:01", "02:00:00:00:00:02")),
      mtuBytes: optional(fc.constantFrom(1300, 1400, 9000)),
    })
    .map((each): ConnectionContext => withoutUndefined(each));
});

const workload = (name: string): fc.Arbitrary<KernelMechanism> =>
  fc.constantFrom("1", "2").map((n) => ({
    type: "KERNEL",
    netns: `file:///run/netns/${name}` as Netns,
    interfaceName: `nsm-${n}`,
  }));

const tunnels: fc.Arbitrary<VxlanMechanism> = fc
  .record({
    hosts: fc.constantFrom(["10.8.0.1", "10.8.0.2"], ["10.8.0.1", "10.8.0.3"], ["fd08::1", "fd08::2"]),
    vni: fc.constantFrom(7, 8),
    port: fc.constantFrom(4789, 4790),
  })
  .map(({ hosts: [sourceIp = "", destinationIp = ""], vni, port }) => {
    const underlayMtuBytes = 1500;
    return { type: "VXLAN", sourceIp, destinationIp, vni, port, underlayMtuBytes };
  });

/** All with the connection id `c1`. */
export const arbitraryWire: fc.Arbitrary<Wire> = fc
  .record({
    connectionId: fc.constant("c1"),
    ends: fc.oneof(
      fc.tuple(workload("a"), workload("b")),
      fc.tuple(workload("a"), tunnels),
      fc.tuple(tunnels, workload("b")),
    ),
    context: contexts,
  })
  .map(({ connectionId, ends: [client, endpoint], context }): Wire => ({
    connectionId,
    client,
    endpoint,
    context,
  }))
  .filter((wire) => validateWire(wire).length === 0);

function withoutUndefined<T extends object>(record: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
