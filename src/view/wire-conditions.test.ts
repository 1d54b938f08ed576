import assert from "node:assert/strict";
import { test } from "node:test";
import { wireConditions } from "./wire-conditions.ts";
import type { State } from "./state.ts";

function told(state: State): string[] {
  return wireConditions({ state, reason: "why" }).map(
    ({ type, status, reason }) => `${type}=${status} ${reason}`,
  );
}

test("a wire of a status is programmed, whatever its state, and is unreachable only if its host knows that", () => {
  const cases: readonly (readonly [State, string, string, string])[] = [
    ["up", "Ready=True Up", "Reachable=Unknown NotProven", "Healing=False Up"],
    ["down", "Ready=False Down", "Reachable=False Down", "Healing=False Down"],
    ["waiting", "Ready=False Waiting", "Reachable=False Waiting", "Healing=False Waiting"],
    ["healing", "Ready=False Healing", "Reachable=Unknown NotProven", "Healing=True Lost"],
    ["unclaimed", "Ready=False Unclaimed", "Reachable=Unknown NotProven", "Healing=False Unclaimed"],
  ];
  for (const [state, ready, reachable, healing] of cases)
    assert.deepEqual(told(state), [ready, "Programmed=True Programmed", reachable, healing], state);
});

test("the report of a wire's hosts decides whether it is reachable, unless the wire is down", () => {
  const reachable = { type: "Reachable", status: "True", reason: "BothEndsUp" } as const;
  const status = (state: State): string | undefined =>
    wireConditions({ state, reachable }).find(({ type }) => type === "Reachable")?.status;
  assert.deepEqual([status("up"), status("down")], ["True", "False"]);
});
