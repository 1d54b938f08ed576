import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../async/clock.ts";
import { Progress } from "./progress.ts";
import { type Condition, type ConditionFacts, conditionsOf } from "./conditions.ts";

function told(conditions: readonly Condition[]): string[] {
  return conditions.map(({ type, status, reason, sinceMs }) => `${type}=${status} ${reason} ${sinceMs}`);
}

const facts = (change: Partial<ConditionFacts>): ConditionFacts => ({
  state: "up",
  message: "",
  isProgrammed: true,
  ...change,
});

test("a wire that is up is ready and programmed, and its reachability is unknown", () => {
  assert.deepEqual(told(conditionsOf(facts({}), 5)), [
    "Ready=True Up 5",
    "Programmed=True Programmed 5",
    "Reachable=Unknown NotProven 5",
    "Healing=False Up 5",
  ]);
});

test("a condition keeps its time while its status stays, whatever its reason", () => {
  const first = conditionsOf(facts({ state: "waiting", isProgrammed: false }), 1);
  const second = conditionsOf(
    facts({ state: "failed", isProgrammed: false, message: "no endpoint" }),
    2,
    first,
  );
  assert.deepEqual(told(second), [
    "Ready=False Failed 1",
    "Programmed=False Failed 1",
    "Reachable=False NotProgrammed 1",
    "Healing=False Failed 1",
  ]);
  assert.equal(second[0]?.message, "no endpoint");
  assert.deepEqual(told(conditionsOf(facts({}), 3, second)), [
    "Ready=True Up 3",
    "Programmed=True Programmed 3",
    "Reachable=Unknown NotProven 3",
    "Healing=False Up 1",
  ]);
});

test("a wire that heals stays programmed, and packets may still pass", () => {
  const up = conditionsOf(facts({}), 1);
  assert.deepEqual(told(conditionsOf(facts({ state: "healing", message: "the endpoint is gone" }), 2, up)), [
    "Ready=False Healing 2",
    "Programmed=True Programmed 1",
    "Reachable=Unknown NotProven 1",
    "Healing=True Lost 2",
  ]);
});

test("the reason of a failure is the reason of its condition", () => {
  const failed = facts({ state: "failed", isProgrammed: false, cause: "NO_FREE_ADDRESS" });
  assert.equal(told(conditionsOf(failed, 1))[0], "Ready=False NoFreeAddress 1");
});

test("a port without carrier makes its wire unready and unreachable, and leaves it programmed", () => {
  const down = facts({ state: "waiting", whyDown: "port eth1 is down" });
  assert.deepEqual(told(conditionsOf(down, 2)), [
    "Ready=False LinkDown 2",
    "Programmed=True Programmed 2",
    "Reachable=False LinkDown 2",
    "Healing=False LinkDown 2",
  ]);
});

test("a port that is without carrier from the start leaves its wire programmed too", () => {
  const progress = new Progress({ wallMs: () => 1 } as Clock, () => undefined);
  progress.requesting("ask for db");
  progress.linkDown("port eth1 is down");
  assert.equal(told(progress.view.conditions)[1], "Programmed=True Programmed 1");
});
