/** Refuses keys that do not apply to a workload that is an existing device: Netloom does not change the device. */
import { LOCAL_TYPES } from "../../mechanisms/list.ts";
import type { Trust } from "../../mechanisms/half.ts";
import type { WorkloadRef } from "../../resolvers/resolver.ts";
import { leadsTo, workloadLabel, workloadText } from "../../resolvers/workload-ref.ts";
import { type FilePath, type Finding, quote } from "../../text/problem.ts";

interface OfWorkload extends Trust {
  readonly workload: WorkloadRef;
  readonly mechanism?: string | undefined;
}

/** `interfaces` are the device names in the document, each with its place. */
export function checkPort(
  { workload, mechanism, ...trust }: OfWorkload,
  interfaces: readonly (readonly [name: string | undefined, path: FilePath])[],
): Finding[] {
  const isPort = leadsTo(workload) === "port";
  const type = LOCAL_TYPES.find(({ document }) => document === mechanism);
  const findings: Finding[] = [];
  if (type && (type.borrow !== undefined) !== isPort) {
    const right = isPort ? "a port" : "a network namespace";
    const message = `the mechanism ${quote(type.document)} is not for ${workloadText(workload)}, which is ${right}; leave it out`;
    findings.push({ path: ["mechanism"], message });
  }
  if (!isPort) return findings;
  for (const [name, path] of interfaces) {
    if (name === undefined || name === "") continue;
    const message = `${workloadText(workload)} has a name already, and ${quote(name)} would be another; leave it out`;
    findings.push({ path, message });
  }
  for (const [key, believed] of [
    ["routerAdvertisements", "routers"],
    ["dhcp", "DHCP servers"],
  ] as const) {
    if (trust[key] !== true) continue;
    const message = `${workloadText(workload)} does not change: the program behind it decides which ${believed} it trusts; leave it out`;
    findings.push({ path: [key], message });
  }
  return findings;
}

/** The device of a workload that is a port; `undefined` for others. Only one spec may have the device. */
export function portDevice(workload: WorkloadRef): string | undefined {
  return leadsTo(workload) === "port" ? workloadLabel(workload) : undefined;
}
