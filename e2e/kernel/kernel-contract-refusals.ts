/** Every refusal has its code, errno, operation number and first words, and leaves the machine unchanged. */
import assert from "node:assert/strict";
import { reason } from "../../src/errors/reasons.ts";
import { describeOperation } from "../../src/kernel/kernel-text.ts";
import type { KernelObject, KernelPlace, Netns, Operation } from "../../src/kernel/kernel.ts";
import {
  add,
  assertRefusal,
  canonical,
  type ContractCase,
  kernelError,
  STRANGERS_MARK,
  stateOf,
} from "./kernel-contract-harness.ts";
import { lone, end, scene, tbf, veth, vxlan, vxlan6 } from "./kernel-contract-specimens.ts";

interface Refusal {
  readonly title: string;
  /** Objects besides the scene. */
  readonly before?: readonly KernelObject[];
  /** Objects of a stranger in the host's namespace. */
  readonly strangers?: readonly KernelObject[];
  readonly operation: Operation;
  readonly errno: string;
  /** The place that the kernel must name. Absent: it may name none. */
  readonly at?: KernelPlace;
}

const nowhere: Netns = "file:///run/netns/nlt-nowhere";

function refusals(workload: Netns): Refusal[] {
  return [...ofDevices(workload), ...ofAddresses(workload), ...ofAttached(workload), ...ofChanges(workload)];
}

function ofDevices(workload: Netns): Refusal[] {
  const taken = (name: string): Operation =>
    one({ kind: "veth", ends: [end("host", "free", 9), end(workload, name, 8)] });
  return [
    {
      title: "a name taken by Netloom",
      operation: one(lone(workload, "nl-1")),
      errno: "EEXIST",
      at: { netns: workload, link: "nl-1" },
    },
    {
      title: "a name for a veth's other end taken by Netloom",
      operation: taken("nl-1"),
      errno: "EEXIST",
      at: { netns: workload, link: "nl-1" },
    },
    {
      title: "a name taken by a stranger",
      strangers: [lone("host", "dev-1")],
      operation: one(vxlan("host", "dev-1")),
      errno: "EEXIST",
      at: { netns: "host", link: "dev-1" },
    },
    { title: "a name of 16 bytes", operation: one(lone(workload, "sixteen-letters-")), errno: "ERANGE" },
    {
      title: "a name of 16 bytes for a veth's other end",
      operation: taken("sixteen-letters-"),
      errno: "ERANGE",
    },
    { title: "a name with a slash", operation: one(lone(workload, "a/b")), errno: "EINVAL" },
    { title: "a name with white space", operation: one(lone(workload, "a b")), errno: "EINVAL" },
    {
      title: "a VNI taken by Netloom, even with other addresses",
      before: [vxlan("host", "vx-1")],
      operation: one({ ...vxlan("host", "vx-2"), local: "10.0.0.3", remote: "10.0.0.4" }),
      errno: "EEXIST",
    },
    {
      title: "a VNI taken by a stranger",
      strangers: [vxlan("host", "vx-1")],
      operation: one(vxlan("host", "vx-2")),
      errno: "EEXIST",
    },
    {
      title: "a VNI taken by a device in a workload",
      before: [vxlan(workload, "vx-1")],
      operation: one(vxlan("host", "vx-2")),
      errno: "EEXIST",
    },
    {
      title: "a missing namespace",
      operation: one(lone(nowhere, "dev-1")),
      errno: "ENOENT",
      at: { netns: nowhere },
    },
    {
      title: "a missing namespace for a veth's other end",
      operation: one({ kind: "veth", ends: [end("host", "free", 9), end(nowhere, "nl-2", 8)] }),
      errno: "ENOENT",
      at: { netns: nowhere },
    },
    {
      title: "an MTU over the device's maximum",
      operation: one({ ...lone("host", "dev-1"), mtuBytes: 70_000 }),
      errno: "EINVAL",
    },
    {
      title: "an MTU under the device's minimum",
      operation: one({ ...lone("host", "dev-1"), mtuBytes: 60 }),
      errno: "EINVAL",
    },
    {
      title: "a multicast MAC",
      operation: one({ ...lone("host", "dev-1"), mac: "01:00:00:00:00:01" }),
      errno: "EADDRNOTAVAIL",
    },
  ];
}

function ofAddresses(netns: Netns): Refusal[] {
  const address = { kind: "address", netns, link: "nl-1" } as const;
  const route = { kind: "route", netns, link: "nl-1" } as const;
  const peer = { ...address, address: "10.1.0.1/32", peer: "10.1.0.2/32" };
  const rule = { kind: "rule", netns, family: 4, priority: 100, table: 1000, from: "10.0.0.2/32" } as const;
  const down = lone(netns, "dev-1");
  return [
    {
      title: "an address on a missing link",
      operation: one({ ...address, link: "none", address: "10.1.0.1/24" }),
      errno: "ENODEV",
    },
    {
      title: "an existing IPv4 address",
      operation: one({ ...address, address: "10.0.0.2/24" }),
      errno: "EEXIST",
    },
    {
      title: "an existing IPv4 address with a peer",
      before: [peer],
      operation: one(peer),
      errno: "EEXIST",
    },
    {
      title: "an existing IPv6 address",
      operation: one({ ...address, address: "fd00::2/64" }),
      errno: "EEXIST",
    },
    {
      title: "an existing IPv6 address with another prefix length",
      operation: one({ ...address, address: "fd00::2/128" }),
      errno: "EEXIST",
    },
    {
      title: "an IPv4 route by a link that is down",
      before: [down],
      operation: one({ ...route, link: "dev-1", destination: "10.2.0.0/24" }),
      errno: "ENETDOWN",
    },
    {
      title: "an IPv6 route by a link that is down",
      before: [down],
      operation: one({ ...route, link: "dev-1", destination: "fd02::/64" }),
      errno: "ENETDOWN",
    },
    {
      title: "a route by a missing link",
      operation: one({ ...route, link: "none", destination: "10.2.0.0/24" }),
      errno: "ENODEV",
    },
    {
      title: "an IPv4 route by an unreachable next hop",
      operation: one({ ...route, destination: "10.2.0.0/24", via: "10.9.0.1" }),
      errno: "ENETUNREACH",
    },
    {
      title: "an IPv6 route by an unreachable next hop",
      operation: one({ ...route, destination: "fd02::/64", via: "fd09::1" }),
      errno: "EHOSTUNREACH",
    },
    {
      title: "an IPv4 route with a foreign source address",
      operation: one({ ...route, destination: "10.2.0.0/24", source: "10.9.0.1" }),
      errno: "EINVAL",
    },
    {
      title: "an IPv6 route with a foreign source address",
      operation: one({ ...route, destination: "fd02::/64", source: "fd09::1" }),
      errno: "EINVAL",
    },
    {
      title: "an existing IPv4 route with another next hop",
      before: [{ ...route, destination: "10.2.0.0/24", via: "10.0.0.1" }],
      operation: one({ ...route, destination: "10.2.0.0/24" }),
      errno: "EEXIST",
    },
    {
      title: "an existing IPv6 route",
      before: [{ ...route, destination: "fd02::/64" }],
      operation: one({ ...route, destination: "fd02::/64" }),
      errno: "EEXIST",
    },
    { title: "an existing rule", before: [rule], operation: one(rule), errno: "EEXIST" },
  ];
}

function ofAttached(netns: Netns): Refusal[] {
  const neighbor = {
    kind: "neighbor",
    netns,
    link: "nl-1",
    address: "10.0.0.7",
    mac: "02:00:00:00:00:77",
  } as const;
  const program = { kind: "program", netns: "host", link: "ch-1", verdict: "pass" } as const;
  return [
    {
      title: "a neighbour on a missing link",
      operation: one({ ...neighbor, link: "none" }),
      errno: "ENODEV",
    },
    {
      title: "an existing neighbour",
      before: [neighbor],
      operation: one({ ...neighbor, mac: "02:00:00:00:00:78" }),
      errno: "EEXIST",
    },
    {
      title: "a program on a missing link",
      operation: one({ ...program, link: "none" }),
      errno: "ENODEV",
    },
    {
      title: "a program on a link that has one",
      before: [program],
      operation: one(program),
      errno: "EEXIST",
    },
    {
      title: "a program with a missing target",
      operation: one({ ...program, verdict: "redirect", target: "none" }),
      errno: "ENODEV",
    },
    { title: "a token bucket on a missing link", operation: one(tbf("none")), errno: "ENODEV" },
    {
      title: "a token bucket on a link that has one",
      before: [tbf("ch-1")],
      operation: one(tbf("ch-1")),
      errno: "EEXIST",
    },
    {
      title: "up for a missing link",
      operation: one({ kind: "up", netns, link: "none" }),
      errno: "ENODEV",
    },
    {
      title: "a missing sysctl",
      operation: one({ kind: "sysctl", netns, link: "none", values: { "net/ipv4/conf/%/rp_filter": "0" } }),
      errno: "ENOENT",
    },
  ];
}

function ofChanges(netns: Netns): Refusal[] {
  const absent = lone(netns, "dev-1");
  const tunnel = vxlan6("host", "vx-1");
  return [
    {
      title: "a change of a missing link",
      operation: change(absent, { ...absent, mtuBytes: 1400 }),
      errno: "ENODEV",
    },
    {
      title: "a change to an invalid MTU",
      before: [tunnel],
      operation: change(tunnel, { ...tunnel, remote: "fd00::5", mtuBytes: 70_000 }),
      errno: "EINVAL",
    },
    {
      title: "a change of both ends of a veth pair with an invalid second end",
      operation: change(veth(netns), {
        kind: "veth",
        ends: [
          { ...end("host", "ch-1", 1), mtuBytes: 1400 },
          { ...end(netns, "nl-1", 2), mtuBytes: 70_000 },
        ],
      }),
      errno: "EINVAL",
    },
  ];
}

/** Titles do not depend on namespaces. */
export const refusalCases: readonly ContractCase[] = refusals("host").map(({ title }, index) => ({
  title: `refused: ${title}`,
  async run(harness) {
    const host = await harness.netns();
    const workload = await harness.netns();
    const kernel = await harness.kernel({ host });
    const refusal = refusals(workload)[index];
    assert.ok(refusal);
    const { before = [], strangers = [], operation, errno, at } = refusal;
    const surroundings = [...scene(workload), ...before];
    await kernel.apply(add(...surroundings));
    const stranger = strangers.length > 0 ? await harness.kernel({ host, mark: STRANGERS_MARK }) : undefined;
    await stranger?.apply(add(...strangers));
    const first = add(lone("host", "earlier"));
    const refused = await kernelError(kernel.apply([...first, operation]));
    assertRefusal(refused, operation, errno, 1);
    assert.deepEqual(refused.reason, reason("KERNEL_REFUSED", { errno }));
    if (at) assert.deepEqual(refused.at, at);
    assert.deepEqual(
      await stateOf(kernel, "host", workload),
      canonical(surroundings),
      describeOperation(operation),
    );
    if (stranger) assert.deepEqual(await stateOf(stranger, "host"), canonical(strangers));
  },
}));

function one(object: KernelObject): Operation {
  return { verb: "add", object };
}

function change(from: KernelObject, object: KernelObject): Operation {
  return { verb: "change", from, object };
}
