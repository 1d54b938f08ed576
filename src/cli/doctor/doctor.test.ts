import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Report } from "../../doctor/check.ts";
import { checks } from "./checks.ts";
import type { DeviceFacts } from "../../doctor/machine.ts";
import { fakeHost, withFeature, type FakeHostOptions } from "../../../fixtures/cli/fake-host.ts";
import { requirePrivileges } from "./privileges.ts";
import { Output } from "../output.ts";
import { examine, printReport } from "./report.ts";
import { LAB_WORDS } from "../../identity/identities.ts";

/** The findings on a machine that is in order except for `trouble`. */
function findings(t: TestContext, trouble: FakeHostOptions): Report[] {
  return examine(fakeHost(t, trouble), checks).checks.flatMap((report) =>
    report.findings.filter(({ status }) => status !== "ok"),
  );
}

const udpOnPort = (inode: number): string =>
  `  sl  local_address rem_address st\n 1: 00000000:12B5 00000000:0000 07 0:0 00:0 0 0 0 ${inode} 2 0 0\n`;
const process = (pid: number, name: string): Record<string, string> => ({
  [`proc/${pid}/comm`]: `${name}\n`,
});

const ourDevice = { name: "veth-server-1", kind: "veth", group: 0x4e4c0000 };
const runningAgent = {
  files: {
    ...process(41, "node"),
    "proc/41/cmdline": `node\0/opt/netloom/src/main.ts\0agent\0${LAB_WORDS.join("\0")}\0`,
  },
  links: { "proc/self/ns/net": "net:[1]", "proc/41/ns/net": "net:[1]" },
};

const metadataDevice = (port: number): DeviceFacts => ({
  name: "vxlan_sys",
  kind: "vxlan",
  group: 0,
  isUp: true,
  vxlan: { vni: 0, port },
});
const agentOn = (...words: readonly string[]): FakeHostOptions => ({
  ...runningAgent,
  files: {
    ...process(41, "node"),
    "proc/41/cmdline": ["node", "/opt/netloom/src/main.ts", "agent", ...words, ""].join("\0"),
  },
});

interface Case {
  readonly title: string;
  readonly sick: FakeHostOptions;
  readonly finds: RegExp;
  readonly status: "absent" | "warning" | "failed";
  readonly remedy: RegExp;
  /** The same machine with the problem fixed. */
  readonly healed: FakeHostOptions;
}

const sysctl = (name: string, bad: string, good: string): Case => ({
  title: `the sysctl ${name} = ${bad} is a warning`,
  sick: { files: { [`proc/sys/${name}`]: `${bad}\n` } },
  finds: new RegExp(`${name.replaceAll("/", ".")} = ${bad}`),
  status: "warning",
  remedy: new RegExp(`^sysctl -w ${name.replaceAll("/", ".")}=${good}$`),
  healed: { files: { [`proc/sys/${name}`]: `${good}\n` } },
});

const cases: readonly Case[] = [
  {
    title: "an old Node fails",
    sick: { nodeVersion: "20.20.2" },
    finds: /node 20\.20\.2/,
    status: "failed",
    remedy: /npm ci/,
    healed: { nodeVersion: "26.0.0" },
  },
  {
    title: "a low limit of open files is a warning",
    sick: { files: { "proc/self/limits": "Max open files   1024   4096   files\n" } },
    finds: /limit 1024/,
    status: "warning",
    remedy: /^ulimit -n 4096$/,
    healed: { files: { "proc/self/limits": "Max open files   4096   4096   files\n" } },
  },
  {
    title: "a missing CAP_NET_ADMIN fails",
    sick: { files: { "proc/self/status": "CapEff:\t000001ffffffefff\n" } },
    finds: /^CAP_NET_ADMIN is missing$/,
    status: "failed",
    remedy: /sudo/,
    healed: { files: { "proc/self/status": "CapEff:\t0000000000201000\n" } },
  },
  {
    title: "a user namespace is a warning, because it refuses bpf(2)",
    sick: { files: { "proc/self/uid_map": "0 1000 1\n" } },
    finds: /user namespace/,
    status: "warning",
    remedy: /own user namespace/,
    healed: {},
  },
  {
    title: "a missing kernel feature that netloom can do without is absent",
    sick: { features: withFeature({ name: "geneve", supported: false }) },
    finds: /^geneve is missing \(Linux 3\.18\)$/,
    status: "absent",
    remedy: /^modprobe geneve/,
    healed: { features: withFeature({ name: "geneve" }) },
  },
  {
    title: "a kernel without permission to query it fails",
    sick: { features: undefined },
    finds: /^linux \S+ was not probed/,
    status: "failed",
    remedy: /^sudo netloom doctor$/,
    healed: {},
  },
  {
    title: "a program on the port of the tunnels fails",
    sick: {
      files: { "proc/self/net/udp": udpOnPort(777), ...process(812, "ovs-vswitchd") },
      links: { "proc/812/fd/9": "socket:[777]" },
    },
    finds: /^udp port 4789 is held by ovs-vswitchd \(pid 812\)$/,
    status: "failed",
    remedy: /^kill 812$/,
    healed: { files: { "proc/self/net/udp": udpOnPort(777), ...process(812, "ovs-vswitchd") } },
  },
  {
    title: "a foreign tunnel device on the port of the tunnels fails",
    sick: { devices: [{ name: "flannel.1", kind: "vxlan", group: 0, vxlan: { vni: 1, port: 4789 } }] },
    finds: /^flannel\.1 is a tunnel device on udp port 4789, and not ours/,
    status: "failed",
    remedy: /^netloom agent --vxlan-port 4790$/,
    healed: { devices: [{ name: "flannel.1", kind: "vxlan", group: 0, vxlan: { vni: 1, port: 8472 } }] },
  },
  {
    title:
      "a foreign tunnel device in metadata mode on the port of the tunnels fails, because it cannot share the port",
    sick: { devices: [metadataDevice(4789)] },
    finds: /^vxlan_sys is a tunnel device on udp port 4789/,
    status: "failed",
    remedy: /^netloom agent --vxlan-port 4790$/,
    healed: { devices: [metadataDevice(4789)], settings: { "vxlan-port": 4790 } },
  },
  {
    title: "the checked port is that of the agent on this host",
    sick: { ...agentOn("--vxlan-port", "4999"), devices: [metadataDevice(4999)] },
    finds: /^vxlan_sys is a tunnel device on udp port 4999/,
    status: "failed",
    remedy: /^netloom agent --vxlan-port 5000$/,
    healed: { ...agentOn("--vxlan-port=4999"), devices: [metadataDevice(4789)] },
  },
  {
    title: "read-only settings are a warning",
    sick: { files: { "proc/self/mounts": "proc /proc/sys proc ro,nosuid 0 0\n" } },
    finds: /^\/proc\/sys is read-only$/,
    status: "warning",
    remedy: /remount,rw/,
    healed: { files: { "proc/self/mounts": "proc /proc proc rw 0 0\n" } },
  },
  sysctl("net/ipv4/conf/all/rp_filter", "1", "2"),
  sysctl("net/ipv6/conf/all/disable_ipv6", "1", "0"),
  sysctl("kernel/unprivileged_bpf_disabled", "0", "1"),
  sysctl("net/core/bpf_jit_enable", "0", "1"),
  sysctl("net/core/rmem_max", "4096", "212992"),
  {
    title: "NetworkManager that takes every device is a warning",
    sick: { files: process(70, "NetworkManager") },
    finds: /^NetworkManager runs$/,
    status: "warning",
    remedy: /unmanaged-devices=type:vxlan/,
    healed: {
      files: {
        ...process(70, "NetworkManager"),
        "etc/NetworkManager/conf.d/netloom.conf": "[keyfile]\nunmanaged-devices=type:vxlan;type:veth\n",
      },
    },
  },
  {
    title: "systemd-networkd with a file that matches every device is a warning",
    sick: {
      files: {
        ...process(71, "systemd-network"),
        "etc/systemd/network/99-all.network": "[Match]\nName=*\n\n[Network]\nDHCP=yes\n",
      },
    },
    finds: /^systemd-networkd runs$/,
    status: "warning",
    remedy: /Unmanaged=yes/,
    healed: {
      files: {
        ...process(71, "systemd-network"),
        "etc/systemd/network/10-eth.network": "[Match]\nName=en*\n\n[Network]\nDHCP=yes\n",
        "etc/systemd/network/99-all.network": "[Match]\nName=*\n\n[Network]\nDHCP=yes\n",
        "etc/systemd/network/00-netloom.network": "[Match]\nKind=vxlan veth\n[Link]\nUnmanaged=yes\n",
      },
    },
  },
  {
    title: "firewalld without a rule for the tunnels is a warning",
    sick: { files: process(72, "firewalld") },
    finds: /^firewalld runs$/,
    status: "warning",
    remedy: /--add-port=4789\/udp/,
    healed: {
      files: {
        ...process(72, "firewalld"),
        "etc/firewalld/zones/public.xml": '<zone><port protocol="udp" port="4789"/></zone>',
      },
    },
  },
  {
    title: "docker's drop of forwarded packets is a warning",
    sick: { files: process(73, "dockerd") },
    finds: /^docker runs$/,
    status: "warning",
    remedy: /DOCKER-USER/,
    healed: { files: { ...process(73, "dockerd"), "etc/docker/daemon.json": '{ "iptables": false }' } },
  },
  {
    title: "a namespace of a killed test is a leftover",
    sick: { files: { "run/netns/nlt99-0": "" } },
    finds: /^network namespace nlt99-0$/,
    status: "warning",
    remedy: /^ip netns delete nlt99-0$/,
    healed: { files: { "run/netns/nlt99-0": "", ...process(99, "node") } },
  },
  {
    title: "a lab whose lab up was killed is a leftover",
    sick: {
      files: {
        "run/netns/nl-two-alpha": "",
        "run/netns/nl-two-alpha-web": "",
        "run/netloom/labs/two/pending.yaml": "",
        "run/netloom/labs/two/lock": "812\n",
      },
    },
    finds: /^lab two: 2 network namespaces$/,
    status: "warning",
    remedy: /^netloom lab down two$/,
    healed: { files: { "run/netns/nl-two-alpha": "", "run/netloom/labs/two/lab.yaml": "" } },
  },
  {
    title: "namespaces of an unknown lab are a leftover",
    sick: { files: { "run/netns/nl-two-alpha": "" } },
    finds: /^lab two: 1 network namespace$/,
    status: "warning",
    remedy: /^netloom lab down two$/,
    healed: {
      files: {
        "run/netns/nl-two-alpha": "",
        "run/netloom/labs/two/pending.yaml": "",
        "run/netloom/labs/two/lock": "812\n",
        ...process(812, "node"),
      },
    },
  },
  {
    title: "a mount of pinned programs without a lab is a leftover",
    sick: { files: { "proc/self/mounts": "bpf /run/netloom/labs/two/bpf/alpha bpf rw 0 0\n" } },
    finds: /^bpffs at \/run\/netloom\/labs\/two\/bpf\/alpha$/,
    status: "warning",
    remedy: /^umount /,
    healed: {
      files: {
        "proc/self/mounts": "bpf /run/netloom/labs/two/bpf/alpha bpf rw 0 0\n",
        "run/netloom/labs/two/lab.yaml": "",
      },
    },
  },
  {
    title: "a device that was about to be deleted is a leftover",
    sick: { devices: [{ name: "vxlan-server-1", kind: "vxlan", group: 0x4e4c0001 }] },
    finds: /^device vxlan-server-1, doomed$/,
    status: "warning",
    remedy: /^ip link delete vxlan-server-1$/,
    healed: { devices: [{ name: "eth0", group: 0 }] },
  },
  {
    title: "a device of Netloom without an agent is a leftover",
    sick: { devices: [ourDevice] },
    finds: /^device veth-server-1, group 0x4e4c0000$/,
    status: "warning",
    remedy: /^ip link delete veth-server-1$/,
    healed: { ...runningAgent, devices: [ourDevice] },
  },
  {
    title: "a device of a stopped agent waits for its next start",
    sick: { devices: [ourDevice], files: { "var/lib/netloom/wish": "" } },
    finds: /^device veth-server-1, group 0x4e4c0000$/,
    status: "warning",
    remedy: /^ip link delete veth-server-1$/,
    healed: { ...runningAgent, devices: [ourDevice] },
  },
  {
    title: "an agent in another namespace does not own a device of this one",
    sick: {
      ...runningAgent,
      devices: [ourDevice],
      links: { ...runningAgent.links, "proc/self/ns/net": "net:[2]" },
    },
    finds: /^device veth-server-1, group 0x4e4c0000$/,
    status: "warning",
    remedy: /^ip link delete veth-server-1$/,
    healed: {},
  },
  {
    title: "programs of an agent are a leftover if no agent runs",
    sick: { files: { "proc/self/mounts": "bpf /run/netloom/bpf bpf rw 0 0\n" } },
    finds: /^bpffs at \/run\/netloom\/bpf$/,
    status: "warning",
    remedy: /^umount /,
    healed: {
      ...runningAgent,
      files: { ...runningAgent.files, "proc/self/mounts": "bpf /run/netloom/bpf bpf rw 0 0\n" },
    },
  },
  {
    title: "a route with a protocol number of Netloom is a leftover",
    sick: { markedEntries: [{ what: "route 10.0.0.0/24 dev eth0", remedy: "ip route flush proto 78" }] },
    finds: /^route 10\.0\.0\.0\/24 dev eth0$/,
    status: "warning",
    remedy: /flush proto 78/,
    healed: {
      ...runningAgent,
      markedEntries: [{ what: "route 10.0.0.0/24 dev eth0", remedy: "ip route flush proto 78" }],
    },
  },
];

test("a machine in order has only ok findings", (t) => {
  assert.deepEqual(findings(t, {}), []);
});

for (const { title, sick, finds, status, remedy, healed } of cases) {
  test(title, (t) => {
    const [found, ...more] = findings(t, sick);
    assert.deepEqual(more, []);
    assert.ok(found !== undefined && found.status === status);
    assert.match(found.what, finds);
    assert.match(found.remedy, remedy);
    assert.ok(!found.remedy.includes("\n") && found.why.length > 10);
    assert.deepEqual(findings(t, healed), [], "the remedy clears it");
  });
}

test("each mode lists its requirements, and the first Linux that meets all of them", (t) => {
  const modes = examine(fakeHost(t), checks)
    .checks.flatMap(({ findings: all }) => all.map(({ what }) => what))
    .filter((what) => /^(linux|local wires|remote wires|ports|cables)/.test(what));
  assert.deepEqual(modes, [
    "linux 6.6.1, complete",
    "local wires: one veth pair, packets counted by the devices (Linux 5.18)",
    "remote wires: veth, with tunnels that programs build and count; one vxlan device per host for the rest (Linux 5.19)",
    "ports: a pinned tcx link at each device (Linux 6.6)",
    "cables of a lab: shaped by tbf, netem",
  ]);
});

for (const { lacks, worst, says } of [
  {
    lacks: "tcx links",
    worst: "absent",
    says: ["ports: none", "tcx links is missing"],
  },
  {
    lacks: "ingress blocks with a BPF filter",
    worst: "failed",
    says: ["remote wires: none", "ingress blocks with a BPF filter is missing"],
  },
  {
    lacks: "SO_NETNS_COOKIE",
    worst: "failed",
    says: ["local wires: none", "remote wires: none", "SO_NETNS_COOKIE is missing"],
  },
]) {
  test(`a kernel without ${lacks} has no ${says[0]?.split(":")[0]}, and the rest works`, (t) => {
    const report = examine(fakeHost(t, { features: withFeature({ name: lacks, supported: false }) }), checks);
    const found = report.checks.flatMap((each) => each.findings.filter(({ status }) => status !== "ok"));
    assert.deepEqual(
      found.map(({ what }) => what.replace(/ \(Linux .*/, "")),
      says,
    );
    assert.equal(report.status, worst);
  });
}

test("features that netloom does not use yet share one line without a remedy, and are listed with --all", (t) => {
  const features = withFeature({ name: "geneve", supported: false });
  const report = examine(fakeHost(t, { features }), checks);
  const print = (options: { all?: boolean }): string => {
    let text = "";
    printReport(new Output({ write: (part) => (text += part) }, {}), report, options);
    return text;
  };
  assert.equal(report.status, "ok");
  const short = print({});
  assert.match(short, /\n {2}- not used yet: [0-9]+ here, 1 missing \(--all lists them\)\n/);
  assert.doesNotMatch(short, /geneve|nothing is lost/);
  assert.match(short, / 0 optional and absent, /);
  const long = print({ all: true });
  assert.match(long, /\n {2}- geneve is missing [^\n]*nothing is lost/);
  assert.doesNotMatch(long, /--all/);
});

test("the report has the status of its worst finding", (t) => {
  const statusOf = (options: FakeHostOptions): string => examine(fakeHost(t, options), checks).status;
  assert.equal(statusOf({}), "ok");
  assert.equal(statusOf({ files: process(70, "NetworkManager") }), "warning");
  assert.equal(statusOf({ nodeVersion: "20.0.0", files: process(70, "NetworkManager") }), "failed");
});

test("a command that lacks privileges names them, and how to get them", (t) => {
  const host = fakeHost(t, { files: { "proc/self/status": "CapEff:\t0000000000001000\n" } });
  assert.throws(() => requirePrivileges("bring up lab two", "netloom lab up two.yaml", host), {
    code: "PERMISSION_DENIED",
    message: "bring up lab two: needs root (missing: CAP_SYS_ADMIN, CAP_BPF)",
    hint: "run it as root: sudo netloom lab up two.yaml",
  });
});
