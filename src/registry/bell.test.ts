import { test } from "node:test";
import { race, rootScope } from "../chain/scope.ts";
import { nodeClock } from "../transport/node-clock.ts";
import { Bell } from "./bell.ts";

test("who waits for a bell is let go, without an error, when its scope ends", async () => {
  const clock = nodeClock();
  const root = rootScope("test", clock);
  const scope = root.child("waiting");
  const waited = new Bell().wait({ clock, race }, scope, 60_000);
  await scope.end();
  await waited;
  await root.end();
});
