/** Ports in a lab file: devices that a host has before its agent starts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatProblem } from "../../text/problem.ts";
import { labGraph } from "../status/graph.ts";
import { topology } from "../topology/topology.ts";
import { mustParseLab, parseLab } from "./parse.ts";

const TEXT = `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: ports }
spec:
  hosts:
    alpha: { workloads: [web], ports: { eth1: [10.9.0.1/31, "fd09::1/127"], eth2: [] } }
  agents: true
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: machine }
spec: { workload: alpha/eth1, service: db }
`;

test("a port is a cable to a machine in its own namespace, and documents can name it as a workload", () => {
  const lab = mustParseLab(TEXT, "ports.yaml");
  const [attachment] = lab.mesh?.attachments ?? [];
  assert.deepEqual(attachment?.spec.workload, { port: "eth1" });
  const { namespaces, underlay } = topology(lab);
  assert.deepEqual(
    namespaces.map(({ place, kind }) => `${kind} ${place}`),
    ["host alpha", "workload alpha/web", "machine alpha/eth1", "machine alpha/eth2"],
  );
  const cables = underlay.objects.flatMap((object) => (object.kind === "veth" ? [object.ends] : []));
  assert.deepEqual(
    cables.map((ends) => ends.map(({ netns, name }) => `${name} in ${netns.split("/").at(-1)}`)),
    [
      ["eth1 in nl-ports-alpha", "eth1 in nl-ports-alpha-eth1"],
      ["eth2 in nl-ports-alpha", "eth2 in nl-ports-alpha-eth2"],
    ],
  );
  const addresses = underlay.objects.flatMap((object) => (object.kind === "address" ? [object.address] : []));
  assert.deepEqual(addresses, ["10.9.0.1/31", "fd09::1/127"]);
  const places = labGraph(lab).nodes.map(({ id }) => id);
  assert.deepEqual(places, ["alpha", "alpha/web", "alpha/eth1", "alpha/eth2"]);
});

test("problems with ports are reported with their place", () => {
  const problems = (text: string): string => {
    const result = parseLab(text, "ports.yaml");
    return result.ok ? "" : result.problems.map(formatProblem).join("\n");
  };
  assert.match(
    problems(TEXT.replace("eth2", "lo")),
    /spec\.hosts\.alpha\.ports\.lo: "lo" is a device of every namespace/,
  );
  assert.match(problems(TEXT.replace("eth2", "web")), /alpha has a workload "web" already/);
  assert.match(problems(TEXT.replace("10.9.0.1/31", "10.9.0.1")), /spec\.hosts\.alpha\.ports\.eth1\[0\]: /);
  assert.match(problems(TEXT.replace("alpha/eth1", "alpha/eth3")), /unknown workload of alpha "eth3"/);
  assert.match(
    problems(TEXT.split("  agents:")[0] ?? ""),
    /^ports\.yaml:6:32: spec\.hosts\.alpha\.ports: ports are workloads of documents for agents; /,
  );
});
