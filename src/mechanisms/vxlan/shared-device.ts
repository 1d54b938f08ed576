/**
 * What all tunnels of a host on one UDP port share: a device in metadata mode, which takes what the fast path leaves. The routing
 * table is asked in its name for the way to the other end: for that it has to forward (bpf_fib_lookup). Nothing that comes out of
 * it gets as far as that, and if it did: no source is right for it, and it has no IPv6.
 */
import type { KernelObject, LinkEnd } from "../../kernel/kernel.ts";
import { EXTERNAL_MTU } from "../../kernel/objects/external-vxlan.ts";
import { hostAlias } from "../../kernel/plan.ts";
import { derivedMac } from "../../net/mac.ts";
import { HOST } from "../half.ts";

export function sharedDevice(port: number): readonly KernelObject[] {
  const name = `nlx${port}`;
  return [...device(name, port), { kind: "up", netns: HOST, link: name }];
}

/**
 * In its place for a moment in which its port has to be free, for the routing table to be asked in its name. It is down, so that its own
 * port, which is nobody's, is not opened.
 */
export function standIn(port: number, number: number): readonly KernelObject[] {
  return device(`nlxw${port}`, port).map((object) =>
    object.kind === "external-vxlan" ? { ...object, port: FIRST_STAND_IN + number } : object,
  );
}

const FIRST_STAND_IN = 1;

function device(name: string, port: number): KernelObject[] {
  const end: LinkEnd = {
    netns: HOST,
    name,
    // Nothing is ever sent to it.
    mac: derivedMac(["mac", "external-vxlan", String(port)]),
    mtuBytes: EXTERNAL_MTU,
    alias: hostAlias(`vxlan-${port}`),
  };
  const setting = (values: Readonly<Record<string, string>>): KernelObject => ({
    kind: "sysctl",
    netns: HOST,
    link: name,
    values,
    isOptional: true,
  });
  return [
    { kind: "external-vxlan", ...end, port },
    setting({ "net/ipv4/conf/%/rp_filter": "1", "net/ipv4/conf/%/forwarding": "1" }),
    setting({ "net/ipv6/conf/%/disable_ipv6": "1", "net/ipv6/conf/%/forwarding": "1" }),
    // From now on the routing table is asked in its name.
    { kind: "program", netns: HOST, link: name, verdict: "decapsulate", port },
  ];
}
