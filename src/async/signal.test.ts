import { test } from "node:test";
import { rootScope } from "./task-scope.ts";
import { nodeClock } from "../transport/node-clock.ts";
import { Signal } from "./signal.ts";

test("wait resolves without an error when its scope ends", async () => {
  const clock = nodeClock();
  const root = rootScope("test", clock);
  const scope = root.child("waiting");
  const waited = new Signal().wait(clock, scope, 60_000);
  await scope.end();
  await waited;
  await root.end();
});
