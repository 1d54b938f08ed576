import assert from "node:assert/strict";
import { test } from "node:test";
import { NetloomError } from "../../errors/errors.ts";
import { reason } from "../../errors/reasons.ts";
import { Chain } from "../../../fixtures/elements/chain.ts";
import { Worlds } from "../../../fixtures/elements/world.ts";
import { Onward } from "./onward.ts";

test("a failure at either end of the next wire is reported at the endpoint's end of the first one", async () => {
  const worlds = new Worlds();
  const onward = new Onward({
    name: "firewall",
    netns: "file:///run/netns/firewall",
    nameOf: () => "out-1",
    labels: () => ({}),
    passage: () => ({ ask: () => {}, answer: () => undefined }),
    answers: { answer: () => undefined, keepAnswer: () => {}, dropAnswer: () => {} },
    isAlive: () => Promise.resolve(true),
  });
  const chain = new Chain(worlds.world("alpha"), [onward.element()]);
  const taken = reason("INTERFACE_TAKEN", { interface: "out-1" });
  await worlds.run(async () => {
    for (const [side, told] of [
      ["client", "endpoint"],
      ["endpoint", "endpoint"],
      [undefined, undefined],
    ] as const) {
      chain.answer = () => {
        throw new NetloomError("ALREADY_EXISTS", "it is taken", { side, reason: taken, hint: "another" });
      };
      await assert.rejects(chain.request({ id: `c-${side}` }), {
        code: "ALREADY_EXISTS",
        message: "it is taken",
        hint: "another",
        side: told,
        reason: taken,
      });
    }
  });
});
