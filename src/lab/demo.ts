/** The steps of `netloom demo`, as data. It runs no other program. */
import type { LinuxMachine } from "../linux/machine/machine.ts";
import { NetloomError } from "../errors/errors.ts";
import { familyOf } from "../net/ip.ts";
import { isInside } from "../view/way.ts";
import type { WireProof } from "../view/wire-proof.ts";
import type { WireView } from "../view/wire-view.ts";
import { down, type DownReport, up, type UpReport } from "./lab.ts";
import type { Lab } from "./file/model.ts";
import { mustParseLab } from "./file/parse.ts";
import { leftovers, lockLab, readState } from "./state.ts";
import { countedBy, proofOf } from "./status/ping-wires.ts";
import { status } from "./status/status.ts";

const demoMark = "# The lab of netloom demo.\n";

/** Two hosts with agents and a registry. A workload offers a service, and a workload on each host requests it by name. */
const DEMO_YAML = `${demoMark}apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: demo }
spec:
  hosts:
    alpha: { workloads: [web] }
    beta: { workloads: [app, db] }
  links:
    - { ends: [alpha, beta], subnets: [192.168.50.0/24, "fd00:50::/64"] }
  registry: alpha
  agents: true
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: db }
spec: { workload: beta/db, services: [db], pools: [10.0.0.16/28, "fd00::10/124"] }
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: app-db }
spec: { workload: beta/app, service: db, interface: to-db }
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceClient
metadata: { name: web-db }
spec: { workload: alpha/web, service: db, interface: to-db }
`;

const requestsPerAddress = 10;

/** Echo requests from the client of a wire to one address of its endpoint. */
export interface Probes {
  readonly address: string;
  readonly family: 4 | 6;
  readonly sent: number;
  readonly received: number;
  /** Round-trip times of the answered requests; absent if there were none. */
  readonly rttMs?: { readonly min: number; readonly median: number; readonly max: number };
}

/** The steps, each with its duration. */
export type DemoStep =
  /** The leftovers of a killed demo were removed. */
  | { readonly step: "cleaned"; readonly report: DownReport; readonly durationMs: number }
  | { readonly step: "planned"; readonly yaml: string; readonly lab: Lab; readonly durationMs: number }
  | { readonly step: "built"; readonly report: UpReport; readonly durationMs: number }
  /**
   * One step for each wire. The counters were read after the probes. `problems` are sentences: a packet as large as the wire's
   * MTU did not pass, one byte more was not refused, the route leads elsewhere, or an end has not counted all packets.
   */
  | {
      readonly step: "probed";
      readonly wire: WireView;
      readonly probes: readonly Probes[];
      readonly problems: readonly string[];
      readonly durationMs: number;
    }
  /** `leftovers` are sentences; empty if the machine is as it was before. */
  | {
      readonly step: "removed";
      readonly report: DownReport;
      readonly leftovers: readonly string[];
      readonly durationMs: number;
    };

export interface DemoOptions {
  readonly signal?: AbortSignal;
  /** The lab's name, for demos that run at the same time. Default: `demo`. */
  readonly name?: string;
}

/**
 * Builds the lab, sends packets through its wires, and removes it, also when the caller stops reading or `signal`
 * aborts. ABORTED if another demo is running, ALREADY_EXISTS if another lab of that name is up.
 */
export async function* demo(
  machine: LinuxMachine,
  options: DemoOptions = {},
): AsyncGenerator<DemoStep, void> {
  const name = options.name ?? "demo";
  const yaml = DEMO_YAML.replace("name: demo", `name: ${name}`);
  const lock = await lockLab(name);
  let mayBeUp = false;
  try {
    await refuseOther(name);
    const [cleaned, cleanedMs] = await timed(() => down(machine, name, { lock }));
    if (cleaned.existed) yield { step: "cleaned", report: cleaned, durationMs: cleanedMs };
    const [lab, plannedMs] = await timed(() => mustParseLab(yaml, "demo.yaml"));
    yield { step: "planned", yaml, lab, durationMs: plannedMs };
    mayBeUp = true;
    const upOptions = { lock, ...(options.signal && { signal: options.signal }) };
    const [built, builtMs] = await timed(() => up(machine, yaml, "demo.yaml", upOptions));
    yield { step: "built", report: built, durationMs: builtMs };
    const { wires } = await status(machine, name);
    // The wire inside of a host comes first: it is simpler.
    const isLocal = ({ hops }: WireView): boolean => hops.every(isInside);
    for (const wire of [...wires].sort((a, b) => Number(isLocal(b)) - Number(isLocal(a)))) {
      options.signal?.throwIfAborted();
      const [probed, durationMs] = await timed(() => probeWire(machine, name, wire));
      yield { step: "probed", ...probed, durationMs };
    }
    const [report, removedMs] = await timed(() => down(machine, name, { lock }));
    mayBeUp = false;
    yield { step: "removed", report, leftovers: await leftovers(name), durationMs: removedMs };
  } finally {
    if (mayBeUp) await down(machine, name, { lock });
    lock.release();
  }
}

async function refuseOther(name: string): Promise<void> {
  const text = (await readState(name, "lab.yaml")) ?? (await readState(name, "pending.yaml"));
  if (text === undefined || text.startsWith(demoMark)) return;
  throw new NetloomError("ALREADY_EXISTS", `run the demo: another lab ${name} is up`, {
    topic: "NL-603",
    hint: `netloom lab down ${name} removes it; or rename it in its file`,
  });
}

async function probeWire(
  machine: LinuxMachine,
  lab: string,
  before: WireView,
): Promise<{ wire: WireView; probes: Probes[]; problems: string[] }> {
  const proof = proofOf(machine, lab, before);
  if (!proof) throw new NetloomError("INTERNAL", `probe wire ${before.wire}: its agent does not report it`);
  const probes: Probes[] = [];
  for (const address of before.addresses.endpoint) probes.push(await probeAddress(proof, address));
  const { wires } = await status(machine, lab);
  const wire = wires.find(({ id }) => id === before.id) ?? before;
  return { wire, probes, problems: proof.verdict(countedBy(before), countedBy(wire)) };
}

async function probeAddress(proof: WireProof, address: string): Promise<Probes> {
  const times: number[] = [];
  for (let n = 0; n < requestsPerAddress; n++) {
    const { rttMs } = await proof.ping(address);
    if (rttMs !== undefined) times.push(rttMs);
  }
  await proof.prove(address);
  const [min, median, max] = [times.sort((a, b) => a - b)[0], times[times.length >> 1], times.at(-1)];
  return {
    address,
    family: familyOf(address),
    sent: requestsPerAddress,
    received: times.length,
    ...(min !== undefined && median !== undefined && max !== undefined && { rttMs: { min, median, max } }),
  };
}

async function timed<T>(work: () => T | Promise<T>): Promise<[T, number]> {
  const startedAt = performance.now();
  const result = await work();
  return [result, performance.now() - startedAt];
}
