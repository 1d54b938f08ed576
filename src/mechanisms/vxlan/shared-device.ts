/**
 * The device that all tunnels of a host on one UDP port share: a VXLAN device in metadata mode, for packets that the fast path
 * leaves. The fast path looks up the route to the other end as if the packet came in by this device, so forwarding has to be on
 * (bpf_fib_lookup). No packet out of the device is ever forwarded; if one were, rp_filter would drop it, and IPv6 is off.
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
 * Replaces the shared device while its port has to be free, so that routes can be looked up for this device instead. It stays
 * down, so that its own port, which nobody uses, is not opened.
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
    // No frame is ever sent to this MAC.
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
    // From now on routes are looked up for this device.
    { kind: "program", netns: HOST, link: name, verdict: "decapsulate", port },
  ];
}
