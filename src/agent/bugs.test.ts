/** Unexpected exceptions: errors that are not operating errors. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { lineLog, NO_LOG } from "../observe/log.ts";
import type { HostWorld } from "../world/world.ts";
import { edited } from "../../fixtures/documents/documents.ts";
import { AgentMesh, DB, read, WEB } from "../../fixtures/roles/agent.ts";

/** The calls of a World that can throw the bug. The request of an attachment makes all of them. */
const PLACES = ["call", "apply", "append"] as const;

const BETA = "tcp://10.8.0.2:5001";

type Place = (typeof PLACES)[number] | "ask" | "observe" | "resolve" | "watch";

/** A world wrapper that throws a TypeError at the n-th call of `place` after `arm`. An `ask` is a call to the other host. */
function bug(place: Place, n: number) {
  let left = Infinity;
  const strike = (): void => {
    if (left-- === 0) throw new TypeError(`planted at ${place} ${n}`);
  };
  const at = <A extends readonly unknown[], R>(name: Place, call: (...args: A) => R) =>
    name === place
      ? (...args: A): R => {
          strike();
          return call(...args);
        }
      : call;
  const wrap = (world: HostWorld): HostWorld =>
    world.host !== "alpha"
      ? world
      : {
          ...world,
          kernel: {
            apply: at("apply", async (...args) => await world.kernel.apply(...args)),
            // A query for whole namespaces belongs to no request.
            observe: async (queries) =>
              queries.some(({ links }) => links)
                ? await at("observe", async () => await world.kernel.observe(queries))()
                : await world.kernel.observe(queries),
            nativeNetworks: async (...args) => await world.kernel.nativeNetworks(...args),
            devices: async (...args) => await world.kernel.devices(...args),
            ways: async (...args) => await world.kernel.ways(...args),
            addresses: async (...args) => await world.kernel.addresses(...args),
            drops: async () => await world.kernel.drops(),
            counters: async (...args) => await world.kernel.counters(...args),
            resolve: at("resolve", async (...args) => await world.kernel.resolve(...args)),
            watch: at("watch", (...args) => world.kernel.watch(...args)),
            settle: async () => await world.kernel.settle(),
          },
          disk: {
            read: async (...args) => await world.disk.read(...args),
            append: at("append", async (...args) => await world.disk.append(...args)),
            replace: async (...args) => await world.disk.replace(...args),
            sync: async (...args) => await world.disk.sync(...args),
          },
          hops: {
            serve: async (...args) => await world.hops.serve(...args),
            addressesOf: async (...args) => await world.hops.addressesOf(...args),
            hold: (...args) => world.hops.hold(...args),
            dial: (url) => {
              const hop = world.hops.dial(url);
              return {
                peer: async (...args) => await hop.peer(...args),
                call: at(
                  url === BETA ? "ask" : "call",
                  at("call", async (...args) => await hop.call(...args)),
                ),
                watch: (...args) => hop.watch(...args),
              };
            },
          },
        };
  return { wrap, arm: () => (left = n), hasStruck: () => left < 0 };
}

suite("an attachment that meets an unexpected exception", () => {
  test("for its own document has a state with the reason, and its next document starts it again", async () => {
    const mesh = new AgentMesh({ log: NO_LOG });
    // No parser accepts such a label: it stands for any unexpected value.
    const [spec] = read(edited(DB, { labels: { site: "y" } }));
    assert.ok(spec?.kind === "NetworkServiceProvider");
    const damaged = { ...spec, labels: new Map([["db", { site: "\uD800x" }]]) };
    await mesh.run(async () => {
      await mesh.sleep(100);
      const { attachments } = mesh.agent("beta");
      await attachments.apply([damaged]);
      await mesh.sleep(2_000);
      const view = attachments.find({ kind: "NetworkServiceProvider", name: "db" })?.view;
      assert.equal(view?.state, "failed");
      assert.match(view?.reason, /^work on NetworkServiceProvider db: \w*Error: .*string/);
      await mesh.apply("beta", edited(DB, { labels: { site: "x" } }));
    });
  });

  for (const place of PLACES)
    test(`in a call of ${place} ends its attempt with the reason, and the next attempt works`, async () => {
      let struck = 0;
      for (let n = 0; n < 4; n++) {
        const { wrap, arm, hasStruck } = bug(place, n);
        const mesh = new AgentMesh({ wrap, log: NO_LOG });
        await mesh.run(async () => {
          await mesh.sleep(100);
          await mesh.apply("beta", DB);
          arm();
          await mesh.apply("alpha", WEB);
          mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
        });
        if (hasStruck()) struck += 1;
      }
      assert.ok(struck > 0, "the bug was met");
    });

  for (const [what, lose] of [
    ["refreshed", async (mesh: AgentMesh) => await mesh.sleep(600_000)],
    ["healed", async (mesh: AgentMesh) => await mesh.restart("beta")],
  ] as const)
    for (const place of ["ask", "observe"] as const)
      test(`in a call of ${place} while its wire is ${what} heals with the reason, and its process and others continue`, async () => {
        let struck = 0;
        let told = 0;
        for (let n = 0; n < 3; n++) {
          const { wrap, arm, hasStruck } = bug(place, n);
          const lines: string[] = [];
          const mesh = new AgentMesh({ wrap, log: lineLog((line) => lines.push(line)) });
          await mesh.run(async () => {
            await mesh.sleep(100);
            await mesh.apply("beta", DB);
            const other = edited(WEB, { name: "other-db", spec: { workload: { lab: "lab/alpha/a2" } } });
            await mesh.apply("alpha", `${WEB}---\n${other}`);
            const { attachments } = mesh.agent("alpha");
            attachments.onChange(() => {
              const views = attachments.all().map(({ view }) => view);
              if (
                views.some(
                  ({ state, reason }) => state === "healing" && reason.includes("TypeError: planted"),
                )
              )
                told += 1;
            });
            arm();
            await lose(mesh);
            await mesh.sleep(60_000);
            for (const [name, workload] of [
              ["web-db", "a1"],
              ["other-db", "a2"],
            ] as const) {
              assert.equal(attachments.find({ kind: "NetworkServiceClient", name })?.view.state, "up", name);
              mesh.reaches(["alpha", workload], ["beta", "b1"], name);
            }
          });
          if (!hasStruck()) continue;
          struck += 1;
          assert.match(lines.join("\n"), /level=error msg="bug in a .*planted at/);
        }
        assert.ok(struck > 0 && told > 0, `struck ${struck} times, told ${told} times`);
      });
});

suite("a workload", () => {
  for (const place of ["resolve", "watch"] as const)
    test(`is found, and its death noticed, despite an unexpected exception in a call of ${place}`, async () => {
      for (let n = 0; n < 5; n++) {
        const { wrap, arm, hasStruck } = bug(place, n);
        const mesh = new AgentMesh({ wrap, log: NO_LOG });
        if (place === "watch") arm();
        await mesh.run(async () => {
          await mesh.sleep(100);
          await mesh.apply("beta", DB);
          if (place === "resolve") arm();
          await mesh.apply("alpha", WEB);
          mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
          await mesh.sleep(30_000);
          const viewOf = () =>
            mesh.agent("alpha").attachments.find({ kind: "NetworkServiceClient", name: "web-db" })?.view;
          assert.equal(viewOf()?.state, "up");
          mesh.removeWorkload("alpha", "a1");
          await mesh.sleep(1_000);
          assert.equal(viewOf()?.state, "waiting");
        });
        if (n === 0) assert.ok(hasStruck());
      }
    });
});
