/**
 * Pairs of labs that are changed into each other: names, addresses and subnets move between objects.
 *
 * ```
 *   web, app ─ alpha ═══ beta ─ db, mail
 *                 ╚═ gamma ═╝
 * ```
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { needsRoot } from "../../fixtures/linux/netns.ts";
import { labFixture } from "../../fixtures/lab/lab.ts";
import { wireTexts } from "../../fixtures/documents/documents.ts";

const skip = needsRoot;

interface Drawn {
  /** Subnets of the links alpha-beta, beta-gamma and alpha-gamma. */
  readonly subnets: readonly number[];
  readonly wires: readonly string[];
}

function textOf({ subnets, wires }: Drawn): string {
  const ends = ["alpha, beta", "beta, gamma", "alpha, gamma"];
  const links = subnets.map(
    (n, i) => `    - { ends: [${ends[i]}], subnets: [10.77.${n}.0/24, "fd77:${n}::/64"] }\n`,
  );
  return `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts:
    alpha: { workloads: [web, app] }
    beta: { workloads: [db, mail] }
    gamma: {}
  links:
${links.join("")}${wireTexts(wires)}`;
}

/** A wire with the nth pair of addresses. */
function wire(client: string, endpoint: string, n: number, extra = ""): string {
  const addresses = [1, 2].map((end) => `[10.1.${n}.${end}, "fd01:${n}::${end}"]`);
  return `{ client: ${client}, endpoint: ${endpoint}, addresses: { client: ${addresses[0]}, endpoint: ${addresses[1]} }${extra} }`;
}

const PAIRS: readonly (readonly [string, Drawn, Drawn])[] = [
  [
    "two endpoints exchange their devices",
    {
      subnets: [1, 2, 3],
      wires: [wire("alpha/web/a", "alpha/app/x", 1), wire("alpha/web/b", "alpha/app/y", 2)],
    },
    {
      subnets: [1, 2, 3],
      wires: [wire("alpha/web/a", "alpha/app/y", 1), wire("alpha/web/b", "alpha/app/x", 2)],
    },
  ],
  [
    "a changed wire gives its name to a new one",
    { subnets: [1, 2, 3], wires: [wire("alpha/web/a", "alpha/app/x", 1)] },
    {
      subnets: [1, 2, 3],
      wires: [wire("alpha/web/b", "alpha/app/x", 2), wire("alpha/web/a", "alpha/app/y", 1)],
    },
  ],
  [
    "a changed wire gives its addresses to a new one",
    { subnets: [1, 2, 3], wires: [wire("alpha/web/a", "beta/db/x", 1)] },
    { subnets: [1, 2, 3], wires: [wire("alpha/web/a", "beta/db/x", 2), wire("alpha/web/b", "beta/db/y", 1)] },
  ],
  [
    "three wires exchange their addresses and devices in a circle",
    {
      subnets: [1, 2, 3],
      wires: [
        wire("alpha/web/a", "beta/db/x", 1),
        wire("alpha/web/b", "beta/db/y", 2),
        wire("alpha/web/c", "beta/db/z", 3),
      ],
    },
    {
      subnets: [1, 2, 3],
      wires: [
        wire("alpha/web/a", "beta/db/y", 2),
        wire("alpha/web/b", "beta/db/z", 3),
        wire("alpha/web/c", "beta/db/x", 1),
      ],
    },
  ],
  [
    "tunnels exchange their identifiers",
    {
      subnets: [1, 2, 3],
      wires: [
        wire("alpha/web/a", "beta/db/x", 1, ", vni: 71"),
        wire("alpha/web/b", "beta/mail/y", 2, ", vni: 72"),
      ],
    },
    {
      subnets: [1, 2, 3],
      wires: [
        wire("alpha/web/a", "beta/db/x", 1, ", vni: 72"),
        wire("alpha/web/b", "beta/mail/y", 2, ", vni: 71"),
      ],
    },
  ],
  [
    "links exchange their subnets in a circle, and their wires stay",
    {
      subnets: [1, 2, 3],
      wires: [wire("alpha/web/a", "beta/db/x", 1), wire("alpha/web/b", "alpha/app/y", 2)],
    },
    {
      subnets: [2, 3, 1],
      wires: [wire("alpha/web/a", "beta/db/x", 1), wire("alpha/web/b", "alpha/app/y", 2)],
    },
  ],
  [
    "a link gives its subnet to a new link",
    { subnets: [1, 2], wires: [wire("alpha/web/a", "beta/db/x", 1)] },
    { subnets: [4, 2, 1], wires: [wire("alpha/web/a", "beta/db/x", 1)] },
  ],
];

for (const [title, first, second] of PAIRS) {
  test(`${title}, and back`, { skip }, async (t) => {
    const lab = await labFixture(t);
    await lab.up(textOf(first));
    for (const next of [second, first]) {
      await lab.up(textOf(next));
      await lab.assertHealthy();
      assert.equal((await lab.up(textOf(next))).changed, false);
    }
  });
}
