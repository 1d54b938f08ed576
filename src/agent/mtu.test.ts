/** Wires between two hosts whose ways to each other change, and hosts whose tunnel addresses come and go. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { AgentMesh, DB, type HostName, WEB } from "../../fixtures/roles/agent.ts";
import { ofKind } from "../kernel/objects.ts";
import type { Netns } from "../kernel/kernel.ts";

const OVERHEAD = 54;
const ADDRESSES = { alpha: "10.8.0.1", beta: "10.8.0.2", gamma: "10.8.0.3" } as const;

function hostOf(host: HostName): Netns {
  return `file:///run/netns/nl-lab-${host}`;
}

/** Sets the MTU of the route from one host to the other. */
function lead(mesh: AgentMesh, from: HostName, to: HostName, mtuBytes: number): void {
  const via = ADDRESSES[to];
  mesh.machine.plantRoute(hostOf(from), {
    destination: `${via}/32`,
    hops: [{ link: "eth0", via }],
    mtuBytes,
  });
}

/** MTUs of the wire's devices: in the client's workload and its host, in the endpoint's workload and its host. */
async function mtus(mesh: AgentMesh): Promise<number[]> {
  const all: number[] = [];
  for (const [host, workload] of [
    ["alpha", "a1"],
    ["beta", "b1"],
  ] as const) {
    const queries = ["host" as const, mesh.netnsOf(host, workload)].map((netns) => ({ netns }));
    const objects = await mesh.simulation.kernel(host).observe(queries);
    all.push(...ofKind(objects, "veth").flatMap(({ ends }) => ends.map(({ mtuBytes }) => mtuBytes)));
  }
  return [...new Set(all)];
}

async function become(mesh: AgentMesh, width: number): Promise<void> {
  for (let i = 0; i < 100 && String(await mtus(mesh)) !== String(width - OVERHEAD); i++) await mesh.sleep(50);
  assert.deepEqual(await mtus(mesh), [width - OVERHEAD]);
}

function retrying(mesh: AgentMesh, host: HostName): string {
  const { retries } = mesh.agent(host).world;
  return retries
    .list()
    .map(({ reason }) => reason)
    .join("\n");
}

async function until(mesh: AgentMesh, isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !isSo(); i++) await mesh.sleep(50);
  assert.ok(isSo());
}

suite("the MTU of a wire fits the way there and the way back", () => {
  for (const [there, back] of [
    [1400, 1300],
    [1300, 1400],
  ] as const)
    test(`from the start, with ${there} bytes there and ${back} back`, async () => {
      const mesh = new AgentMesh();
      await mesh.run(async () => {
        await mesh.sleep(100);
        lead(mesh, "alpha", "beta", there);
        lead(mesh, "beta", "alpha", back);
        await mesh.apply("beta", DB);
        await mesh.apply("alpha", WEB);
        assert.deepEqual(await mtus(mesh), [1300 - OVERHEAD]);
      });
    });

  test("and follows changes of both, down and up", async () => {
    const mesh = new AgentMesh();
    await mesh.runWithWire(async () => {
      await become(mesh, 1500);
      for (const [there, back] of [
        [1400, 1500],
        [1400, 1350],
        [1400, 1450],
        [1500, 1450],
        [1500, 1500],
      ] as const) {
        lead(mesh, "alpha", "beta", there);
        lead(mesh, "beta", "alpha", back);
        await become(mesh, Math.min(there, back));
        mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
      }
      mesh.machine.changeDevice(hostOf("beta"), "eth0", { mtuBytes: 1280 });
      await become(mesh, 1280);
      mesh.machine.changeDevice(hostOf("beta"), "eth0", { mtuBytes: 1500 });
      await become(mesh, 1500);
    });
  });

  test("and grows again after a restart of either agent", async () => {
    const mesh = new AgentMesh();
    await mesh.runWithWire(async () => {
      lead(mesh, "alpha", "beta", 1400);
      await become(mesh, 1400);
      await mesh.restart("alpha");
      lead(mesh, "alpha", "beta", 1500);
      await become(mesh, 1500);
      lead(mesh, "beta", "alpha", 1350);
      await become(mesh, 1350);
      await mesh.restart("beta");
      lead(mesh, "beta", "alpha", 1500);
      await become(mesh, 1500);
    });
  });

  test("and stays as it is while there is no way", async () => {
    const mesh = new AgentMesh();
    await mesh.runWithWire(async () => {
      lead(mesh, "alpha", "beta", 1400);
      await become(mesh, 1400);
      mesh.machine.changeDevice(hostOf("alpha"), "eth0", { isUp: false });
      await mesh.sleep(2_000);
      assert.deepEqual(await mtus(mesh), [1400 - OVERHEAD]);
      mesh.machine.changeDevice(hostOf("alpha"), "eth0", { isUp: true });
      lead(mesh, "alpha", "beta", 1450);
      await become(mesh, 1450);
    });
  });
});

suite("a tunnel address", () => {
  const address = `${ADDRESSES.alpha}/24`;

  test("that is lost is reported with a hint, and the wire works again when it is back", async () => {
    const mesh = new AgentMesh();
    await mesh.runWithWire(async () => {
      mesh.machine.flush(hostOf("alpha"), "eth0", "addresses");
      await until(mesh, () =>
        /this host no longer has 10\.8\.0\.1: .*ip address add/.test(retrying(mesh, "alpha")),
      );
      mesh.machine.changeDevice(hostOf("alpha"), "eth0", { address });
      await until(mesh, () => !/no longer has 10\.8\.0\.1/.test(retrying(mesh, "alpha")));
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
    });
  });

  test("that is missing does not delay wires inside of the host; the other wires come with the address", async () => {
    const mesh = new AgentMesh();
    await mesh.run(async () => {
      await mesh.sleep(100);
      mesh.machine.flush(hostOf("alpha"), "eth0", "addresses");
      await mesh.restart("alpha");
      assert.match(retrying(mesh, "alpha"), /this host does not have 10\.8\.0\.1 yet/);
      await mesh.apply("beta", DB);
      await mesh.apply(
        "alpha",
        DB.replace("name: db", "name: own").replaceAll("beta/b1", "alpha/a2").replace("[db]", "[own]"),
      );
      await mesh.apply("alpha", WEB.replaceAll("web-db", "web-own").replace("service: db", "service: own"));
      mesh.machine.changeDevice(hostOf("alpha"), "eth0", { address });
      await until(mesh, () => !/10\.8\.0\.1 yet/.test(retrying(mesh, "alpha")));
      await mesh.apply("alpha", WEB.replace("to-db", "to-far"));
      mesh.reaches(["alpha", "a1"], ["beta", "b1"], "web-db");
    });
  });

  test("whose device is down, or has no carrier, is reported", async () => {
    const mesh = new AgentMesh();
    await mesh.run(async () => {
      await mesh.sleep(100);
      mesh.machine.changeDevice(hostOf("alpha"), "eth0", { isUp: false });
      await until(mesh, () =>
        /10\.8\.0\.1 is on eth0, which is down: ip link set eth0 up/.test(retrying(mesh, "alpha")),
      );
      mesh.machine.changeDevice(hostOf("alpha"), "eth0", { isUp: true });
      await until(mesh, () => !/eth0/.test(retrying(mesh, "alpha")));
    });
  });
});
