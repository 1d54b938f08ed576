import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Pinger } from "../linux/icmp/icmp.ts";
import { needsRoot } from "../../fixtures/linux/netns.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Operation } from "../kernel/kernel.ts";
import { labFixture, type LabFixture } from "../../fixtures/lab/lab.ts";
import { down, list, status, up } from "./lab.ts";
import { leftovers, lockLab, namespacesOf, stateDirectory } from "./state.ts";
import { netnsOf } from "./topology/topology.ts";
import { moment } from "../../fixtures/async/until.ts";
import { wireTexts } from "../../fixtures/documents/documents.ts";

const skip = needsRoot;

const hosts = `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts:
    alpha: { workloads: [web, cache] }
    beta: { workloads: [db] }
  links:
    - [alpha, beta]
`;
const localWire = "{ client: alpha/web/nl-1, endpoint: alpha/cache/nl-1 }";
const remoteWire = "{ client: alpha/web/nl-2, endpoint: beta/db/nl-1 }";
const two = hosts + wireTexts([localWire, remoteWire]);

/** Makes a device of another program in the workload alpha/web. */
async function plantDevice(lab: LabFixture, name: string): Promise<void> {
  const kernel = await lab.machine.kernel({
    bpffs: stateDirectory(lab.name),
    mark: { group: 7, protocol: 200 },
  });
  const end = { netns: netnsOf(lab.name, "alpha/web"), mtuBytes: 1500, alias: "a stranger's" };
  const add: Operation = {
    verb: "add",
    object: {
      kind: "veth",
      ends: [
        { ...end, name, mac: "02:00:00:00:00:01" },
        { ...end, name: "planted1", mac: "02:00:00:00:00:02" },
      ],
    },
  };
  await kernel.apply([add]);
  await kernel.close();
}

test("after up every wire answers; a second up changes nothing and reports that", { skip }, async (t) => {
  const lab = await labFixture(t);
  const first = await lab.up(two);
  assert.equal(first.changed, true);
  assert.equal(first.namespaces.added.length, 5);
  assert.deepEqual(first.wires, { added: ["alpha/web/nl-1", "alpha/web/nl-2"], changed: [], removed: [] });
  const healthy = await lab.assertHealthy();
  assert.deepEqual(
    healthy.wires.map(({ path, mtuBytes }) => [path.replace(/vni \d+/, "vni N"), mtuBytes]),
    [
      ["veth on alpha", 1500],
      ["vxlan vni N alpha→beta", 1446],
    ],
  );
  const second = await lab.up(two);
  assert.equal(second.changed, false);
  assert.equal(second.operations, 0);
  assert.equal(readFileSync(`${stateDirectory(lab.name)}/lab.yaml`, "utf8"), two.replace("NAME", lab.name));
});

test("up applies the difference of a changed file, and kept wires lose no packet", { skip }, async (t) => {
  const lab = await labFixture(t);
  await lab.up(two);
  const pinger = await Pinger.open(
    lab.machine,
    netnsOf(lab.name, "alpha/web"),
    (await lab.status()).wires[0]?.addresses.endpoint[0] ?? "",
  );
  const over = new AbortController();
  const lost = (async () => {
    let lost = 0;
    while (!over.signal.aborted) {
      if ((await pinger.probe({ timeoutMs: 2000 })).rttMs === undefined) lost++;
      // Without this an immediate answer would not let the event loop run.
      await nextTurn();
    }
    return lost;
  })();
  try {
    const grown = `${hosts.replace("[db]", "[db, log]")}    - [beta, gamma]\n${wireTexts([localWire, "{ client: beta/log/nl-1, endpoint: gamma/app/nl-1 }"])}`;
    const report = await lab.up(grown.replace("  links:", "    gamma: { workloads: [app] }\n  links:"));
    assert.deepEqual(report.wires, { added: ["beta/log/nl-1"], changed: [], removed: ["alpha/web/nl-2"] });
    assert.deepEqual(report.namespaces.added.map((name) => name.replace(lab.name, "NAME")).sort(), [
      "nl-NAME-beta-log",
      "nl-NAME-gamma",
      "nl-NAME-gamma-app",
    ]);
    await lab.assertHealthy();
    const shrunk = await lab.up(two);
    assert.deepEqual(shrunk.wires, { added: ["alpha/web/nl-2"], changed: [], removed: ["beta/log/nl-1"] });
    assert.equal(shrunk.namespaces.removed.length, 3);
    await lab.assertHealthy();
  } finally {
    over.abort();
    assert.equal(await lost, 0);
    pinger.close();
  }
});

test("a changed MTU, address and link are applied in place", { skip }, async (t) => {
  const lab = await labFixture(t);
  await lab.up(two);
  const changed = `${hosts.replace("[alpha, beta]", "{ ends: [alpha, beta], mtu: 2000, subnets: [10.77.0.0/24] }")}${wireTexts(
    [
      localWire.replace(" }", ", mtu: 4000 }"),
      remoteWire.replace(" }", ", addresses: { client: [10.1.1.1], endpoint: [10.1.1.2] } }"),
    ],
  )}`;
  const report = await lab.up(changed);
  assert.deepEqual(report.wires.changed.toSorted(), ["alpha/web/nl-1", "alpha/web/nl-2"]);
  const now = await lab.assertHealthy();
  assert.deepEqual(
    now.wires.map(({ mtuBytes }) => mtuBytes),
    [4000, 1946],
  );
  assert.equal((await lab.up(changed)).changed, false);
});

test("status shows objects that others removed, and up restores them", { skip }, async (t) => {
  const lab = await labFixture(t);
  await lab.up(two);
  const kernel = await lab.machine.kernel({
    host: netnsOf(lab.name, "alpha"),
    bpffs: `${stateDirectory(lab.name)}/bpf/alpha`,
  });
  const netns = netnsOf(lab.name, "alpha/web");
  const objects = await kernel.observe([{ netns, links: ["nl-1"] }]);
  const address = objects.find((object) => object.kind === "address" && object.address.includes("."));
  assert.ok(address);
  await kernel.apply([{ verb: "remove", object: address }]);
  await kernel.close();
  const now = await lab.status();
  assert.equal(now.wires[0]?.state, "down");
  assert.match(now.wires[0]?.differences.join() ?? "", /missing: address/);
  assert.equal(now.wires[1]?.state, "up");
  assert.deepEqual((await lab.up(two)).wires, { added: [], changed: ["alpha/web/nl-1"], removed: [] });
  await lab.assertHealthy();
});

test(
  "two labs with the same names inside coexist, and down of one does not touch the other",
  { skip },
  async (t) => {
    const [one, other] = [await labFixture(t), await labFixture(t)];
    await Promise.all([one.up(two), other.up(two)]);
    await Promise.all([one.assertHealthy(), other.assertHealthy()]);
    assert.ok((await list()).includes(one.name) && (await list()).includes(other.name));
    assert.equal((await one.down()).existed, true);
    assert.deepEqual(await leftovers(one.name), []);
    await other.assertHealthy();
  },
);

test("down of a missing lab reports that", { skip }, async (t) => {
  const lab = await labFixture(t);
  assert.deepEqual(
    { ...(await lab.down()), durationMs: 0 },
    { existed: false, namespaces: [], survivors: [], durationMs: 0 },
  );
  assert.equal(existsSync(stateDirectory(lab.name)), false);
  await assert.rejects(status(lab.machine, lab.name), { code: "NOT_FOUND" });
});

test("a lab name cannot lead out of the directory of labs", { skip }, async (t) => {
  const { machine } = await labFixture(t);
  for (const name of ["../x", "", "a/b", "..", "a-b"]) {
    await assert.rejects(down(machine, name), { code: "INVALID_ARGUMENT" }, name);
    await assert.rejects(status(machine, name), { code: "INVALID_ARGUMENT" }, name);
  }
});

test("a wrong file changes nothing", { skip }, async (t) => {
  const lab = await labFixture(t);
  await assert.rejects(lab.up(two.replace("alpha/cache", "alpha/cash")), { code: "INVALID_ARGUMENT" });
  assert.deepEqual(await leftovers(lab.name), []);
});

test("a new lab that fails half-way leaves nothing", { skip }, async (t) => {
  const lab = await labFixture(t);
  const aborted = AbortSignal.abort(new NetloomError("CANCELLED", "ended by SIGINT"));
  await assert.rejects(lab.up(two, { signal: aborted }), { code: "CANCELLED" });
  assert.deepEqual(await leftovers(lab.name), []);
});

test("a change that fails half-way leaves the lab as it was", { skip }, async (t) => {
  const lab = await labFixture(t);
  await lab.up(two);
  await plantDevice(lab, "nl-3");
  const taken = `${hosts}    - [beta, gamma]\n${wireTexts([remoteWire, "{ client: alpha/web/nl-3, endpoint: beta/db/nl-3 }"])}`;
  await assert.rejects(lab.up(taken.replace("  links:", "    gamma:\n  links:")), (error: unknown) => {
    assert.ok(error instanceof NetloomError && error.code === "ALREADY_EXISTS", String(error));
    assert.match(error.message, /nl-3/);
    return true;
  });
  assert.equal((await namespacesOf(lab.name)).length, 5);
  await lab.assertHealthy();
  assert.equal((await lab.up(two)).changed, false);
});

test("up refuses a foreign namespace with a name of the lab, and does not touch it", { skip }, async (t) => {
  const lab = await labFixture(t);
  await lab.machine.createNetns(`/run/netns/nl-${lab.name}-alpha`);
  await assert.rejects(lab.up(two), { code: "ALREADY_EXISTS" });
  assert.equal(existsSync(`/run/netns/nl-${lab.name}-alpha`), true);
  assert.equal(existsSync(stateDirectory(lab.name)), false);
  assert.equal((await lab.down()).existed, true);
});

test("up waits for another process that changes the lab", { skip }, async (t) => {
  const lab = await labFixture(t);
  const lock = await lockLab(lab.name);
  let isUp = false;
  const waiting = lab.up(two).then(() => {
    isUp = true;
  });
  await assert.rejects(
    Promise.race([waiting, moment(100).then(() => assert.fail("still waiting"))]),
    /still/,
  );
  assert.equal(isUp, false);
  lock.release();
  await waiting;
  await lab.assertHealthy();
});

test("every workload reaches the other ends of its wires, and nothing else", { skip }, async (t) => {
  const lab = await labFixture(t);
  const { lab: model } = await lab.up(`apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: NAME }
spec:
  hosts:
    alpha: { workloads: [a, b] }
    beta: { workloads: [c, d] }
  links:
    - [alpha, beta]
${wireTexts(["{ client: alpha/a/w, endpoint: beta/c/w }", "{ client: alpha/b/w, endpoint: beta/d/w }"])}`);
  await lab.assertHealthy();
  const [first, second] = model.wires;
  for (const address of second?.endpoint.addresses ?? []) {
    await assert.rejects(
      Pinger.open(lab.machine, netnsOf(lab.name, "alpha/a"), address),
      /ENETUNREACH|EHOSTUNREACH/,
    );
  }
  assert.ok(first && second);
});

test(
  "up refuses a text that is not a lab before anything is made, for any file name",
  { skip },
  async (t) => {
    const lab = await labFixture(t);
    await assert.rejects(up(lab.machine, "]", "-"), { name: "FileError" });
  },
);
