import assert from "node:assert/strict";
import { test } from "node:test";
import { readLabels, readWorkload } from "./workload.ts";

const agent = "unix:///run/netloom/agent.sock";
const read = (text: string, options = {}, isAgentGiven = false) =>
  readWorkload(text, { agent, ...options }, { isAgentGiven });

const written: readonly (readonly [string, object, object])[] = [
  ["/run/netns/web", {}, { netns: "/run/netns/web" }],
  ["web", {}, { netns: "/run/netns/web" }],
  ["pid:4711", {}, { pid: 4711 }],
  ["4711", {}, { pid: 4711 }],
  ["two/alpha/web", {}, { lab: "two/alpha/web" }],
  ["alpha/web", { lab: "two" }, { lab: "two/alpha/web" }],
  ["web", { lab: "two", host: "alpha" }, { lab: "two/alpha/web" }],
  ["two/alpha/web", { lab: "two", host: "alpha" }, { lab: "two/alpha/web" }],
];
for (const [text, options, workload] of written) {
  test(`${text} with ${JSON.stringify(options)} is ${JSON.stringify(workload)}`, () => {
    assert.deepEqual(read(text, options).workload, workload);
  });
}

test("a workload of a lab selects the agent of its host, unless another agent is named", () => {
  assert.deepEqual(read("two/alpha/web").options, { agent, lab: "two", host: "alpha" });
  assert.deepEqual(read("two/alpha/web", {}, true).options, { agent });
});

for (const [text, options] of [
  ["web", { lab: "two" }],
  ["alpha/web", {}],
  ["two/alpha/web/nsm-1", {}],
  ["two/../web", {}],
  ["other/alpha/web", { lab: "two" }],
] as const) {
  test(`${text} with ${JSON.stringify(options)} is refused with the known forms`, () => {
    assert.throws(() => read(text, options), {
      code: "INVALID_ARGUMENT",
      topic: "NL-202",
      hint: /lab\/host\/workload/,
    });
  });
}

test("labels are key=value, and a value may contain more equals signs", () => {
  assert.deepEqual(readLabels(["app=web", "q=a=b", "empty="]), { app: "web", q: "a=b", empty: "" });
  assert.throws(() => readLabels(["app"]), { message: /"app": it is not key=value/ });
});
