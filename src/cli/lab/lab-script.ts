/** A lab as the shell commands that make it: namespaces, then the underlay, then every wire on each of its hosts. */
import { plan } from "../../forwarder/plan/plan.ts";
import { script } from "../../kernel/script.ts";
import type { ScriptOptions } from "../../kernel/script-tools.ts";
import { type Lab, sideName } from "../../lab/file/model.ts";
import { type HostWire, netnsOf, topology } from "../../lab/topology/topology.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { KernelObject } from "../../kernel/kernel.ts";
import { LAB_MARK } from "../../kernel/kernel.ts";
import { scriptFrame, type ScriptPart } from "../script-part.ts";

export function labScript(lab: Lab): ScriptPart[] {
  const { namespaces, birth, underlay, wires } = topology(lab);
  return [
    {
      title: "namespaces: hosts, routers and workloads",
      objects: [],
      commands: namespaces.map(({ path }) => `ip netns add ${path.split("/").at(-1)}`),
    },
    part("settings of a new namespace", birth, LAB_MARK),
    part("underlay", underlay.objects, LAB_MARK),
    ...wires.map((wire) => wirePart(lab, wire)),
  ];
}

/** The parts of one wire. Throws NOT_FOUND, with the names of all wires. */
export function wireScript(lab: Lab, name: string): ScriptPart[] {
  const wanted = lab.wires.find(({ client, endpoint }) =>
    [sideName(client), sideName(endpoint)].includes(name),
  );
  if (wanted === undefined) {
    const names = lab.wires.map(({ client }) => sideName(client));
    throw new NetloomError("NOT_FOUND", `script wire ${name}: lab ${lab.name} has no such wire`, {
      hint: names.length === 0 ? "the lab has no wires" : `its wires are ${names.join(", ")}`,
    });
  }
  return topology(lab)
    .wires.filter((wire) => wire.name === sideName(wanted.client))
    .map((wire) => wirePart(lab, wire));
}

function wirePart(lab: Lab, { host, name, wire }: HostWire): ScriptPart {
  const { objects } = plan(wire);
  return part(`wire ${name} on host ${host}`, objects, { host: netnsOf(lab.name, host) });
}

/** One part, without the frame of a script: `printScript` adds one for all parts. */
function part(title: string, objects: readonly KernelObject[], options: ScriptOptions): ScriptPart {
  const operations = objects.map((object) => ({ verb: "add", object }) as const);
  const commands = script(operations, options).filter((line) => !scriptFrame.includes(line));
  return { title, objects, commands };
}
