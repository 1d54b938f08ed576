/** Routes, policies and MTU have one check: a wire of a lab and an equal provider are refused with the same words. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { DOCUMENTS } from "../../documents/documents.ts";
import { firstWire } from "../../documents/fragments/first-wire.ts";
import type { Problem } from "../../text/problem.ts";
import { labText, providerDocument } from "../../../fixtures/documents/documents.ts";
import { parseLab } from "./parse.ts";

const POOLS = { ipv4: ["10.0.0.0/24"], ipv6: ["fd00::/64"], dual: ["10.0.0.0/24", "fd00::/64"] } as const;

const prefix = fc.oneof(
  fc.constantFrom("10.0.0.0/8", "10.1.0.0/16", "fd00::/8", "FD01:0::/32", "0.0.0.0/0", "::/0", "10.0.0.1/24"),
  fc.constantFrom("x", "10.0.0.0", "224.0.0.0/4", "fe80::/64"),
);
const hop = fc.constantFrom(
  "10.0.0.0",
  "10.0.0.1",
  "10.1.0.1",
  "fd00::",
  "fd00::1",
  "fd01::1",
  "224.0.0.1",
  "x",
);
const route = fc.oneof(prefix, fc.record({ to: prefix, via: hop }, { requiredKeys: ["to"] }));
const routes = fc.array(route, { maxLength: 3 });
const port = fc.constantFrom<string | number>(80, 0, "8000-8999", "x", "9-8");
const policy = fc.record(
  {
    from: prefix,
    protocol: fc.constantFrom("tcp", "icmp"),
    sourcePorts: port,
    destinationPorts: port,
    routes,
  },
  { requiredKeys: [] },
);
const written = fc.record(
  {
    routes: fc.record({ client: routes, endpoint: routes }, { requiredKeys: [] }),
    policyRoutes: fc.array(policy, { maxLength: 2 }),
    mtu: fc.constantFrom(68, 1279, 1280, 1400),
  },
  { requiredKeys: [] },
);
const families = fc.constantFrom(...(Object.keys(POOLS) as (keyof typeof POOLS)[]));

type Written = typeof written extends fc.Arbitrary<infer T> ? T : never;

function ofProvider(part: Written, pools: readonly string[]): readonly Problem[] {
  const document = providerDocument("db", { workload: { pid: 1 }, services: ["db"], pools, ...part });
  const result = DOCUMENTS.parse(stringify(document), "x.yaml");
  return result.ok ? [] : result.problems;
}

function ofLab(part: Written, pools: readonly string[]): readonly Problem[] {
  const { srcIpAddrs = [], dstIpAddrs = [] } = firstWire({ name: "db", pools: [...pools] }).context;
  const bare = (texts: readonly string[]): string[] => texts.map((text) => text.split("/")[0] ?? "");
  const result = parseLab(
    labText("lab", {
      hosts: { alpha: { workloads: ["web", "db"] } },
      wires: [
        {
          client: "alpha/web",
          endpoint: "alpha/db",
          addresses: { client: bare(srcIpAddrs), endpoint: bare(dstIpAddrs) },
          ...part,
        },
      ],
    }),
    "x.yaml",
  );
  return result.ok ? [] : result.problems;
}

/** The places and sentences, without the alternative to a larger MTU, which differs. */
function said(problems: readonly Problem[]): string[] {
  return problems
    .map(({ path, message }) => `${path.replace("spec.", "")}: ${message.replace(/raise it, or .*/, "")}`)
    .sort();
}

test("routes, policies and MTU are refused for the same reasons, with the same words, in a lab and by an agent", () => {
  let refused = 0;
  fc.assert(
    fc.property(written, families, (part, family) => {
      const pools = POOLS[family];
      const own = said(ofProvider(part, pools));
      assert.deepEqual(said(ofLab(part, pools)), own);
      if (own.length > 0) refused++;
    }),
    { numRuns: 1000 },
  );
  assert.ok(refused > 100, `${refused} of them were refused`);
});
