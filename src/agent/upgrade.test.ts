/** The state that an agent of an earlier version left on its disk has the same meaning in this version. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lineLog } from "../observe/log.ts";
import type { HostWorld } from "../world/world.ts";
import { serviceText } from "../../fixtures/documents/documents.ts";
import { AgentMesh, read } from "../../fixtures/roles/agent.ts";

/** The file `wish` of an agent of commit 4c7e1ad: one document of each kind with every key, and the id of a deleted wire. */
const STATE: readonly string[] = [
  "bmV0bG9vbSB3aXNoIDEgMTM4MyBjYzAzYWIxNDgzNjg4NzY1CgrrAQroAXsia2luZCI6Ik5ldHdvcmtTZXJ2aWNlIiwibmFtZSI6",
  "InNob3AiLCJwYXlsb2FkIjoiRVRIRVJORVQiLCJtYXRjaGVzIjpbeyJzb3VyY2VTZWxlY3RvciI6eyJyb2xlIjoidGVzdGVyIn0s",
  "ImZhbGx0aHJvdWdoIjp0cnVlLCJyb3V0ZXMiOlt7ImRlc3RpbmF0aW9uU2VsZWN0b3IiOnsidHJhY2siOiJjYW5hcnkifSwid2Vp",
  "Z2h0IjozfV19LHsibWV0YWRhdGEiOnsibGFiZWxzIjp7InAycCI6InRydWUifX19XX0KyQIKoAJ7ImtpbmQiOiJDb25uZWN0Iiwi",
  "bmFtZSI6IndlYi1zaG9wIiwid29ya2xvYWQiOnsibGFiIjoibGFiL2FscGhhL3dlYiJ9LCJzZXJ2aWNlIjoia2VybmVsOi8vc2hv",
  "cC9zaG9wMD9yb2xlPXRlc3RlciIsImxhYmVscyI6eyJhcHAiOiJ3ZWIifSwibWVjaGFuaXNtIjoia2VybmVsIiwibXR1IjoxNDAw",
  "LCJyb3V0ZXJBZHZlcnRpc2VtZW50cyI6dHJ1ZSwiZXhjbHVkZWRQcmVmaXhlcyI6WyIxMC45LjAuMC8xNiJdLCJhY2NlcHRSb3V0",
  "ZXMiOlsiMTAuMjAuMC4wLzE2Il0sImVuZHBvaW50Ijoic2hvcC5iZXRhIn0SJDAwMDAwMDAxLTExMTEtNDIyMi04MzMzLTQ0NDQ0",
  "NDQ0NDQ0NAp1Ck17ImtpbmQiOiJDb25uZWN0IiwibmFtZSI6ImFwaS1zaG9wIiwid29ya2xvYWQiOnsicGlkIjo0NzExfSwic2Vy",
  "dmljZSI6InNob3AifRIkMDAwMDAwMDItMTExMS00MjIyLTgzMzMtNDQ0NDQ0NDQ0NDQ0Co0FCooFeyJraW5kIjoiRXhwb3NlIiwi",
  "bmFtZSI6InNob3AiLCJ3b3JrbG9hZCI6eyJuZXRucyI6Ii9ydW4vbmV0bnMvc2hvcCJ9LCJzZXJ2aWNlcyI6WyJzaG9wIiwia2Vy",
  "bmVsOi8vYmFuaz90aWVyPTEiXSwiaW50ZXJmYWNlIjoic2hvcCIsInBvb2xzIjpbIjEwLjEwLjAuMC8yNCIsWyJmZDAwOjEwOjov",
  "NjQiXV0sImFkZHJlc3NQb2xpY3kiOiJwb2xpdGUiLCJsYWJlbHMiOnsidHJhY2siOiJzdGFibGUifSwicm91dGVzIjp7ImNsaWVu",
  "dCI6WyIxMC4yMC4wLjAvMTYiLHsidG8iOiIxMC4yMS4wLjAvMTYiLCJ2aWEiOiIxMC4xMC4wLjEifV0sImVuZHBvaW50IjpbIjEw",
  "LjMwLjAuMC8xNiJdfSwicG9saWNpZXMiOlt7ImZyb20iOiIxMC4xMC4wLjAvMjQiLCJwcm90b2NvbCI6InRjcCIsInNvdXJjZVBv",
  "cnRzIjoiODAwMC04OTk5IiwiZGVzdGluYXRpb25Qb3J0cyI6ODAsInJvdXRlcyI6WyIxMC4yMi4wLjAvMTYiXX1dLCJleGNsdWRl",
  "ZFByZWZpeGVzIjpbIjEwLjEwLjAuMC8zMCJdLCJhY2NlcHRSb3V0ZXMiOlsiMTAuNDAuMC4wLzE2Il0sImRucyI6W3sic2VydmVy",
  "cyI6WyIxMC4xMC4wLjUzIl0sInNlYXJjaERvbWFpbnMiOlsic2hvcC5leGFtcGxlIl19XSwicGF5bG9hZCI6IklQIiwibXR1Ijox",
  "MzAwLCJyb3V0ZXJBZHZlcnRpc2VtZW50cyI6dHJ1ZX0SJDk5OTk5OTk5LTExMTEtNDIyMi04MzMzLTQ0NDQ0NDQ0NDQ0NA==",
];

/** The same state in documents of this version. Name servers are left out, and a log line reports it. */
const DOCUMENTS = `
apiVersion: networkservicemesh.io/v1
kind: NetworkService
metadata: { name: shop }
spec:
  payload: ETHERNET
  matches:
    - source_selector: { role: tester }
      fallthrough: true
      routes: [{ destination_selector: { track: canary }, weight: 3 }]
    - metadata: { labels: { p2p: "true" } }
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: web-shop, labels: { app: web } }
spec:
  workload: { lab: lab/alpha/web }
  service: kernel://shop/shop0?role=tester
  mechanism: kernel
  mtu: 1400
  routerAdvertisements: true
  excludedPrefixes: [10.9.0.0/16]
  acceptRoutes: [10.20.0.0/16]
  endpoint: shop.beta
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: api-shop }
spec:
  workload: { pid: 4711 }
  service: shop
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: shop, labels: { track: stable } }
spec:
  workload: { netns: /run/netns/shop }
  services: [shop, "kernel://bank?tier=1"]
  interface: shop
  pools: [10.10.0.0/24, ["fd00:10::/64"]]
  addressPolicy: polite
  routes: { client: [10.20.0.0/16, { to: 10.21.0.0/16, via: 10.10.0.1 }], endpoint: [10.30.0.0/16] }
  policyRoutes: [{ from: 10.10.0.0/24, protocol: tcp, destinationPorts: 80, sourcePorts: 8000-8999, routes: [10.22.0.0/16] }]
  excludedPrefixes: [10.10.0.0/30]
  acceptRoutes: [10.40.0.0/16]
  payload: IP
  mtu: 1300
  routerAdvertisements: true
`;

test("the kept state of an earlier version is taken over, with the ids of its wires", async () => {
  const before = Uint8Array.from(Buffer.from(STATE.join(""), "base64"));
  let written: Uint8Array | undefined;
  const wrap = (world: HostWorld): HostWorld =>
    world.host !== "alpha"
      ? world
      : {
          ...world,
          disk: {
            read: async (name) => {
              const own = await world.disk.read(name);
              return name === "wish" ? (written ?? before) : own;
            },
            append: (...args) => world.disk.append(...args),
            replace: async (name, bytes) => {
              if (name === "wish") written = bytes;
              await world.disk.replace(name, bytes);
            },
            sync: (...args) => world.disk.sync(...args),
          },
        };
  const lines: string[] = [];
  const mesh = new AgentMesh({ wrap, log: lineLog((line) => lines.push(line)) });
  const ids = (): unknown =>
    mesh
      .agent("alpha")
      .attachments.all()
      .flatMap(({ spec, connectionId }) => (connectionId === "" ? [] : `${spec.name} ${connectionId}`))
      .sort();
  const wanted = [
    "api-shop 00000002-1111-4222-8333-444444444444",
    "web-shop 00000001-1111-4222-8333-444444444444",
  ];
  await mesh.run(async () => {
    await mesh.sleep(2_000);
    const { attachments } = mesh.agent("alpha");
    const compared = await attachments.compare(read(DOCUMENTS));
    assert.deepEqual(
      compared.map(({ ref, change }) => [ref.name, change]),
      ["shop", "web-shop", "api-shop", "shop"].map((name) => [name, "unchanged"]),
    );
    assert.deepEqual(ids(), wanted);
    const said = lines.filter((line) => line.includes("the kept state of an earlier version is converted"));
    assert.equal(said.length, 1);
    assert.match(said[0] ?? "", /dns of shop is left out/);
    // The agent reads the state again that this version has written.
    await attachments.apply(read(serviceText("bank")));
    await mesh.restart("alpha");
    assert.equal(mesh.agent("alpha").attachments.all().length, 5);
    assert.deepEqual(ids(), wanted);
    assert.doesNotMatch(lines.join("\n"), /level=error/);
  });
});
