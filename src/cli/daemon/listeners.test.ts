import assert from "node:assert/strict";
import { test } from "node:test";
import { agentListeners } from "./listeners.ts";

test("an agent always has a socket: the default one, unless another one is given", () => {
  const usual = "unix:///run/netloom/agent.sock";
  const [tcp, own] = ["tcp://10.0.0.1:5001", "unix:///run/alpha.sock"];
  assert.deepEqual(agentListeners(undefined), [usual]);
  assert.deepEqual(agentListeners([tcp]), [usual, tcp]);
  assert.deepEqual(agentListeners([tcp, own]), [tcp, own]);
});
