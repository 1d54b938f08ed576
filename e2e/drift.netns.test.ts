/**
 * Foreign changes of a wire (removals, renames, flushes) are repaired, and foreign objects are not touched:
 *
 *   alpha 10.1.0.1 ──────── beta 10.1.0.2
 *     web: to-db ═══ vxlan ═══ db: db-…
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { test } from "node:test";
import { netloom } from "../src/cli/spawn-netloom.ts";
import { labFixture } from "../fixtures/lab/lab.ts";
import { netnsOf } from "../src/lab/topology/topology.ts";
import { ipJson } from "../fixtures/linux/frame.ts";
import { needsRoot } from "../fixtures/linux/netns.ts";
import type { Netns } from "../src/kernel/kernel.ts";
import { moment } from "../fixtures/async/until.ts";

/** Time limit for a repair. */
const HANG_MS = 60_000;

const THEIR_ADDRESS = "192.0.2.1";
const THEIR_ROUTE = "198.51.100.0/24";

const TEXT = `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts:
    alpha: { workloads: [web] }
    beta: { workloads: [db] }
  links: [[alpha, beta]]
  agents: true
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: db }
spec: { workload: beta/db, services: [db], pools: [10.9.0.0/24, "fd09::/64"], policyRoutes: [{ protocol: tcp, routes: [203.0.113.0/24] }] }
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: web-db }
spec: { workload: alpha/web, service: db, interface: to-db }
`;

/**
 * Tampering in the workload or in the host. `X` stands for the tunnel device there, `V` for the host's end of the pair.
 */
const tampering: readonly (readonly [title: string, place: string, ...commands: readonly string[]])[] = [
  ["the device set down", "alpha/web", "link set to-db down"],
  ["another MAC", "alpha/web", "link set to-db address 02:00:00:00:00:77"],
  ["another MTU", "alpha/web", "link set to-db mtu 1300"],
  ["an address removed", "alpha/web", "-4 address flush dev to-db to 10.9.0.0/24"],
  ["all routes flushed", "alpha/web", "-6 route flush dev to-db"],
  ["a neighbour removed", "alpha/web", "neighbor flush dev to-db nud permanent"],
  ["the device renamed", "alpha/web", "link set to-db down", "link set to-db name stolen"],
  ["the device removed", "alpha/web", "link delete to-db"],
  ["every address removed", "alpha/web", "address flush dev to-db"],
  ["the tunnel device set down", "alpha", "link set X down"],
  ["the tunnel device renamed", "alpha", "link set X down", "link set X name mine"],
  ["the tunnel device removed", "alpha", "link delete X"],
  ["the host's end set down", "alpha", "link set V down"],
  ["the host's end renamed", "alpha", "link set V down", "link set V name mine"],
  ["IPv6 switched off", "alpha/web", "sysctl net.ipv6.conf.to-db.disable_ipv6=1"],
  [
    "IPv6 switched off and on again",
    "alpha/web",
    "sysctl net.ipv6.conf.to-db.disable_ipv6=1",
    "sysctl net.ipv6.conf.to-db.disable_ipv6=0",
  ],
  ["the program of the tunnel device removed", "alpha", "qdisc delete dev X ingress"],
  ["the program of the host's end removed", "alpha", "qdisc delete dev V ingress"],
  ["a policy's rules removed", "alpha/web", "-4 rule flush protocol 78"],
  ["a policy's routes removed", "alpha/web", "-4 route flush table all proto 78"],
];

/** Runs `ip …`, `tc qdisc …` or `sysctl …` in the namespace. */
function run(netns: Netns, command: string): void {
  const name = netns.slice(netns.lastIndexOf("/") + 1);
  const [tool = "", ...words] = command.split(" ");
  if (tool === "sysctl") execFileSync("ip", ["netns", "exec", name, "sysctl", "-q", "-w", ...words]);
  else execFileSync(tool === "qdisc" ? "tc" : "ip", ["-n", name, tool, ...words]);
}

/** The wire as `ip` shows it: addresses, routes, neighbours, MAC, MTU and state, without the kernel's counters. */
function wireOf(alpha: Netns, web: Netns): unknown {
  const device = ipJson(web, "link", "show").find(({ ifname }) => ifname === "to-db");
  const fields = (rows: readonly Record<string, unknown>[], ...keys: readonly string[]): string[] =>
    rows.map((row) => keys.map((key) => JSON.stringify(row[key])).join(" ")).toSorted();
  if (!device) return undefined;
  const pair = pairOf(alpha, Number(device["ifindex"]));
  return {
    device: fields([device], "address", "mtu", "operstate"),
    addresses: ipJson(web, "address", "show", "dev", "to-db", "scope", "global").flatMap((row) =>
      fields(
        (row["addr_info"] as readonly Record<string, unknown>[]).filter(
          ({ local }) => local !== THEIR_ADDRESS,
        ),
        "local",
        "address",
        "prefixlen",
      ),
    ),
    // The kernel removes foreign routes when others set the device down.
    routes: [4, 6].map((family) =>
      fields(
        ipJson(web, `-${family}`, "route", "show", "dev", "to-db").filter(({ dst }) => dst !== THEIR_ROUTE),
        "dst",
        "gateway",
      ),
    ),
    neighbors: fields(ipJson(web, "neighbor", "show", "dev", "to-db", "nud", "permanent"), "dst", "lladdr"),
    rules: fields(ipJson(web, "rule", "show"), "priority", "src", "table"),
    policyRoutes: fields(ipJson(web, "-4", "route", "show", "table", "all", "proto", "78"), "dst", "table"),
    linkLocal: ipJson(web, "-6", "address", "show", "dev", "to-db", "scope", "link").length,
    pair: fields(pair, "ifname", "operstate"),
    tunnels: fields(tunnelsOf(alpha), "ifname", "operstate"),
    programs: [...pair, ...tunnelsOf(alpha)].map(({ ifname }) => ingressOf(alpha, String(ifname))),
  };
}

/** The host's end of the pair whose other end has this index. */
function pairOf(alpha: Netns, index: number): readonly Record<string, unknown>[] {
  return ipJson(alpha, "link", "show", "type", "veth").filter((link) => link["link_index"] === index);
}

function ingressOf(netns: Netns, device: string): boolean {
  const name = netns.slice(netns.lastIndexOf("/") + 1);
  // By now the pair may have another name.
  return /ingress/.test(spawnSync("tc", ["-n", name, "qdisc", "show", "dev", device]).stdout.toString());
}

/** The output of `netloom status` about the wires of a host. */
async function askedOf(
  lab: string,
  host: string,
): Promise<{ readonly wires: readonly { readonly putRight?: { readonly count: number } }[] }> {
  const { stdout } = await netloom(["status", "--lab", lab, "--host", host, "-o", "json"]);
  return JSON.parse(stdout) as { wires: [] };
}

function tunnelsOf(alpha: Netns): readonly Record<string, unknown>[] {
  return ipJson(alpha, "link", "show", "type", "vxlan");
}

test(
  "foreign objects on a wire's device are not touched, and foreign changes of the wire are repaired",
  { skip: needsRoot },
  async (t) => {
    const lab = await labFixture(t);
    await lab.up(TEXT);
    const [alpha, web] = [netnsOf(lab.name, "alpha"), netnsOf(lab.name, "alpha/web")];
    const theirs = (): unknown => [
      ipJson(web, "address", "show", "dev", "to-db", "to", THEIR_ADDRESS).flatMap((row) =>
        (row["addr_info"] as readonly Record<string, unknown>[]).filter(
          ({ local }) => local === THEIR_ADDRESS,
        ),
      ),
      ipJson(web, "route", "show", THEIR_ROUTE),
      ipJson(web, "rule", "show", "pref", "4711"),
      ipJson(web, "link", "show", "theirs").map(({ ifname, mtu }) => [ifname, mtu]),
    ];
    run(web, `address add ${THEIR_ADDRESS}/32 dev to-db`);
    run(web, `route add ${THEIR_ROUTE} dev to-db`);
    run(web, "rule add pref 4711 lookup 4711");
    run(web, "link add theirs type veth peer name theirs2");
    const before = theirs();
    // A second wire is made and removed beside it.
    await lab.up(
      `${TEXT}---\napiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: also-db }\nspec: { workload: alpha/web, service: db, interface: also-db }\n`,
    );
    await lab.up(TEXT);
    await lab.assertHealthy();
    assert.deepEqual(theirs(), before);

    const whole = wireOf(alpha, web);
    const tunnel = String(tunnelsOf(alpha)[0]?.["ifname"]);
    const index = Number(ipJson(web, "link", "show", "to-db")[0]?.["ifindex"]);
    const pair = String(pairOf(alpha, index)[0]?.["ifname"]);
    for (const [title, place, ...commands] of tampering)
      await t.test(title, { timeout: HANG_MS }, async ({ signal }) => {
        const isTheDevices = commands.includes("link delete to-db");
        if (isTheDevices) assert.deepEqual((theirs() as unknown[])[0], (before as unknown[])[0]);
        for (const command of commands)
          run(netnsOf(lab.name, place), command.replace("X", tunnel).replace("V", pair));
        while (!signal.aborted && JSON.stringify(wireOf(alpha, web)) !== JSON.stringify(whole))
          await moment(50);
        assert.deepEqual(wireOf(alpha, web), whole);
      });
    const again = theirs() as unknown[];
    // Foreign addresses and routes have gone with the device.
    assert.deepEqual(again.slice(2), (before as unknown[]).slice(2));
    await lab.assertHealthy();
    const { wires } = await askedOf(lab.name, "alpha");
    assert.ok((wires[0]?.putRight?.count ?? 0) >= tampering.length, JSON.stringify(wires[0]?.putRight));
  },
);
