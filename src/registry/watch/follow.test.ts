import assert from "node:assert/strict";
import { test } from "node:test";
import type { Changes } from "../../api/gen/netloom/registry_pb.js";
import type { NetworkService, NetworkServiceEndpoint } from "../../api/gen/nsm/registry_pb.js";
import { Catalog } from "../catalog.ts";
import { endpointKind, serviceKind } from "../entry-kind.ts";
import { follow } from "./follow.ts";
import { endpointOf, serviceOf } from "../../../fixtures/registry/registry.ts";

function catalogs() {
  return {
    services: new Catalog<NetworkService>(serviceKind),
    endpoints: new Catalog<NetworkServiceEndpoint>(endpointKind),
  };
}

function summary(changes: Changes | undefined): object {
  const { reset, services, endpoints, removedServices, removedEndpoints, synced } = changes ?? {};
  return {
    reset,
    services: services?.length,
    endpoints: endpoints?.length,
    removedServices,
    removedEndpoints,
    synced,
  };
}

test("everything comes in full messages, and the last one marks the end", async () => {
  const both = catalogs();
  both.services.put(serviceKind.list(serviceOf("shop")));
  for (let n = 0; n < 700; n++) both.endpoints.put(endpointKind.list(endpointOf(`e${n}`)));
  const changes = follow(both);
  const first = summary(await changes.take());
  assert.deepEqual(
    { ...first, removedServices: [], removedEndpoints: [] },
    {
      reset: true,
      services: 1,
      endpoints: 499,
      removedServices: [],
      removedEndpoints: [],
      synced: false,
    },
  );
  const second = await changes.take();
  assert.deepEqual([second?.endpoints.length, second?.synced, second?.reset], [201, true, false]);
  changes.close();
  assert.equal(await changes.take(), undefined);
  assert.equal(both.services.watches + both.endpoints.watches, 0);
});

test("changes during a pause of the reader are one message, with the last change of each entry", async () => {
  const both = catalogs();
  const changes = follow(both);
  assert.equal((await changes.take())?.synced, true);
  const next = changes.take();
  both.endpoints.put(endpointKind.list(endpointOf("a")));
  assert.deepEqual(
    (await next)?.endpoints.map(({ name }) => name),
    ["a"],
  );
  both.endpoints.put(endpointKind.list(endpointOf("b")));
  both.services.put(serviceKind.list(serviceOf("shop")));
  both.endpoints.remove("a");
  both.endpoints.remove("b");
  const last = await changes.take();
  assert.deepEqual(last?.removedEndpoints.toSorted(), ["a", "b"]);
  assert.deepEqual(
    last?.services.map(({ name }) => name),
    ["shop"],
  );
  changes.close();
});

test("a slow reader has to begin again, with services and endpoints", async () => {
  const both = catalogs();
  both.services.put(serviceKind.list(serviceOf("shop")));
  const changes = follow(both, 10);
  assert.equal((await changes.take())?.synced, true);
  for (let n = 0; n < 30; n++) both.endpoints.put(endpointKind.list(endpointOf(`e${n}`)));
  const anew = await changes.take();
  assert.deepEqual(
    [anew?.reset, anew?.services.length, anew?.endpoints.length, anew?.synced],
    [true, 1, 30, true],
  );
  changes.close();
});
