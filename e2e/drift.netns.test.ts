/**
 * What others remove, rename, change or flush of a wire is put right, and what is theirs is not touched:
 *
 *   alpha 10.1.0.1 ──────── beta 10.1.0.2
 *     web: to-db ═══ vxlan ═══ db: db-…
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { labFixture } from "../fixtures/lab/lab.ts";
import { netnsOf } from "../src/lab/topology/topology.ts";
import { ipJson } from "../fixtures/linux/frame.ts";
import { needsRoot } from "../fixtures/linux/netns.ts";
import type { Netns } from "../src/kernel/kernel.ts";
import { moment } from "../fixtures/async/until.ts";

const FOLLOWERS = "needs the followers of the kernel's facts, which come with the data path";
/** What is not put right ends here: soon, as long as nothing is. */
const HANG_MS = 400;

const TEXT = `name: NAME
hosts:
  alpha: { workloads: [web] }
  beta: { workloads: [db] }
links: [[alpha, beta]]
agents: true
attachments:
  - { kind: Expose, name: db, workload: beta/db, services: [db], pools: [10.9.0.0/24, "fd09::/64"] }
  - { kind: Connect, name: web-db, workload: alpha/web, service: db, interface: to-db }
`;

/** What somebody does in the workload, and what is looked at. `X` stands for the tunnel device in the host. */
const tampering: readonly (readonly [title: string, place: string, ...commands: readonly string[]])[] = [
  ["the device set down", "alpha/web", "link set to-db down"],
  ["another MAC", "alpha/web", "link set to-db address 02:00:00:00:00:77"],
  ["another MTU", "alpha/web", "link set to-db mtu 1300"],
  ["an address removed", "alpha/web", "-4 address flush dev to-db"],
  ["all routes flushed", "alpha/web", "-6 route flush dev to-db"],
  ["a neighbour removed", "alpha/web", "neighbor flush dev to-db nud permanent"],
  ["the device renamed", "alpha/web", "link set to-db down", "link set to-db name stolen"],
  ["the device removed", "alpha/web", "link delete to-db"],
  ["the tunnel device set down", "alpha", "link set X down"],
  ["the tunnel device renamed", "alpha", "link set X down", "link set X name mine", "link set mine up"],
  ["the tunnel device removed", "alpha", "link delete X"],
];

function run(netns: Netns, command: string): void {
  execFileSync("ip", ["-n", netns.slice(netns.lastIndexOf("/") + 1), ...command.split(" ")]);
}

/** The wire as `ip` tells it: addresses, routes, neighbours, MAC, MTU and state, without what the kernel counts. */
function wireOf(alpha: Netns, web: Netns): unknown {
  const device = ipJson(web, "link", "show").find(({ ifname }) => ifname === "to-db");
  const fields = (rows: readonly Record<string, unknown>[], ...keys: readonly string[]): string[] =>
    rows.map((row) => keys.map((key) => JSON.stringify(row[key])).join(" ")).toSorted();
  if (!device) return undefined;
  return {
    device: fields([device], "address", "mtu", "operstate"),
    addresses: ipJson(web, "address", "show", "dev", "to-db", "scope", "global").flatMap((row) =>
      fields(row["addr_info"] as readonly Record<string, unknown>[], "local", "address", "prefixlen"),
    ),
    routes: [4, 6].map((family) =>
      fields(ipJson(web, `-${family}`, "route", "show", "dev", "to-db"), "dst", "gateway"),
    ),
    neighbors: fields(ipJson(web, "neighbor", "show", "dev", "to-db", "nud", "permanent"), "dst", "lladdr"),
    tunnels: fields(tunnelsOf(alpha), "ifname", "operstate"),
  };
}

function tunnelsOf(alpha: Netns): readonly Record<string, unknown>[] {
  return ipJson(alpha, "link", "show", "type", "vxlan");
}

test(
  "what is others' on a wire's device is not touched; what they do to the wire is put right",
  { skip: needsRoot },
  async (t) => {
    const lab = await labFixture(t);
    await lab.up(TEXT);
    const [alpha, web] = [netnsOf(lab.name, "alpha"), netnsOf(lab.name, "alpha/web")];
    const theirs = (): unknown => [
      ipJson(web, "address", "show", "dev", "to-db", "to", "192.0.2.1"),
      ipJson(web, "route", "show", "198.51.100.0/24"),
      ipJson(web, "rule", "show", "pref", "4711"),
      ipJson(web, "link", "show", "theirs").map(({ ifname, mtu }) => [ifname, mtu]),
    ];
    run(web, "address add 192.0.2.1/32 dev to-db");
    run(web, "route add 198.51.100.0/24 dev to-db");
    run(web, "rule add pref 4711 lookup 4711");
    run(web, "link add theirs type veth peer name theirs2");
    const before = theirs();
    // A second wire comes and goes beside it.
    await lab.up(
      `${TEXT}  - { kind: Connect, name: also-db, workload: alpha/web, service: db, interface: also-db }\n`,
    );
    await lab.up(TEXT);
    await lab.assertHealthy();
    assert.deepEqual(theirs(), before);

    const whole = wireOf(alpha, web);
    const tunnel = String(tunnelsOf(alpha)[0]?.["ifname"]);
    for (const [title, place, ...commands] of tampering)
      await t.test(title, { todo: FOLLOWERS, timeout: HANG_MS }, async ({ signal }) => {
        for (const command of commands) run(netnsOf(lab.name, place), command.replace("X", tunnel));
        while (!signal.aborted && JSON.stringify(wireOf(alpha, web)) !== JSON.stringify(whole))
          await moment(50);
        assert.deepEqual(wireOf(alpha, web), whole);
      });
  },
);
