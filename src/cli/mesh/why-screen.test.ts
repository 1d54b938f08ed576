import assert from "node:assert/strict";
import { test } from "node:test";
import type { WhyDocument } from "./why-document.ts";
import { whyScreen } from "./why-screen.ts";

const NOW_MS = Date.UTC(2026, 0, 31, 12);

const why: WhyDocument = {
  service: "db",
  payload: "IP",
  labels: { tier: "gold", app: "web" },
  judgements: [
    { match: 0, taken: false, reason: "is for clients with app=batch" },
    { match: 1, route: 0, endpoint: "db-1.beta", taken: true, reason: "has the labels of the route" },
    { match: 1, route: 0, endpoint: "db-2.gamma", taken: false, reason: "does not have zone=east" },
  ],
  candidates: [
    { endpoint: "db-1.beta", host: "beta", url: "tcp://10.0.0.2:5001", weight: 3, labels: { zone: "east" } },
    { endpoint: "db-9", host: "", url: "tcp://10.0.0.9:5001", weight: 0, labels: {} },
  ],
  last: {
    at: "2026-01-31T11:58:00.000Z",
    wireId: "w1",
    taken: "db-1.beta",
    failed: [{ endpoint: "db-9", reason: "call tcp://10.0.0.9:5001: nobody answers there\u001B[2J" }],
    judgements: [],
  },
};

const draw = (document: WhyDocument, client = "web-db"): string =>
  whyScreen(client, document, NOW_MS)
    .map(({ text }) => text)
    .join("\n");

test("why shows each judgement, the order of the candidates, and what has happened", () => {
  assert.equal(
    draw(why),
    `db (payload IP) for web-db, labels: app=web, tier=gold

what would happen now:
  ✗ matches[0]                        is for clients with app=batch
  ✓ matches[1].routes[0]  db-1.beta   has the labels of the route
  ✗ matches[1].routes[0]  db-2.gamma  does not have zone=east

they would be tried in this order:
  1. db-1.beta  on beta              weight 3  zone=east
  2. db-9       tcp://10.0.0.9:5001            none

the last request for wire w1, 2 min ago:
  ✗ db-9 failed: call tcp://10.0.0.9:5001: nobody answers there\\u{1b}[2J
  ✓ db-1.beta was taken`,
  );
});

test("why without a candidate shows the problem, and that nothing has happened yet", () => {
  const { last: _last, ...rest } = why;
  const drawn = draw({ ...rest, candidates: [], problem: "no endpoint offers db now" }, "-");
  assert.match(drawn, /^db \(payload IP\), labels: /);
  assert.match(drawn, /\n {2}no endpoint: no endpoint offers db now\n\nno request for it on this host yet$/);
});

test("why reports that no endpoint has answered", () => {
  assert.match(
    draw({ ...why, ...(why.last && { last: { ...why.last, taken: "" } }) }),
    /\n {2}no endpoint has answered$/,
  );
});

test("why of an existing wire ends with its path, hop by hop", () => {
  const path = "vxlan vni 7 alpha→gamma, gamma→beta";
  assert.ok(draw({ ...why, path }).endsWith(`\n\nthe path of its wire: ${path}`));
});
