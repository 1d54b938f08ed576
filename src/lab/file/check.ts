/**
 * Checks the meaning of a lab file: names must exist, addresses must not collide, MTUs must fit. A part is checked only
 * if the parts on which it depends are valid, so that one mistake gives one sentence.
 */
import { formatPrefix, type IpPrefix } from "../../net/ip.ts";
import { readInterfaceAddress } from "../../text/read-address.ts";
import { type CheckedLink, checkLinks, unwrap } from "./check-links.ts";
import { checkMesh } from "./check-mesh.ts";
import { checkPlans, checkWires } from "./check-wires.ts";
import { Findings, type HostParts, type LabFinding, type LabParts } from "./findings.ts";
import type { Lab, LabPort } from "./model.ts";
import { type FilePath, quote } from "../../text/problem.ts";

/** Checks a lab. The returned lab is complete only if there are no findings. */
export function checkLab(parts: LabParts): { readonly lab: Lab; readonly findings: readonly LabFinding[] } {
  const findings = new Findings();
  checkNames(parts, findings);
  const links: CheckedLink[] = checkLinks(parts, findings);
  const wires = checkWires(parts, links, findings);
  const mesh = checkMesh(parts, links, findings);
  const lab: Lab = {
    name: parts.name,
    hosts: [...parts.hosts].map(([name, host]) => ({
      name,
      workloads: host?.workloads ?? [],
      ports: checkPorts(name, host, findings),
    })),
    routers: parts.routers,
    links: links.map(({ link }) => link),
    wires: wires.map(({ wire }) => wire),
    ...(mesh && { mesh }),
  };
  const isUnderlaySound =
    parts.isWhole &&
    !findings.list.some(
      ({ document, path: [list] }) => document === undefined && (list === "links" || list === "routers"),
    );
  checkPlans(lab, wires, { isUnderlaySound, findings });
  return { lab, findings: findings.list };
}

function checkPorts(host: string, parts: HostParts | undefined, findings: Findings): LabPort[] {
  return Object.entries(parts?.ports ?? {}).map(([name, texts]) => {
    const path = ["hosts", host, "ports", name];
    if (name === "lo")
      findings.addAtKey(path, '"lo" is a device of every namespace; give the port another name');
    if (parts?.workloads.includes(name) === true)
      findings.addAtKey(path, `${host} has a workload ${quote(name)} already; give the port another name`);
    const addresses = texts.flatMap((text, i) => {
      const address = unwrap<IpPrefix>(readInterfaceAddress(text), [...path, i], findings);
      return address ? [formatPrefix(address)] : [];
    });
    return { name, addresses };
  });
}

function checkNames(parts: LabParts, findings: Findings): void {
  if (parts.isWhole && parts.hosts.size === 0) findings.add(["hosts"], "name at least one host");
  for (const [host, content] of parts.hosts) {
    reportTwice(
      content?.workloads ?? [],
      (i) => ["hosts", host, "workloads", i],
      `workload of ${host}`,
      findings,
    );
  }
  reportTwice(parts.routers, (i) => ["routers", i], "router", findings);
  for (const [i, router] of parts.routers.entries()) {
    if (parts.hosts.has(router))
      findings.add(["routers", i], `a host ${quote(router)} exists already; give the router another name`);
  }
}

function reportTwice(
  names: readonly string[],
  path: (i: number) => FilePath,
  what: string,
  findings: Findings,
): void {
  for (const [i, name] of names.entries()) {
    if (names.indexOf(name) < i)
      findings.add(path(i), `the ${what} ${quote(name)} appears twice; rename or remove one`);
  }
}
