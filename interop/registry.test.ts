/**
 * An SDK's registry client at Netloom's registry.
 *
 * ```
 *  peer registry-client ── unix:registry.sock ──> registry (Netloom's, leases of 3 s)
 * ```
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { EmptySchema, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  NetworkServiceEndpointQuerySchema,
  NetworkServiceEndpointResponseSchema,
  NetworkServiceEndpointSchema,
  NetworkServiceQuerySchema,
  NetworkServiceResponseSchema,
  NetworkServiceSchema,
} from "../src/api/gen/nsm/registry_pb.js";
import { startHost } from "./bed.ts";
import { needsPeer, Stranger } from "./stranger.ts";

const skip = needsPeer;
const LEASE_MS = 3_000;

async function start(t: TestContext): Promise<{ readonly url: string; readonly peer: Stranger }> {
  const folder = mkdtempSync(join(tmpdir(), "netloom-interop-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const url = `unix://${folder}/registry.sock`;
  await startHost(t, {
    host: "alpha",
    folder,
    address: "127.0.0.1",
    registry: { listen: url, leaseMs: LEASE_MS },
  });
  return { url, peer: await Stranger.start(t, { role: "registry-client", connect: url }) };
}

function service(init: MessageInitShape<typeof NetworkServiceSchema>) {
  return [NetworkServiceSchema, create(NetworkServiceSchema, init)] as const;
}

function endpoint(init: MessageInitShape<typeof NetworkServiceEndpointSchema>) {
  const named = { networkServiceNames: ["shop"], url: "tcp://10.0.0.1:5001", ...init };
  return [NetworkServiceEndpointSchema, create(NetworkServiceEndpointSchema, named)] as const;
}

function services(like: MessageInitShape<typeof NetworkServiceSchema>, watch = false) {
  return [
    NetworkServiceQuerySchema,
    create(NetworkServiceQuerySchema, { networkService: like, watch }),
  ] as const;
}

function endpoints(like: MessageInitShape<typeof NetworkServiceEndpointSchema>, watch = false) {
  const query = { networkServiceEndpoint: like, watch };
  return [NetworkServiceEndpointQuerySchema, create(NetworkServiceEndpointQuerySchema, query)] as const;
}

test(
  "an SDK registers a service, finds it by name and payload, watches it and unregisters it",
  { skip },
  async (t) => {
    const { peer } = await start(t);
    const watch = peer.open("find-services", services({ name: "shop" }, true), NetworkServiceResponseSchema);
    const matches = [
      { sourceSelector: { app: "web" }, routes: [{ destinationSelector: { app: "shop" }, weight: 3 }] },
    ];
    const registered = await peer.ask(
      "register-service",
      service({ name: "shop", matches }),
      NetworkServiceSchema,
    );
    assert.equal(registered.payload, "IP", "the default");
    const told = await watch.next();
    assert.deepEqual(
      [told?.networkService?.name, told?.deleted, told?.networkService?.matches[0]?.routes[0]?.weight],
      ["shop", false, 3],
    );
    const find = async (like: MessageInitShape<typeof NetworkServiceSchema>): Promise<string[]> =>
      (await peer.open("find-services", services(like), NetworkServiceResponseSchema).all()).map(
        ({ networkService }) => networkService?.name ?? "",
      );
    assert.deepEqual(await find({ name: "shop", payload: "IP" }), ["shop"]);
    assert.deepEqual(await find({ payload: "ETHERNET" }), []);
    assert.deepEqual(await find({ name: "sho" }), [], "names are exact");
    await peer.ask("unregister-service", service({ name: "shop" }), EmptySchema);
    const gone = await watch.until(({ deleted }) => deleted);
    assert.equal(gone.networkService?.matches.length, 1, "as it was last");
    assert.deepEqual(await find({ name: "shop" }), []);
    watch.cancel();
    assert.equal(await watch.next(), undefined);
  },
);

test(
  "an SDK's endpoint is refreshed by the SDK, found by service, labels and URL, and unregistered",
  { skip },
  async (t) => {
    const { peer } = await start(t);
    const watch = peer.open(
      "find-endpoints",
      endpoints({ networkServiceNames: ["shop"] }, true),
      NetworkServiceEndpointResponseSchema,
    );
    const labels = { shop: { labels: { app: "shop", zone: "a" } } };
    const first = await peer.ask(
      "register-endpoint",
      endpoint({ name: "shop-1", networkServiceLabels: labels }),
      NetworkServiceEndpointSchema,
    );
    assert.ok(first.expirationTime && first.initialRegistrationTime);
    assert.ok(timestampMs(first.expirationTime) - Date.now() <= LEASE_MS);
    const find = async (like: MessageInitShape<typeof NetworkServiceEndpointSchema>): Promise<string[]> =>
      (await peer.open("find-endpoints", endpoints(like), NetworkServiceEndpointResponseSchema).all()).map(
        ({ networkServiceEndpoint }) => networkServiceEndpoint?.name ?? "",
      );
    assert.deepEqual(await find({ networkServiceLabels: { shop: { labels: { zone: "a" } } } }), ["shop-1"]);
    assert.deepEqual(await find({ networkServiceLabels: { shop: { labels: { zone: "b" } } } }), []);
    assert.deepEqual(await find({ url: "10.0.0.1" }), ["shop-1"], "a part of the URL is enough");
    assert.deepEqual(await find({ networkServiceNames: ["shop", "bank"] }), []);
    // The SDK registers again at 2/3 of the lease.
    const end = timestampMs(first.expirationTime);
    const refreshed = await watch.until(
      ({ networkServiceEndpoint: told }) =>
        told?.expirationTime !== undefined && timestampMs(told.expirationTime) > end + LEASE_MS / 3,
    );
    assert.deepEqual(
      refreshed.networkServiceEndpoint?.initialRegistrationTime,
      first.initialRegistrationTime,
      "a refresh keeps when it was registered first",
    );
    await peer.ask("unregister-endpoint", endpoint({ name: "shop-1" }), EmptySchema);
    await watch.until(({ deleted }) => deleted);
    assert.deepEqual(await find({}), []);
  },
);

test("an endpoint whose SDK was killed expires, and its watchers are notified", { skip }, async (t) => {
  const { url, peer } = await start(t);
  const watch = peer.open("find-endpoints", endpoints({}, true), NetworkServiceEndpointResponseSchema);
  const doomed = await Stranger.start(t, { role: "registry-client", connect: url });
  await doomed.ask("register-endpoint", endpoint({ name: "shop-1" }), NetworkServiceEndpointSchema);
  await watch.until(({ deleted }) => !deleted);
  await doomed.program.kill();
  const gone = await watch.until(({ deleted }) => deleted);
  assert.equal(gone.networkServiceEndpoint?.name, "shop-1");
});

test("an SDK whose registration is refused retries until its time is over", { skip }, async (t) => {
  const { peer } = await start(t);
  // The registry's error stays in the SDK's log.
  await assert.rejects(
    peer.ask(
      "register-endpoint",
      endpoint({ name: "shop-1@elsewhere" }),
      NetworkServiceEndpointSchema,
      1_000,
    ),
    /register context is done: context deadline exceeded/,
  );
  await peer.ask("register-endpoint", endpoint({ name: "shop-1" }), NetworkServiceEndpointSchema);
});
