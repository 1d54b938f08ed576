/**
 * Real rules of nftables and of both versions of iptables: which of them the doctor reports as matching tunnel packets.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test, type TestContext } from "node:test";
import { fakeHost, type FakeHostOptions } from "../../../fixtures/cli/fake-host.ts";
import { inside } from "../../../fixtures/linux/inside.ts";
import { needsRoot, netnsFixture } from "../../../fixtures/linux/netns.ts";
import { netfilterCheck } from "./netfilter.ts";
import { readNetworkState } from "./network-state.ts";

const skip = needsRoot;
const NOTHING = ["no rule matches tunnel packets"];

/** A host with the address 10.8.0.1, and these rules. */
async function firewall(
  t: TestContext,
  ruleset: string,
  ...commands: readonly (readonly [string, ...string[]])[]
): Promise<(options?: FakeHostOptions) => string[]> {
  const net = await netnsFixture(t);
  const name = net.nameOf(await net.netns());
  const run = (input: string, ...words: readonly string[]): void =>
    void execFileSync("ip", ["netns", "exec", name, ...words], { input });
  run("", "ip", "link", "set", "lo", "up");
  run("", "ip", "address", "add", "10.8.0.1/24", "dev", "lo");
  if (ruleset !== "") run(`${ruleset}\n`, "nft", "-f", "-");
  for (const command of commands) run("", ...command);
  const state = inside(name, () => readNetworkState());
  return (options = {}) =>
    netfilterCheck.run(fakeHost(t, { ...state, devices: [], ...options })).map(({ what }) => what);
}

test("rules that cannot match tunnel packets are not reported", { skip }, async (t) => {
  const told = await firewall(
    t,
    `table inet filter {
      chain input {
        type filter hook input priority 0; policy accept;
        tcp dport 22 drop
        udp dport 53 drop
        udp dport 5000-6000 reject
        ip saddr 10.8.0.0/24 udp dport 4790 drop
        meta l4proto icmp drop
        ip daddr 10.9.0.1 drop
        udp dport 4789 accept
        counter
      }
      chain forward { type filter hook forward priority 0; policy drop; }
      chain unused { udp dport 4789 drop; }
    }
    table ip nat {
      chain postrouting {
        type nat hook postrouting priority 100;
        ip saddr 172.17.0.0/16 oifname != "docker0" masquerade
      }
    }
    table bridge filter { chain input { type filter hook input priority 0; policy drop; drop; }
    }`,
  );
  assert.deepEqual(told(), NOTHING);
  assert.ok(told({ settings: { "vxlan-port": 4790 } })[0]?.includes("inet filter input"));
});

test(
  "rules that may match tunnel packets are reported with their effect, in any chain",
  { skip },
  async (t) => {
    const told = await firewall(
      t,
      `table inet filter {
      set ports { type inet_service; elements = { 1, 4789 } }
      chain input {
        type filter hook input priority 0; policy drop;
        udp dport 4789 ip saddr 10.6.6.6 drop
        udp dport 4000-5000 log prefix "tunnel"
        udp dport @ports reject
        iifname "eth0" jump tunnels
      }
      chain tunnels { meta mark set 7; goto more; }
      chain more { udp dport != 53 counter drop; }
    }
    table ip nat { chain post { type nat hook postrouting priority 100; ip saddr 10.8.0.0/24 masquerade; }
    }`,
    );
    assert.deepEqual(
      told().map((what) => what.replace(/handle \d+/, "handle N")),
      [
        "nftables: inet filter input handle N: drops it",
        "nftables: inet filter input handle N: logs it",
        "nftables: inet filter input handle N: rejects it",
        "nftables: inet filter tunnels handle N: changes it",
        "nftables: inet filter more handle N: drops it",
        "2 more rules of nftables",
      ],
    );
  },
);

test("rules of both versions of iptables are read, as far as the kernel lists them", { skip }, async (t) => {
  const told = await firewall(
    t,
    "",
    ["iptables-nft", "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP"],
    ["iptables-nft", "-A", "INPUT", "-p", "udp", "--dport", "53", "-j", "DROP"],
    ["iptables-nft", "-A", "INPUT", "-p", "udp", "--dport", "4789", "-s", "10.6.0.0/16", "-j", "DROP"],
    ["iptables-nft", "-t", "mangle", "-A", "POSTROUTING", "-p", "udp", "-j", "MARK", "--set-mark", "7"],
    ["iptables-legacy", "-A", "OUTPUT", "-p", "tcp", "-j", "DROP"],
  );
  const rules = told({ files: { "proc/self/net/ip_tables_names": "filter\n" } });
  assert.deepEqual(
    rules.map((what) => what.replace(/handle \d+/, "handle N")),
    [
      "iptables filter: tables of iptables-legacy, whose rules are not checked",
      "nftables: ip filter INPUT handle N: drops it",
      "nftables: ip mangle POSTROUTING handle N: MARK",
    ],
  );
});

test("with an agent without the fast path all packets pass the firewall", { skip }, async (t) => {
  const told = await firewall(
    t,
    "table ip f {\nchain i { type filter hook input priority 0; policy drop; }\n}",
  );
  assert.deepEqual(told(), ["nftables: ip f i drops what no rule accepts"]);
  const agent = {
    files: {
      "proc/41/comm": "node\n",
      "proc/41/cmdline": "node\0/opt/netloom/src/main.ts\0agent\0--no-fast-path\0",
    },
    links: { "proc/self/ns/net": "net:[1]", "proc/41/ns/net": "net:[1]" },
  };
  assert.deepEqual(told(agent), ["the agent sends all tunnel packets through it"]);
});
