/** Client, managers, forwarders and endpoints together, on the simulated kernel and in virtual time. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { NetloomError } from "../errors/errors.ts";
import { addressOf, farAddressOf, Mesh, pathOf } from "../../fixtures/roles/mesh.ts";

const REMOTE_PATH = [
  "client",
  "manager-alpha",
  "forwarder-alpha",
  "manager-beta",
  "forwarder-beta",
  "shop-1",
];

suite("a wire inside of a host", () => {
  test("is up when the request is answered, has four path segments, and leaves nothing after its close", async () => {
    const mesh = new Mesh();
    const { alpha } = mesh;
    mesh.offer({ name: "shop" });
    alpha.newEndpoint("shop-1", { service: "shop" });
    const { role } = alpha.newClient("client");
    await mesh.run(async () => {
      const answer = await role.request(alpha.caller(), alpha.ask("c1", "shop"));
      assert.deepEqual(pathOf(answer), ["client", "manager-alpha", "forwarder-alpha", "shop-1"]);
      assert.deepEqual([answer.id, answer.path?.index], ["c1", 0]);
      assert.equal(answer.networkServiceEndpointName, "shop-1");
      assert.equal(answer.payload, "ETHERNET");
      assert.deepEqual(answer.mechanism?.parameters, { inodeURL: alpha.workloads[0], name: "nsm-1" });
      const segment = answer.path?.pathSegments[2];
      assert.match(segment?.metrics["server_interface"] ?? "", /^KERNEL\/nsm-1$/);
      assert.match(segment?.metrics["client_interface"] ?? "", /^KERNEL\/shop-/);
      const { machine } = mesh.worlds;
      assert.equal(machine.reaches(alpha.workloads[0], farAddressOf(answer))?.netns, alpha.workloads[1]);
      assert.equal(machine.reaches(alpha.workloads[1], addressOf(answer))?.netns, alpha.workloads[0]);
      await role.close(alpha.caller(), answer);
      await mesh.holdsNothing();
    });
  });
});

suite("a wire between two hosts", () => {
  test("has six path segments, one VNI on both sides, the MTU of the tunnel, and carries packets", async () => {
    const mesh = new Mesh();
    const { alpha, beta } = mesh;
    mesh.offer({ name: "shop" });
    beta.newEndpoint("shop-1", { service: "shop" });
    const { role } = alpha.newClient("client");
    await mesh.run(async () => {
      const answer = await role.request(alpha.caller(), alpha.ask("c1", "shop"));
      assert.deepEqual(pathOf(answer), REMOTE_PATH);
      assert.equal(answer.context?.MTU, 1446);
      assert.deepEqual([alpha.identifiers.size, beta.identifiers.size], [1, 1]);
      const { machine } = mesh.worlds;
      assert.equal(machine.reaches(alpha.workloads[0], farAddressOf(answer))?.netns, beta.workloads[1]);
      assert.equal(machine.reaches(beta.workloads[1], addressOf(answer))?.netns, alpha.workloads[0]);
      await role.close(alpha.caller(), answer);
      await mesh.holdsNothing();
    });
  });

  test("is refreshed before its segments expire, with the same ids, address and VNI", async () => {
    const mesh = new Mesh();
    const { alpha, beta } = mesh;
    mesh.offer({ name: "shop" });
    const shop = beta.newEndpoint("shop-1", { service: "shop" });
    const { role, news } = alpha.newClient("client");
    await mesh.run(async () => {
      const answer = await role.request(alpha.caller(), alpha.ask("c1", "shop"));
      const before = await beta.objects();
      await alpha.world.clock.sleep(3_600_000);
      const [after] = role.established();
      assert.ok(news.length > 20, `${news.length} refreshes in an hour`);
      assert.deepEqual(
        after?.path?.pathSegments.map(({ id }) => id),
        answer.path?.pathSegments.map(({ id }) => id),
      );
      assert.equal(after && addressOf(after), addressOf(answer));
      assert.deepEqual(await beta.objects(), before);
      assert.equal(shop.established().length, 1);
    });
  });

  test("that its client no longer refreshes is gone when the token has expired, and its address stays reserved for a minute", async () => {
    const mesh = new Mesh();
    const { alpha, beta } = mesh;
    mesh.offer({ name: "shop" });
    const shop = beta.newEndpoint("shop-1", { service: "shop", addresses: { pools: [["10.0.0.0/30"]] } });
    const { role } = alpha.newClient("client");
    await mesh.run(async () => {
      await role.request(alpha.caller(), alpha.ask("c1", "shop"));
      // From now on no message gets from the client to its manager.
      mesh.weather = (_verb, url) => {
        if (url === "manager") throw new NetloomError("UNAVAILABLE", "call manager: cable pulled");
      };
      await alpha.world.clock.sleep(590_000);
      await beta.world.clock.sleep(5_000);
      assert.deepEqual(shop.established(), []);
      await mesh.holdsNothing();
      mesh.weather = () => undefined;
      const other = alpha.newClient("other").role;
      const first = await other.request(alpha.caller(), alpha.ask("c2", "shop"));
      assert.equal(addressOf(first), "10.0.0.3", "the lost client's pair is still reserved");
    });
  });
});
