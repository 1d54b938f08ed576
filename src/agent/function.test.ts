/**
 * A service function of an agent, on the simulator: an ordinary workload stands in the middle of a chain.
 *
 * ```
 *   alpha a1 ═══ in-… fw (alpha a2, or beta b2) out-… ═══ shop (beta b1)
 * ```
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  Agent as AdminApi,
  PingRequestSchema,
  StatusRequestSchema,
  WhyRequestSchema,
} from "../api/gen/netloom/admin/v1/admin_pb.js";
import { call, serveAll, watch } from "../api/rpc.ts";
import { NetloomError } from "../errors/errors.ts";
import type { KernelObject } from "../kernel/kernel.ts";
import { ofKind } from "../kernel/objects.ts";
import { hopTo } from "../registry/hop-to.ts";
import { meshView } from "../view/mesh-view.ts";
import { edited, serviceText } from "../../fixtures/documents/documents.ts";
import { AgentMesh, type HostName, read } from "../../fixtures/roles/agent.ts";

const SERVICE = `
apiVersion: networkservicemesh.io/v1
kind: NetworkService
metadata: { name: shop }
spec:
  matches:
    - { source_selector: { app: firewall }, routes: [{ destination_selector: { app: shop } }] }
    - { routes: [{ destination_selector: { app: firewall } }] }
`;

function firewall(place: string, name = "fw"): string {
  return `
apiVersion: netloom.dev/v1alpha1
kind: ServiceFunction
metadata: { name: ${name}, labels: { app: firewall } }
spec:
  type: passthrough
  workload: { lab: lab/${place} }
  service: shop
  pools: [10.1.0.0/24]
`;
}

/** The provider of a shop. `spec` has further keys of its spec. */
function shop(place: string, { name = "shop", pool = "10.2.0.0/24", spec = {} } = {}): string {
  const text = `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: ${name}, labels: { app: shop } }
spec:
  workload: { lab: lab/${place} }
  services: [shop]
  pools: [${pool}]
  acceptRoutes: [10.1.0.0/24]
`;
  return edited(text, { spec });
}

function web(place = "alpha/a1", name = "web"): string {
  return `
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: ${name} }
spec:
  workload: { lab: lab/${place} }
  service: shop
  interface: to-shop
`;
}

const hostOf = (place: string): HostName => place.split("/")[0] as HostName;

class Chain {
  readonly mesh: AgentMesh;

  constructor(options: ConstructorParameters<typeof AgentMesh>[0] = {}) {
    this.mesh = new AgentMesh(options);
  }

  /** Brings the whole chain up. */
  async begin(fw: string, ...shops: readonly string[]): Promise<void> {
    await this.mesh.sleep(100);
    await this.mesh.apply("alpha", SERVICE);
    for (const [i, place] of shops.entries())
      await this.mesh.apply(
        hostOf(place),
        shop(place, i === 0 ? {} : { name: `shop-${i}`, pool: `10.2.${i}.0/24` }),
      );
    await this.mesh.apply(hostOf(fw), firewall(fw));
    await this.mesh.apply("alpha", web());
  }

  /** All objects of wires in the workloads. */
  async look(): Promise<readonly (readonly KernelObject[])[]> {
    const { mesh } = this;
    const places = { alpha: ["a1", "a2"], beta: ["b1", "b2"] } as const;
    return await Promise.all(
      (["alpha", "beta"] as const).map(async (host) => {
        const queries = ["host" as const, ...places[host].map((each) => mesh.netnsOf(host, each))];
        return await mesh.simulation.kernel(host).observe(queries.map((netns) => ({ netns })));
      }),
    );
  }

  /** Whether packets of `from` to the last network of `name`'s routes arrive at `to`, and the answers come back. */
  reaches(from: readonly [HostName, string], name: string, to: readonly [HostName, string]): boolean {
    const { mesh } = this;
    const { wire } = this.#made(name);
    const source = wire.context.srcIpAddrs?.[0]?.split("/")[0] ?? "";
    const address = wire.context.srcRoutes?.map(({ prefix }) => prefix.split("/")[0] ?? "").at(-1) ?? "";
    const [here, there] = [mesh.netnsOf(...from), mesh.netnsOf(...to)];
    return (
      mesh.machine.reaches(here, address, { source })?.netns === there &&
      mesh.machine.reaches(there, source, { source: address })?.netns === here
    );
  }

  #made(name: string) {
    const { attachments, wires } = this.mesh.agent("alpha");
    const id = attachments.find({ kind: "NetworkServiceClient", name })?.connectionId ?? "";
    return wires.made.get(id) ?? assert.fail(`client ${name} has no wire`);
  }

  /** Waits until `is` returns true. */
  async until(is: () => boolean): Promise<void> {
    for (let i = 0; i < 600 && !is(); i++) await this.mesh.sleep(100);
    assert.ok(is());
  }

  state(host: HostName, kind: string, name: string): string {
    return this.mesh.agent(host).attachments.find({ kind, name })?.view.state ?? "gone";
  }
}

suite("a function", () => {
  for (const [fw, place] of [
    ["alpha/a2", "beta/b1"],
    ["beta/b2", "beta/b1"],
    ["beta/b2", "alpha/a2"],
  ] as const)
    test(`on ${fw} leads a client to a shop on ${place}, and an hour of refreshes changes nothing`, async () => {
      const chain = new Chain();
      const { mesh } = chain;
      const [host, name] = place.split("/") as [HostName, string];
      await mesh.run(async () => {
        await chain.begin(fw, place);
        assert.ok(chain.reaches(["alpha", "a1"], "web", [host, name]));
        const before = await chain.look();
        await mesh.sleep(3_600_000);
        assert.deepEqual(await chain.look(), before);
        await mesh.agent("alpha").attachments.delete([{ kind: "NetworkServiceClient", name: "web" }]);
        await mesh.sleep(1_000);
        assert.deepEqual(await chain.look(), [[], []]);
      });
    });

  for (const killed of ["alpha", "beta"] as const)
    for (const fw of ["alpha/a2", "beta/b2"] as const)
      test(`of ${fw} keeps both wires, and its endpoint of two, when ${killed} starts again`, async () => {
        const chain = new Chain();
        const { mesh } = chain;
        await mesh.run(async () => {
          await chain.begin(fw, "beta/b1", fw === "alpha/a2" ? "beta/b2" : "alpha/a2");
          // The second request gets the second endpoint: an agent without memory would begin with the first.
          await mesh.agent("alpha").attachments.delete([{ kind: "NetworkServiceClient", name: "web" }]);
          await mesh.apply("alpha", web());
          // The last answers are written to the disk a moment later.
          await mesh.sleep(1_000);
          const before = await chain.look();
          await mesh.restart(killed);
          await mesh.sleep(30_000);
          assert.deepEqual(await chain.look(), before);
          for (const host of ["alpha", "beta"] as const)
            assert.deepEqual(mesh.agent(host).wires.unclaimed, [], `adopted and requested on ${host}`);
          assert.equal(chain.state("alpha", "NetworkServiceClient", "web"), "up");
        });
      });

  test("finds another endpoint when its endpoint is gone, and its client gets another route", async () => {
    const chain = new Chain();
    const { mesh } = chain;
    await mesh.run(async () => {
      await chain.begin("alpha/a2", "beta/b1");
      assert.ok(chain.reaches(["alpha", "a1"], "web", ["beta", "b1"]));
      await mesh.apply("beta", shop("beta/b2", { name: "shop-2", pool: "10.2.2.0/24" }));
      await mesh.agent("beta").attachments.delete([{ kind: "NetworkServiceProvider", name: "shop" }]);
      await chain.until(() => chain.reaches(["alpha", "a1"], "web", ["beta", "b2"]));
      assert.equal(chain.state("alpha", "NetworkServiceClient", "web"), "up");
    });
  });

  test("reports a missing endpoint, and its client heals when one comes", async () => {
    const chain = new Chain();
    const { mesh } = chain;
    await mesh.run(async () => {
      await chain.begin("alpha/a2", "beta/b1");
      mesh.removeWorkload("beta", "b1");
      await chain.until(() => chain.state("alpha", "NetworkServiceClient", "web") === "healing");
      mesh.createWorkload("beta", "b1");
      await chain.until(() => chain.state("alpha", "NetworkServiceClient", "web") === "up");
      assert.ok(chain.reaches(["alpha", "a1"], "web", ["beta", "b1"]));
    });
  });

  test("loses both wires of each client when its workload dies, and gets them back with the workload", async () => {
    const chain = new Chain();
    const { mesh } = chain;
    await mesh.run(async () => {
      await chain.begin("alpha/a2", "beta/b1");
      mesh.removeWorkload("alpha", "a2");
      await chain.until(() => chain.state("alpha", "ServiceFunction", "fw") === "waiting");
      await chain.until(() => mesh.agent("alpha").wires.made.size === 0);
      await chain.until(() => mesh.agent("beta").wires.made.size === 0);
      mesh.createWorkload("alpha", "a2");
      await chain.until(() => chain.state("alpha", "NetworkServiceClient", "web") === "up");
      assert.ok(chain.reaches(["alpha", "a1"], "web", ["beta", "b1"]));
    });
  });
});

suite("the wires of a function", () => {
  test("lead many clients with the same routes, each by wires of its own", async () => {
    const chain = new Chain();
    const { mesh } = chain;
    await mesh.run(async () => {
      mesh.createWorkload("alpha", "a3");
      await mesh.sleep(100);
      await mesh.apply("alpha", SERVICE);
      await mesh.apply("beta", shop("beta/b1", { spec: { routes: { client: ["10.20.0.0/16"] } } }));
      await mesh.apply("beta", firewall("beta/b2"));
      await mesh.apply("alpha", web());
      await mesh.apply("alpha", web("alpha/a3", "web-2"));
      const { wires } = mesh.agent("beta");
      const devices = [...wires.made.values()].flatMap(
        ({ wire }) => JSON.stringify(wire).match(/(in|out)-\w{8}/g) ?? [],
      );
      assert.equal(new Set(devices).size, 4, "each its own");
      const objects = await mesh.simulation.kernel("beta").observe([{ netns: mesh.netnsOf("beta", "b2") }]);
      const led = ofKind(objects, "route").filter(({ destination }) => destination === "10.20.0.0/16");
      assert.equal(new Set(led.map(({ link }) => link)).size, 2, "each leads on by its own wire");
      assert.equal(new Set(led.map(({ table }) => table)).size, 2);
      for (const { wire } of mesh.agent("alpha").wires.made.values()) {
        const prefixes = wire.context.srcRoutes?.map(({ prefix }) => prefix) ?? [];
        assert.ok(prefixes.includes("10.20.0.0/16"), "the client has the route to the networks behind");
      }
    });
  });

  test("have no address twice: the next wire excludes the addresses of the client and of the function", async () => {
    const chain = new Chain();
    const { mesh } = chain;
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply("alpha", SERVICE);
      await mesh.apply("beta", shop("beta/b1", { pool: "10.1.0.0/24" }));
      await mesh.apply("alpha", firewall("alpha/a2"));
      await mesh.apply("alpha", web());
      const all = [...mesh.agent("alpha").wires.made.values()].flatMap(({ wire: { context } }) => [
        ...(context.srcIpAddrs ?? []),
        ...(context.dstIpAddrs ?? []),
      ]);
      assert.equal(new Set(all).size, 4, all.join(" "));
    });
  });

  test("have the MTU of the smallest of them", async () => {
    const chain = new Chain();
    const { mesh } = chain;
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply("alpha", SERVICE);
      await mesh.apply("beta", shop("beta/b1", { spec: { mtu: 1300 } }));
      await mesh.apply("alpha", firewall("alpha/a2"));
      await mesh.apply("alpha", web());
      const mtus = [...mesh.agent("alpha").wires.made.values()].map(({ wire }) => wire.context.mtuBytes);
      assert.deepEqual(mtus, [1300, 1300]);
    });
  });

  test("do not end at an endpoint that accepts no route back to the client, and the client gets a hint", async () => {
    const chain = new Chain();
    const { mesh } = chain;
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply("alpha", SERVICE);
      await mesh.apply("beta", shop("beta/b1", { spec: { acceptRoutes: undefined } }));
      await mesh.apply("alpha", firewall("alpha/a2"));
      await mesh.agent("alpha").attachments.apply(read(web()));
      await chain.until(() => chain.state("alpha", "NetworkServiceClient", "web") === "failed");
      const reason =
        mesh.agent("alpha").attachments.find({ kind: "NetworkServiceClient", name: "web" })?.view.reason ??
        "";
      assert.match(
        reason,
        /accepts no route to the client's 10\.1\.0\.\d+\/32; its acceptRoutes have to contain/,
      );
    });
  });
});

suite("a chain", () => {
  test("is proven by a ping of the client, which reports the wires behind the function", async () => {
    const chain = new Chain();
    const { mesh } = chain;
    await mesh.run(async () => {
      await chain.begin("alpha/a2", "beta/b1");
      const role = mesh.agent("alpha");
      const replies = watch(
        hopTo(serveAll(role.served), role.world),
        AdminApi.method.ping,
        create(PingRequestSchema, { wire: "web", count: 1 }),
      );
      const answered: string[] = [];
      for await (const { address, rttMs, problems } of replies) {
        assert.deepEqual(problems, []);
        if (rttMs !== undefined) answered.push(address);
      }
      assert.deepEqual(answered, ["10.1.0.0", "10.2.0.0"]);
    });
  });

  test("is shown as its wires with the function between them, and with the reason for its endpoint", async () => {
    const chain = new Chain();
    const { mesh } = chain;
    await mesh.run(async () => {
      await chain.begin("alpha/a2", "beta/b1");
      const role = mesh.agent("alpha");
      const hop = hopTo(serveAll(role.served), role.world);
      const options = { timeoutMs: 5_000 };
      const status = await call(hop, AdminApi.method.status, create(StatusRequestSchema), options);
      const { wires } = meshView([status]);
      assert.deepEqual(
        wires.map(({ wire, endpoint, attachments }) => [
          wire.replace(/-\w{8}$/, "-…"),
          endpoint,
          attachments.map(({ name }) => name).sort(),
        ]),
        [
          ["alpha/a2/out-…", "shop.beta", ["fw"]],
          ["alpha/a1/to-shop", "fw.alpha", ["fw", "web"]],
        ],
      );
      const asked = create(WhyRequestSchema, { client: "fw", service: "shop" });
      const why = await call(hop, AdminApi.method.why, asked, options);
      assert.deepEqual(
        why.candidates.map(({ endpoint }) => endpoint),
        ["shop.beta"],
      );
      assert.equal(why.last?.taken, "shop.beta");
    });
  });
});

suite("a function that would lead back to itself", () => {
  test("is refused beside a service with such matches", async () => {
    const chain = new Chain();
    await chain.mesh.run(async () => {
      await chain.mesh.sleep(100);
      const { attachments } = chain.mesh.agent("alpha");
      await attachments.apply(read(serviceText("shop")));
      await assert.rejects(
        attachments.apply(read(firewall("alpha/a2"))),
        (error) =>
          error instanceof NetloomError &&
          error.code === "INVALID_ARGUMENT" &&
          /apply ServiceFunction fw: the service shop has no matches: every client gets any endpoint/.test(
            error.message,
          ),
      );
    });
  });

  test("is not registered while the service on another host leads back to it, and is registered afterwards", async () => {
    const chain = new Chain();
    const { mesh } = chain;
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.agent("alpha").attachments.apply(read(firewall("alpha/a2")));
      await chain.until(() => chain.state("alpha", "ServiceFunction", "fw") === "failed");
      await mesh.agent("beta").attachments.apply(read(serviceText("shop")));
      const view = () => mesh.agent("alpha").attachments.find({ kind: "ServiceFunction", name: "fw" })?.view;
      await chain.until(() => /has no matches/.test(view()?.reason ?? ""));
      await mesh.agent("beta").attachments.apply(read(SERVICE));
      await chain.until(() => view()?.state === "up");
    });
  });

  test("over another function is refused at the request, and the request is not repeated forever", async () => {
    const chain = new Chain();
    const { mesh } = chain;
    await mesh.run(async () => {
      await mesh.sleep(100);
      await mesh.apply(
        "alpha",
        `
apiVersion: networkservicemesh.io/v1
kind: NetworkService
metadata: { name: shop }
spec:
  matches:
    - { source_selector: { app: firewall }, routes: [{ destination_selector: { app: cache } }] }
    - { source_selector: { app: cache }, routes: [{ destination_selector: { app: firewall } }] }
    - { routes: [{ destination_selector: { app: firewall } }] }
`,
      );
      await mesh.apply("alpha", firewall("alpha/a2"));
      await mesh.apply(
        "beta",
        edited(firewall("beta/b1", "cache"), { labels: { app: "cache" }, spec: { pools: ["10.3.0.0/24"] } }),
      );
      await mesh.agent("alpha").attachments.apply(read(web()));
      await chain.until(() => chain.state("alpha", "NetworkServiceClient", "web") === "failed");
      const reason =
        mesh.agent("alpha").attachments.find({ kind: "NetworkServiceClient", name: "web" })?.view.reason ??
        "";
      assert.match(reason, /its path has passed fw\.alpha already; the matches of shop lead in a circle/);
      for (const objects of await chain.look()) assert.deepEqual(objects, []);
    });
  });
});
