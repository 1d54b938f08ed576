/**
 * Ports: existing devices of a host as the workload of a client or of an endpoint.
 *
 * ```
 *  machine 1: eth0 ══ a stranger's cable ══ alpha: eth1 ))) … ((( beta ══ b1
 *  machine 2: eth0 ══ a stranger's cable ══ alpha: eth2
 * ```
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { edited } from "../../fixtures/documents/documents.ts";
import { AgentMesh, DB, type HostName, read } from "../../fixtures/roles/agent.ts";
import {
  Agent as AgentApi,
  type HostStatus,
  StatusRequestSchema,
  Wire_State,
} from "../api/gen/netloom/admin/v1/admin_pb.js";
import { call, serveAll } from "../api/rpc.ts";
import { NetloomError } from "../errors/errors.ts";
import type { KernelObject, Netns, Program } from "../kernel/kernel.ts";
import { meshView } from "../view/mesh-view.ts";
import { DOCUMENTS } from "../documents/documents.ts";
import { formatProblem } from "../text/problem.ts";
import { hopTo } from "../registry/hop-to.ts";

const MACHINE_DB = `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: machine-db }
spec:
  workload: { port: eth1 }
  service: db
`;

const ALPHA: Netns = "file:///run/netns/nl-lab-alpha";

/** Connects `eth1` of alpha with a cable to a new machine, which Netloom does not manage. */
function plug(mesh: AgentMesh, name = "eth1"): Netns {
  const path = `/run/netns/machine-${name}`;
  const machine: Netns = `file://${path}`;
  mesh.machine.removeNetns(path);
  mesh.machine.createNetns(path);
  mesh.machine.plantCable([
    { netns: ALPHA, name },
    { netns: machine, name: "eth0" },
  ]);
  return machine;
}

/** Gives the machine the address of its end of the wire, as its owner would. */
function configure(mesh: AgentMesh, machine: Netns, address: string): void {
  mesh.machine.changeDevice(machine, "eth0", { address: `${address}/24` });
}

async function objects(mesh: AgentMesh, host: HostName, netns: Netns = "host"): Promise<KernelObject[]> {
  return await mesh.simulation.kernel(host).observe([{ netns }]);
}

async function programsOnPorts(mesh: AgentMesh): Promise<Program[]> {
  return (await objects(mesh, "alpha")).filter(
    (object): object is Program => object.kind === "program" && object.index !== undefined,
  );
}

function viewOf(mesh: AgentMesh, kind: string, name: string, host: HostName = "alpha") {
  return mesh.agent(host).attachments.find({ kind, name })?.view ?? assert.fail(`no ${kind} ${name}`);
}

async function until(mesh: AgentMesh, isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !isSo(); i++) await mesh.sleep(100);
  assert.ok(isSo());
}

async function statusOf(mesh: AgentMesh, host: HostName): Promise<HostStatus> {
  const { served, world } = mesh.agent(host);
  const request = create(StatusRequestSchema, { counters: true });
  return await call(hopTo(serveAll(served), world), AgentApi.method.status, request, { timeoutMs: 1_000 });
}

async function withPort(body: (mesh: AgentMesh, machine: Netns) => Promise<void>): Promise<void> {
  const mesh = new AgentMesh({ sweepAfterMs: 60_000 });
  await mesh.run(async () => {
    const machine = plug(mesh);
    await mesh.sleep(1_000);
    await mesh.apply("beta", DB);
    await mesh.apply("alpha", MACHINE_DB);
    await mesh.sleep(1_000);
    await body(mesh, machine);
  });
}

suite("a port as a client", () => {
  test("reaches a service of another host, which resolves the MAC behind the port; nothing is set on the port", async () => {
    await withPort(async (mesh, machine) => {
      const { own, far } = mesh.addresses("alpha", "machine-db");
      configure(mesh, machine, own);
      const beta = mesh.netnsOf("beta", "b1");
      assert.equal(mesh.machine.reaches(machine, far)?.netns, beta);
      assert.equal(mesh.machine.reaches(beta, own)?.netns, machine);
      const kinds = (await objects(mesh, "alpha")).map(({ kind }) => kind).sort();
      assert.deepEqual(kinds, [
        "external-vxlan",
        ...Array<string>(4).fill("program"),
        "up",
        "up",
        "up",
        "veth",
      ]);
      const onPort = await programsOnPorts(mesh);
      assert.deepEqual(
        onPort.map(({ link, verdict }) => [link, verdict]),
        [["eth1", "redirect"]],
      );
      const there = await objects(mesh, "beta", beta);
      assert.ok(there.some(({ kind }) => kind === "address"));
      assert.ok(!there.some(({ kind }) => kind === "neighbor"), "beta knows no MAC of it");
      await mesh.sleep(3_600_000);
      assert.deepEqual(await programsOnPorts(mesh), onPort, "an hour of refreshes has changed nothing");
      await mesh.agent("alpha").attachments.delete([{ kind: "NetworkServiceClient", name: "machine-db" }]);
      await mesh.sleep(1_000);
      await mesh.holdsNothing();
    });
  });

  test("is shown as host/port everywhere, with its addresses", async () => {
    await withPort(async (mesh) => {
      const [alpha, beta] = [await statusOf(mesh, "alpha"), await statusOf(mesh, "beta")];
      const { wires } = meshView([alpha, beta], { isWhole: true });
      assert.equal(wires.length, 1);
      const [wire = assert.fail()] = wires;
      assert.deepEqual([wire.wire, wire.state, wire.mtuBytes], ["alpha/eth1", "up", 1446]);
      assert.deepEqual(wire.addresses, { client: ["10.0.2.1"], endpoint: ["10.0.2.0"] });
      const { client } = wire.interfaces;
      assert.deepEqual([client?.workload, client?.interface, client?.isPort], ["eth1", "eth1", true]);
    });
  });
});

suite("the device of a port", () => {
  test("ends the wire when it is removed, and a new device of that name gets a new wire", async () => {
    await withPort(async (mesh) => {
      const [before] = await programsOnPorts(mesh);
      mesh.machine.removeDevice(ALPHA, "eth1");
      await until(mesh, () => viewOf(mesh, "NetworkServiceClient", "machine-db").state === "waiting");
      assert.match(viewOf(mesh, "NetworkServiceClient", "machine-db").reason, /no device eth1/);
      await mesh.sleep(1_000);
      await mesh.holdsNothing();
      const machine = plug(mesh);
      await until(mesh, () => viewOf(mesh, "NetworkServiceClient", "machine-db").state === "up");
      const [after] = await programsOnPorts(mesh);
      assert.ok(before && after && before.index !== after.index);
      const { own, far } = mesh.addresses("alpha", "machine-db");
      configure(mesh, machine, own);
      assert.equal(mesh.machine.reaches(machine, far)?.netns, mesh.netnsOf("beta", "b1"));
    });
  });

  test("keeps its wire when it is down, and the wire is not up and reports why", async () => {
    await withPort(async (mesh) => {
      const made = await programsOnPorts(mesh);
      mesh.machine.changeDevice(ALPHA, "eth1", { isUp: false });
      await until(mesh, () => viewOf(mesh, "NetworkServiceClient", "machine-db").state === "waiting");
      assert.match(viewOf(mesh, "NetworkServiceClient", "machine-db").reason, /^port eth1 is down/);
      assert.deepEqual(await programsOnPorts(mesh), made);
      const [wire] = (await statusOf(mesh, "alpha")).wires;
      assert.equal(wire?.state, Wire_State.DOWN);
      assert.match(wire?.reason ?? "", /^port eth1 is down/);
      mesh.machine.changeDevice(ALPHA, "eth1", { isUp: true });
      await until(mesh, () => viewOf(mesh, "NetworkServiceClient", "machine-db").state === "up");
      assert.equal((await statusOf(mesh, "alpha")).wires[0]?.state, Wire_State.UP);
    });
  });

  test("limits the MTU of its wire on both hosts, and the wire follows changes", async () => {
    await withPort(async (mesh) => {
      const mtus = async (): Promise<number[]> => {
        const wires = [...(await statusOf(mesh, "alpha")).wires, ...(await statusOf(mesh, "beta")).wires];
        return wires.map(({ mtu }) => mtu);
      };
      assert.deepEqual(await mtus(), [1446, 1446]);
      for (const [own, expected] of [
        [1300, 1300],
        [1500, 1446],
      ] as const) {
        mesh.machine.changeDevice(ALPHA, "eth1", { mtuBytes: own });
        await mesh.sleep(5_000);
        assert.deepEqual(await mtus(), [expected, expected]);
      }
    });
  });

  test("keeps its program when its agent starts again, and loses it when the client is deleted", async () => {
    await withPort(async (mesh) => {
      const before = await programsOnPorts(mesh);
      assert.equal(before.length, 1);
      await mesh.restart("alpha");
      assert.deepEqual(await programsOnPorts(mesh), before);
      await until(mesh, () => viewOf(mesh, "NetworkServiceClient", "machine-db").state === "up");
      assert.deepEqual(await programsOnPorts(mesh), before);
      mesh.simulation.crash("alpha");
      mesh.machine.removeDevice(ALPHA, "eth1");
      await mesh.sleep(1_000);
      mesh.simulation.restart("alpha");
      await mesh.sleep(3_000);
      assert.deepEqual(await programsOnPorts(mesh), []);
      await mesh.sleep(120_000);
      await mesh.holdsNothing();
    });
  });
});

suite("a port as an endpoint", () => {
  const OFFER = `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: router }
spec:
  workload: { port: eth1 }
  services: [router]
  pools: [10.0.9.0/24]
`;
  const ask = (name: string, workload: string): string => `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: ${name} }
spec:
  workload: ${workload}
  service: router
`;

  test("serves one client at a time: of its own host, of another one, or another port", async () => {
    const mesh = new AgentMesh();
    await mesh.run(async () => {
      const machine = plug(mesh);
      const other = plug(mesh, "eth2");
      await mesh.sleep(1_000);
      await mesh.apply("alpha", OFFER);
      for (const [host, workload, from] of [
        ["alpha", "{ lab: lab/alpha/a1 }", mesh.netnsOf("alpha", "a1")],
        ["beta", "{ lab: lab/beta/b1 }", mesh.netnsOf("beta", "b1")],
        ["alpha", "{ port: eth2 }", other],
      ] as const) {
        await mesh.apply(host, ask("first", workload));
        const { own, far } = mesh.addresses(host, "first");
        configure(mesh, machine, far);
        if (from === other) configure(mesh, other, own);
        assert.equal(mesh.machine.reaches(from, far)?.netns, machine, workload);
        assert.equal(mesh.machine.reaches(machine, own)?.netns, from, workload);
        for (const mtuBytes of [1300, 1400]) {
          mesh.machine.changeDevice(ALPHA, "eth1", { mtuBytes });
          await mesh.sleep(5_000);
          assert.equal((await statusOf(mesh, host)).wires[0]?.mtu, mtuBytes, "it follows the port");
        }
        await mesh.agent("alpha").attachments.apply(read(ask("second", "{ lab: lab/alpha/a2 }")));
        await until(mesh, () => viewOf(mesh, "NetworkServiceClient", "second").state === "failed");
        assert.match(
          viewOf(mesh, "NetworkServiceClient", "second").reason,
          /end a wire in port eth1: the port has a wire already/,
        );
        await mesh.agent("alpha").attachments.delete([{ kind: "NetworkServiceClient", name: "second" }]);
        await mesh.agent(host).attachments.delete([{ kind: "NetworkServiceClient", name: "first" }]);
        await mesh.sleep(1_000);
        await mesh.holdsNothing();
      }
    });
  });
});

suite("a device that cannot be a port", () => {
  const problemsOf = (text: string): string[] => {
    const result = DOCUMENTS.parse(text, "port.yaml");
    return result.ok ? [] : result.problems.map(formatProblem);
  };

  test("is refused when the document is read, with the key that would change it", () => {
    const [named, trusting, kernel, loopback, wrong] = [
      problemsOf(edited(MACHINE_DB, { spec: { interface: "nsm-1" } })),
      problemsOf(edited(MACHINE_DB, { spec: { routerAdvertisements: true } })),
      problemsOf(edited(MACHINE_DB, { spec: { mechanism: "kernel" } })),
      problemsOf(MACHINE_DB.replace("eth1", "lo")),
      problemsOf(MACHINE_DB.replace("eth1", "a/b")),
    ];
    assert.match(named.join(), /spec\.interface: port eth1 has a name already/);
    assert.match(trusting.join(), /spec\.routerAdvertisements: port eth1 does not change/);
    assert.match(kernel.join(), /spec\.mechanism: the mechanism "kernel" is not for port eth1/);
    assert.match(loopback.join(), /"lo" leads only to this host/);
    assert.match(wrong.join(), /the device name "a\/b"/);
    assert.deepEqual(problemsOf(edited(MACHINE_DB, { spec: { mechanism: "port" } })), []);
    const routing = `
apiVersion: netloom.dev/v1alpha1
kind: ServiceFunction
metadata: { name: f, labels: { app: f } }
spec:
  type: passthrough
  workload: { port: eth1 }
  service: db
  pools: [10.0.0.0/24]
`;
    assert.match(
      problemsOf(routing).join(),
      /spec\.workload: a function routes in a network namespace of its own/,
    );
  });

  test("is waited for with the reason: a bridge member, a device in use by the host, and a missing device", async () => {
    const mesh = new AgentMesh();
    await mesh.run(async () => {
      plug(mesh);
      await mesh.sleep(1_000);
      mesh.machine.changeDevice(ALPHA, "eth1", { master: "br0" });
      const { attachments } = mesh.agent("alpha");
      for (const [device, reason] of [
        ["eth1", /^device eth1 cannot be a port: it is a member of br0, which takes its frames$/],
        [
          "eth0",
          /^device eth0 cannot be a port: it has the address 10\.8\.0\.1\/24, and this host would not/,
        ],
        ["eth7", /^this host has no device eth7$/],
      ] as const) {
        await attachments.apply(read(MACHINE_DB.replace("eth1", device)));
        await mesh.sleep(1_000);
        const view = viewOf(mesh, "NetworkServiceClient", "machine-db");
        assert.equal(view.state, "waiting");
        assert.match(view.reason, reason);
        assert.ok(view.error);
      }
      await mesh.holdsNothing();
    });
  });

  test("is the device of another attachment", async () => {
    const mesh = new AgentMesh();
    await mesh.run(async () => {
      plug(mesh);
      await mesh.sleep(1_000);
      const { attachments } = mesh.agent("alpha");
      await attachments.apply(read(MACHINE_DB));
      await assert.rejects(attachments.apply(read(MACHINE_DB.replace("machine-db", "again"))), (error) => {
        assert.ok(error instanceof NetloomError);
        assert.match(
          error.message,
          /NetworkServiceClient machine-db has the port eth1, which is the end of one wire/,
        );
        return true;
      });
    });
  });
});
