import assert from "node:assert/strict";
import { test } from "node:test";
import { Agents, isRoot, json } from "../../../fixtures/cli/agents.ts";
import { largeMesh, NOW_MS } from "../../../fixtures/view/status.ts";
import type { KernelObject } from "../../kernel/kernel.ts";
import { meshView } from "../../view/mesh-view.ts";
import { netloom } from "../spawn-netloom.ts";
import { dropLines, dropsView } from "./get-drops.ts";

test("drops of hosts are listed by reason, and a sender that tries many VNIs takes one line", () => {
  assert.deepEqual(dropLines(dropsView(meshView(largeMesh())), NOW_MS), [
    "HOST   REASON   PACKETS  LAST     WHAT",
    "theta  closed   3        2 s ago  frames of a wire that was closed",
    "theta  unknown  1200     5 s ago  tunnel packets that no wire takes",
    "theta  refused  1        1 h ago  packets without headers",
    "",
    "2 senders of unknown tunnel packets, the latest ones:",
    "HOST   FROM       TO        UDP PORT  VNI                    PACKETS",
    "theta  10.0.0.66  10.0.0.8  4789      9                      1000",
    "theta  10.0.0.77  10.0.0.8  4789      200 from 4000 to 4199  200",
  ]);
});

test("without drops the output is one sentence", () => {
  assert.deepEqual(dropLines(dropsView(meshView(largeMesh().slice(0, 3))), NOW_MS), ["nothing was dropped"]);
});

/** Sends three tunnel packets to alpha with a VNI that no hosts have negotiated. */
async function sendUnknown({ machine, lab }: Agents): Promise<void> {
  const netns = machine.createNetns(`/run/netns/nl-${lab}-stranger`);
  machine.plantUplink({ netns, name: "eth0", addresses: ["10.8.0.66/24"], fabric: "underlay" });
  const on = { netns: "host", link: "vx" } as const;
  const end = { name: on.link, netns: on.netns, mac: "02:00:00:00:00:66", mtuBytes: 1446, alias: "" };
  const objects: KernelObject[] = [
    { kind: "vxlan", ...end, vni: 666, local: "10.8.0.66", remote: "10.8.0.1", port: 4789 },
    { kind: "address", ...on, address: "10.9.0.1/24" },
    { kind: "up", ...on },
    { kind: "neighbor", ...on, address: "10.9.0.2", mac: "02:00:00:00:00:01" },
  ];
  const kernel = machine.kernel({ host: netns, mark: { group: 7, protocol: 99 } });
  await kernel.apply(objects.map((object) => ({ verb: "add", object })));
  for (let i = 0; i < 3; i++) machine.send(netns, "10.9.0.2", 100);
}

test("get drops asks one host, or with --lab all of them, and status has a line about drops", async (t) => {
  const agents = await Agents.start();
  t.after(() => agents.close());
  const { lab } = agents;
  const at = async (host: "alpha" | "beta", ...args: readonly string[]): Promise<string> =>
    (await netloom([...args, "--agent", agents.url(host)])).stdout;
  assert.equal(await at("alpha", "get", "drops"), "nothing was dropped\n");
  await at("beta", "expose", `${lab}/beta/db`, "db", "--pool", "172.16.0.0/24");
  assert.match(await at("alpha", "connect", `${lab}/alpha/web`, "db"), /alpha→beta/);
  await sendUnknown(agents);
  for (let i = 0; i < 2; i++)
    agents.machine.send(`file:///run/netns/nl-${lab}-alpha-web`, "172.16.0.0", 100, { source: "172.16.9.9" });
  const shown =
    /^HOST +REASON .*\nalpha +unknown +3 +\d+ s ago +tunnel packets that no wire .*\nalpha +source +2 +\d+ s ago +packets from addresses that .*\n\n1 sender .*\nHOST .*\nalpha +10\.8\.0\.66 +10\.8\.0\.1 +4789 +666 +3\n\nsenders of packets that a wire refused, the latest ones:\nHOST .*\nalpha +alpha\/web\/db\S* +alpha\/web +source +2\n$/;
  assert.match(await at("alpha", "get", "drops"), shown);
  assert.equal(await at("beta", "get", "drops"), "nothing was dropped\n");
  assert.match(await at("alpha", "status"), /\n {2}dropped 3 packets, the last \d+ s ago: tunnel packets/);
  const document = await json<{ strangers: object[] }>(
    netloom(["get", "drops", "-o", "json", "--agent", agents.url("alpha")]),
  );
  const from = { source: "10.8.0.66", destination: "10.8.0.1", port: 4789, vni: 666 };
  assert.deepEqual(document.strangers, [{ host: "alpha", ...from, packets: 3 }]);
  if (isRoot) assert.match((await netloom(["get", "drops", "--lab", lab])).stdout, shown);
});
