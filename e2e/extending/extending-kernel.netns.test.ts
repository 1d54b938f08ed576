/**
 * docs/internals/extending.md on kernel objects, carried out in a copy of the tree: a file in `kernel`, one for each of
 * the two kernels, and three lines of lists. Code that does not know the kind makes, adopts, refuses, undoes and
 * removes its objects.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { needsRoot } from "../../fixtures/linux/netns.ts";
import { HouseCopy } from "./house-copy.ts";

const PURE = `import { carrierKey, type Netns } from "../link.ts";
import { type AttachedKind, inPhase } from "../object-kind.ts";
import { inside } from "../phrase.ts";
import { toolVerb } from "../script-tools.ts";

/** Equivalent to: \`ip nexthop add id N dev L\` */
export interface Nexthop {
  readonly kind: "nexthop";
  readonly netns: Netns;
  readonly link: string;
  readonly id: number;
}

export const nexthop = {
  phase: inPhase("routes"),
  namespaces: ({ netns }) => [netns],
  carrier: (object) => object,
  identity: (object) => \`nexthop \${carrierKey(object)} \${object.id}\`,
  claims: ({ netns, id }) => [{ key: \`nexthop \${netns} \${id}\`, words: \`the nexthop \${id} in \${netns}\` }],
  describe: ({ netns, link, id }) => \`nexthop id \${id} dev \${link}\${inside(netns)}\`,
  script: (tools, { verb, object: { netns, link, id } }) => [
    tools.ip(netns, "nexthop", toolVerb(verb), "id", id, ...(verb === "remove" ? [] : ["dev", link, "protocol", tools.protocol])),
  ],
} as const satisfies AttachedKind<Nexthop>;
`;

const LINUX = `import type { Nexthop } from "../../kernel/objects/nexthop.ts";
import { plainObject } from "../batch/plain-object.ts";
import { indexesOf } from "../batch/view.ts";
import * as k from "../netlink/constants.ts";
import { DecodeError, type NetlinkMessage, readAttributes, Struct } from "../netlink/message-reader.ts";
import { change, dump } from "../netlink/message-writer.ts";
import type { LinuxObjectKind } from "../object-kind.ts";

/** include/uapi/linux/rtnetlink.h, nexthop.h */
const RTM = { new: 104, delete: 105, get: 106 } as const;
const NHA = { id: 1, oif: 5 } as const;

/** \`u8 family | u8 scope | u8 protocol | u8 | u32 flags\` */
function message(type: number, flags: number, protocol: number, values: readonly (readonly [number, number])[]): Uint8Array {
  const m = change(type, flags);
  m.u8(type === RTM.new ? k.AF_INET : k.AF_UNSPEC).u8(0).u8(protocol).u8(0).u32(0);
  for (const [key, value] of values) m.attributeU32(key, value);
  return m.finish();
}

function decode(read: NetlinkMessage): { readonly id: number; readonly linkIndex: number; readonly protocol: number } {
  const attributes = readAttributes("nexthop", read.body, 8);
  const [id, linkIndex] = [attributes.u32(NHA.id), attributes.u32(NHA.oif)];
  if (id === undefined || linkIndex === undefined) throw new DecodeError("nexthop", "no id or device");
  return { id, linkIndex, protocol: new Struct("nexthop", read.body, 8).u8(2) };
}

export const nexthop: LinuxObjectKind<Nexthop> = plainObject<Nexthop>({
  addRequest: ({ id }, { linkIndex, protocol }) =>
    message(RTM.new, k.NLM_F_CREATE | k.NLM_F_EXCL, protocol, [[NHA.id, id], [NHA.oif, linkIndex]]),
  removeRequest: ({ id }) => message(RTM.delete, 0, 0, [[NHA.id, id]]),
  observe({ mark }, view) {
    const request = (): Uint8Array => {
      const m = dump(RTM.get);
      m.u8(k.AF_UNSPEC).u8(0).u8(0).u8(0).u32(0);
      return m.finish();
    };
    const indexes: ReadonlySet<number | undefined> = new Set(indexesOf(view));
    const isAll = indexes.has(undefined);
    return view.place.socket.dump(request(), decode).flatMap(({ id, linkIndex, protocol }): Nexthop[] => {
      const link = view.byIndex.get(linkIndex);
      const isAsked = isAll || indexes.has(linkIndex);
      return link && isAsked && protocol === mark.protocol ? [{ kind: "nexthop", netns: view.netns, link: link.name, id }] : [];
    });
  },
});
`;

const SIMULATED = `import type { Nexthop } from "../../../kernel/objects/nexthop.ts";
import { keptObject } from "../kept-object.ts";

export const nexthop = keptObject<Nexthop>("nexthop", "nexthop");
`;

/** The same requests to both kernels; differences are printed. */
const RUN = `import assert from "node:assert/strict";
import { describeOperation } from "../../src/kernel/kernel-text.ts";
import { script } from "../../src/kernel/script.ts";
import type { Kernel, KernelObject, Operation } from "../../src/kernel/kernel.ts";
import { LinuxMachine } from "../../src/linux/machine/machine.ts";
import { SimMachine } from "../../src/sim/kernel/kernel.ts";
import { nodeClock } from "../../src/transport/node-clock.ts";

const path = \`/run/netns/nlt\${process.pid}-nexthop\`;
const netns = \`file://\${path}\` as const;
const end = (name: string) => ({ netns, name, mac: name === "a" ? "02:00:00:00:00:01" : "02:00:00:00:00:02", mtuBytes: 1500, alias: "toy" });
const pair: KernelObject = { kind: "veth", ends: [end("a"), end("b")] };
const objects: readonly KernelObject[] = [
  pair,
  { kind: "up", netns, link: "a" },
  { kind: "up", netns, link: "b" },
  { kind: "nexthop", netns, link: "a", id: 4711 },
];
const adding = objects.map((object): Operation => ({ verb: "add", object }));
const kinds = async (kernel: Kernel) => (await kernel.observe([{ netns }])).map(({ kind }) => kind).sort();

async function use(kernel: Kernel): Promise<void> {
  const failpoint = { operation: 3, when: "after", how: "error" } as const;
  await assert.rejects(kernel.apply(adding, { failpoint }));
  assert.deepEqual(await kinds(kernel), []);
  await kernel.apply(adding);
  assert.deepEqual(await kinds(kernel), ["nexthop", "up", "up", "veth"]);
  await assert.rejects(kernel.apply(adding.slice(3)), /nexthop id 4711/);
  await kernel.apply([{ verb: "remove", object: objects[3] as KernelObject }]);
  assert.deepEqual(await kinds(kernel), ["up", "up", "veth"]);
  await kernel.apply(adding.slice(3));
  await kernel.apply([{ verb: "remove", object: pair }]);
  assert.deepEqual(await kinds(kernel), []);
  await kernel.settle();
}

const simulated = new SimMachine({ clock: nodeClock() });
simulated.createNetns(path);
await use(simulated.kernel());
const machine = await LinuxMachine.open();
await machine.createNetns(path);
try {
  const kernel = await machine.kernel({ bpffs: \`/run/netloom-test/nexthop-\${process.pid}\`, host: netns });
  await use(kernel);
  await kernel.close();
} finally {
  await machine.removeNetns(path);
  await machine.close();
}
console.log(describeOperation(adding[3] as Operation));
console.log(script(adding).find((line) => line.includes("nexthop add id")));
`;

test("a kind of kernel object", { skip: needsRoot }, async (t) => {
  const house = new HouseCopy(t);
  const lists = [
    [
      "src/kernel/objects/nexthop.ts",
      PURE,
      "src/kernel/objects.ts",
      "./objects/nexthop.ts",
      "  sysctl,\n} as const",
    ],
    ["src/linux/objects/nexthop.ts", LINUX, "src/linux/objects.ts", "./objects/nexthop.ts", "  sysctl,\n}"],
    [
      "src/sim/kernel/objects/nexthop.ts",
      SIMULATED,
      "src/sim/kernel/objects.ts",
      "./objects/nexthop.ts",
      "  sysctl,\n}",
    ],
  ] as const;
  for (const [file, text, list, from, before] of lists) {
    house.write(file, text);
    const after = before.replace("sysctl,", "sysctl,\n  nexthop,");
    house.extend(list, `import { nexthop } from "${from}";`, before, after);
  }
  house.write("e2e/extending/nexthop-run.ts", RUN);
  house.check();
  const ran = await house.node("e2e/extending/nexthop-run.ts");
  assert.equal(ran.stderr, "");
  assert.match(ran.stdout, /^add nexthop id 4711 dev a in file:\/\/\S+\n/);
  assert.match(ran.stdout, /ip -n nlt\S+ nexthop add id 4711 dev a protocol \d+/);
});
