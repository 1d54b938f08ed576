/**
 * A file of the version before 0.1.0. Made with commit 1f51a73: its registry registered a service, an endpoint of a
 * host and an endpoint of a program; then `SELECT key, hex(value), revision, checksum FROM entries`.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  LeaseSchema,
  type LeaseState,
  LeaseStateSchema,
  Registry as RegistryApi,
} from "../api/gen/netloom/registry_pb.js";
import { methodPath, serveAll } from "../api/rpc.ts";
import { rootScope } from "../async/task-scope.ts";
import { observation } from "../observe/observation.ts";
import { labIdentity } from "../identity/lab-identity.ts";
import { withHost } from "../registry/names/host-names.ts";
import { endpointOf, endpointQuery } from "../../fixtures/registry/registry.ts";
import { HandClock } from "../../fixtures/store/hand-clock.ts";
import { openStore } from "../store/stores.ts";
import { peerNamed } from "../../fixtures/world/peer.ts";
import { registry } from "./registry.ts";

const OLD_FILE = `
  PRAGMA journal_mode = WAL;
  CREATE TABLE entries (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL, lease TEXT, checksum INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX leased ON entries (lease) WHERE lease IS NOT NULL;
  CREATE TABLE leases (lease TEXT PRIMARY KEY, ttl_ms REAL NOT NULL) WITHOUT ROWID;
  CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO counters VALUES ('revision', 3), ('lease', 0);
  INSERT INTO entries VALUES
    ('endpoints/stranger',
     x'0A2D0A08737472616E676572120473686F7022137463703A2F2F31302E302E302E373A3930303032060880E2CFAA06120C7463703A31302E302E302E37',
     3, NULL, 857327835),
    ('endpoints/web.alpha',
     x'0A2E0A097765622E616C706861120473686F7022137463703A2F2F31302E302E302E313A3530303132060880E2CFAA06120C7463703A31302E302E302E311A0F6D616E616765722D616C7068612F312219616C706861207463703A2F2F31302E302E302E313A35303031',
     2, NULL, 1564099534),
    ('services/shop', x'0A0A0A0473686F7012024950120C7463703A31302E302E302E31', 1, NULL, 2095335465);
  PRAGMA application_id = 0x4e4c7374;
  PRAGMA user_version = 1;
`;

const LEASE_MS = 60_000;

async function openRegistry(file: string) {
  const clock = new HandClock();
  const scope = rootScope("registry", clock);
  const absent = (): never => assert.fail("not of this test");
  const hops = { dial: absent, hold: absent, serve: absent, addressesOf: absent };
  const { store, close } = await openStore(`sqlite:${file}`, "open", { world: { clock, scope }, hops });
  const random = { fraction: () => 0.5, bytes: absent };
  const keys = { digest: absent, sign: absent, verify: absent, publicKey: absent, uuid: absent };
  const world = { host: "registry", clock, scope, random, keys, ...observation(clock) };
  const role = await registry({ world, store, name: "registry", identity: labIdentity({ ...world, hops }) });
  const caller = (address: string, metadata = {}) => ({
    scope,
    deadlineMs: Infinity,
    peer: peerNamed(`tcp:${address}`),
    metadata,
  });
  /** Lets time pass, and waits for all tasks that start. */
  const pass = async (durationMs: number): Promise<void> => {
    clock.pass(durationMs);
    await store.list("");
    await store.list("");
  };
  const names = async (): Promise<string[]> => {
    const answers = await role.endpoints.find(caller("10.0.0.1"), endpointQuery()).all();
    return answers.map(({ networkServiceEndpoint }) => networkServiceEndpoint?.name ?? "").sort();
  };
  const keepAlive = async (address: string, lease: string, url?: string): Promise<LeaseState> => {
    const metadata = url === undefined ? {} : withHost({}, { name: "alpha", url });
    const bytes = toBinary(LeaseSchema, create(LeaseSchema, { name: lease }));
    const method = methodPath(RegistryApi.method.keepAlive);
    const answer = await serveAll(role.served).call({ ...caller(address, metadata), method, bytes });
    return fromBinary(LeaseStateSchema, answer.bytes);
  };
  const end = async (): Promise<void> => {
    await scope.end();
    await close();
  };
  return { role, caller, pass, names, keepAlive, end };
}

test("a file of the previous version is opened with all entries, their owners and their leases", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "nlt-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "registry.db");
  const old = new DatabaseSync(file);
  old.exec(OLD_FILE);
  old.close();
  for (let life = 0; life < 2; life++) {
    const { role, names, keepAlive, caller, pass, end } = await openRegistry(file);
    assert.deepEqual(await names(), ["stranger", "web.alpha"]);
    assert.equal(role.status().services, 1);
    assert.equal((await keepAlive("10.0.0.1", "manager-alpha/1", "tcp://10.0.0.1:5001")).endpoints, 1);
    await assert.rejects(keepAlive("10.0.0.2", "manager-alpha/2", "tcp://10.0.0.2:5001"), {
      code: "PERMISSION_DENIED",
    });
    await assert.rejects(role.endpoints.request(caller("10.0.0.2"), endpointOf("stranger")), {
      code: "PERMISSION_DENIED",
    });
    await pass(LEASE_MS - 1000);
    assert.deepEqual(await names(), ["stranger", "web.alpha"]);
    await keepAlive("10.0.0.1", "manager-alpha/1");
    if (life === 1) {
      await pass(2000);
      assert.deepEqual(await names(), ["web.alpha"], "the program has not refreshed for one lease");
      assert.equal(role.status().services, 1);
    }
    await end();
  }
});
