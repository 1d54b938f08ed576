/**
 * The steps of docs/internals/extending.md, carried out: something new of each kind is added to a copy of the tree, as
 * one folder and one line of a list. It compiles, runs, and appears in help, status and schema.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HouseCopy } from "./house-copy.ts";

const VM_RESOLVER = `/** A virtual machine by its name: the namespace that its hypervisor has made for it. */
import { pathKey, watchPath } from "../netns/netns.ts";
import type { Resolver } from "../resolver.ts";

const pathOf = (name: string): string => \`/run/vm/\${name}\`;

export const vm: Readonly<Resolver<string>> = {
  type: "vm",
  form: "name",
  leadsTo: "netns",
  about: "by the virtual machine that it is for",
  schema: (z) => z.string().describe("Name of a virtual machine."),
  problem: (name) => (/^[a-z]+$/.test(name) ? undefined : "machines have names of lower-case letters"),
  key: (name) => pathKey(pathOf(name)),
  text: (name) => \`vm \${name}\`,
  label: (name) => \`vm-\${name}\`,
  spellings: [
    {
      form: () => "vm:one",
      read: (text) => (text.startsWith("vm:") ? { value: text.slice(3) } : undefined),
    },
  ],
  folders: ["/run/vm"],
  watch: (name, outside) => watchPath(pathOf(name), outside),
};
`;

test("a resolver", async (t) => {
  const house = new HouseCopy(t);
  house.write("src/resolvers/vm/vm.ts", VM_RESOLVER);
  house.extend(
    "src/resolvers/resolvers.ts",
    'import { vm } from "./vm/vm.ts";',
    "[netns, pid, lab, port]",
    "[netns, pid, lab, port, vm]",
  );
  house.check();
  await house.makeDocs();
  assert.match(
    house.read("docs/schema/netloom.schema.json"),
    /"vm": \{\s+"type": "string",\s+"description": "Name of/,
  );
  assert.match(
    house.read("docs/reference/cli.md"),
    /web, pid:4711, lab\/host\/workload, port:tap0 or vm:one/,
  );
  assert.match(
    (await house.netloom("connect", "--help")).stdout,
    /lab\/host\/workload,\s+port:tap0\s+or\s+vm:one/,
  );
  const dry = await house.netloom("connect", "vm:one", "db", "--dry-run");
  assert.equal(
    dry.stdout,
    "apiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata:\n  name: vm-one-db\nspec:\n  workload:\n    vm: one\n  service: db\n",
  );
  house.write(
    "db.yaml",
    "apiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceProvider\nmetadata: { name: db }\nspec:\n  workload: { vm: two }\n  services: [db]\n  pools: [10.0.0.0/24]\n",
  );
  house.write(
    "wrong.yaml",
    "apiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: a }\nspec:\n  workload: { vm: '1' }\n  service: db\n",
  );
  const [apply, connect, status, wrong] = await house.mesh({
    namespaces: ["/run/vm/one", "/run/vm/two"],
    commands: [
      { host: "beta", args: ["apply", "-f", "db.yaml", "--wait", "30"] },
      { host: "alpha", args: ["connect", "vm:one", "db", "--interface", "to-db", "--wait", "30"] },
      { host: "alpha", args: ["status"] },
      { host: "alpha", args: ["apply", "-f", "wrong.yaml"] },
    ],
  });
  assert.deepEqual(apply, { code: 0, stdout: "+ NetworkServiceProvider db\n", stderr: "" });
  assert.equal(connect?.code, 0, connect?.stdout);
  assert.match(status?.stdout ?? "", /alpha\/vm-one\/to-db +vxlan vni \d+ alpha→beta +db\.beta .* up /);
  assert.match(
    wrong?.stderr ?? "",
    /wrong\.yaml:5:19: spec\.workload\.vm: machines have names of lower-case letters/,
  );
});

const PLAIN_MECHANISM = `/** VXLAN under another name: a tunnel of a type that nobody else names. */
import { z } from "zod";
import type { RemoteType } from "../mechanism-type.ts";
import { vxlan, type VxlanMechanism } from "../vxlan/vxlan.ts";

export interface PlainMechanism extends Omit<VxlanMechanism, "type"> {
  readonly type: "PLAIN";
}

const asVxlan = (tunnel: PlainMechanism): VxlanMechanism => ({ ...tunnel, type: "VXLAN" });
const asPlain = (tunnel: VxlanMechanism): PlainMechanism => ({ ...tunnel, type: "PLAIN" });

export const plain: Readonly<RemoteType<PlainMechanism>> = {
  ...vxlan,
  type: "PLAIN",
  document: "plain",
  carrier: "plain",
  options: [
    { key: "port", name: "plain-port", argument: "port", about: "UDP port of plain tunnels", default: 4789, least: 1, most: 65_535 },
  ],
  identifier: { ...vxlan.identifier, key: "number", noun: "number" },
  labKeys: { number: z.int().optional().describe("Number of a plain tunnel.") },
  read: ({ number = "", ...parameters }) => {
    const read = vxlan.read({ ...parameters, vni: number });
    return read.ok ? { ok: true, value: asPlain(read.value) } : read;
  },
  write: (tunnel) => {
    const { vni = "", ...parameters } = vxlan.write(asVxlan(tunnel));
    return { ...parameters, number: vni };
  },
  problems: (tunnel, side) => vxlan.problems(asVxlan(tunnel), side),
  mtuBytes: (tunnel) => vxlan.mtuBytes(asVxlan(tunnel)),
  half: (tunnel, place) => vxlan.half(asVxlan(tunnel), place),
  idOf: ({ vni }) => vni,
  vteps: (tunnel) => vxlan.vteps(asVxlan(tunnel)),
  whyMtu: (tunnel) => vxlan.whyMtu(asVxlan(tunnel)),
  tunnel: (facts) => asPlain(vxlan.tunnel(facts)),
  found: () => [],
};
`;

test("a mechanism", async (t) => {
  const house = new HouseCopy(t);
  house.write("src/mechanisms/plain/plain.ts", PLAIN_MECHANISM);
  house.extend(
    "src/mechanisms/list.ts",
    'import { plain } from "./plain/plain.ts";',
    "[kernel, port, vxlan]",
    "[kernel, port, plain, vxlan]",
  );
  house.check();
  await house.makeDocs();
  assert.match(house.read("docs/schema/netloom.schema.json"), /"enum": \[\s+"plain",\s+"vxlan"\s+\]/);
  assert.match(
    house.read("docs/schema/netloom.schema.json"),
    /"number": \{\s+"description": "Number of a plain tunnel\."/,
  );
  for (const command of ["agent", "doctor"] as const)
    assert.match(
      (await house.netloom(command, "--help")).stdout,
      /--plain-port <port> +UDP port of plain tunnels/,
    );
  house.write(
    "db.yaml",
    "apiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceProvider\nmetadata: { name: db }\nspec:\n  workload: { netns: /run/db }\n  services: [db]\n  pools: [10.0.0.0/24]\n",
  );
  const [apply, connect, status, json] = await house.mesh({
    namespaces: ["/run/web", "/run/db"],
    commands: [
      { host: "beta", args: ["apply", "-f", "db.yaml", "--wait", "30"] },
      { host: "alpha", args: ["connect", "/run/web", "db", "--interface", "to-db", "--wait", "30"] },
      { host: "alpha", args: ["status"] },
      { host: "alpha", args: ["status", "-o", "json"] },
    ],
  });
  assert.deepEqual(apply, { code: 0, stdout: "+ NetworkServiceProvider db\n", stderr: "" });
  assert.equal(connect?.code, 0, connect?.stdout);
  assert.match(status?.stdout ?? "", /alpha\/web\/to-db +plain number \d+ alpha→beta +db\.beta .* up /);
  const { wires } = JSON.parse(json?.stdout ?? "") as {
    readonly wires: readonly {
      readonly hops: readonly { readonly tunnel?: { readonly type: string; readonly parameters: object } }[];
    }[];
  };
  const tunnel = wires[0]?.hops[0]?.tunnel;
  assert.equal(tunnel?.type, "PLAIN");
  assert.ok("number" in (tunnel?.parameters ?? {}));
});

/** A kind of document that describes a workload and asks for nothing: it is up when the workload exists. */
const NOTE_FILES = {
  "words.ts": `import { API_VERSION } from "../api-version.ts";
import { attachmentName } from "../command.ts";
import type { KindWords } from "../kind.ts";

export const note: Readonly<KindWords> = {
  apiVersion: API_VERSION,
  kind: "Note",
  names: ["note", "notes"],
  inFile: "notes",
  counted: "noted",
  load: async () => (await import("./note.ts")).noteKind,
  command: {
    name: "note",
    summary: "say something of a workload",
    description: "Writes a Note.",
    examples: [{ command: "netloom note web db --what-is-said hello", about: "says hello" }],
    workload: "web",
    services: "services that it is about",
    interface: "is not for a note",
    options: [{ flags: "--what-is-said <text>", about: "what is said" }],
    documents: (given) => [
      {
        metadata: { name: given.name ?? attachmentName(given.label, ...given.services) },
        spec: { workload: given.workload, services: given.services, text: given.text("what-is-said") },
      },
    ],
  },
};
`,
  "note.ts": `import { z } from "zod";
import { workloadSchema } from "../../resolvers/schema.ts";
import { checkWorkload } from "../../resolvers/workload-ref.ts";
import { within } from "../../text/problem.ts";
import { documentSchema } from "../fragments/head.ts";
import type { DocumentKind } from "../kind.ts";
import { Progress } from "../../attachments/progress.ts";
import { NoteController } from "./note-controller.ts";
import type { NoteSpec } from "./spec.ts";

const noteSchema = documentSchema({
  kind: "Note",
  about: "Name of the note.",
  spec: z.strictObject({
    workload: workloadSchema(),
    services: z.array(z.string()),
    text: z.string().describe("The text of the note."),
  }),
});

export const noteKind: Readonly<DocumentKind<z.infer<typeof noteSchema>, NoteSpec>> = {
  schema: noteSchema,
  check: ({ spec: { workload, text } }) =>
    within("spec", [
      ...checkWorkload(workload, ["workload"]),
      ...(text === "" ? [{ path: ["text"], message: "a note says something" }] : []),
    ]),
  mean: (document) => ({ ...document.spec, kind: document.kind, name: document.metadata.name, document }),
  control: (spec, { parts, workloads }, { onChange }) =>
    new NoteController(spec, workloads.use(spec.workload), new Progress(parts.world.clock, onChange)),
};
`,
  "spec.ts": `import type { Spec } from "../../attachments/spec.ts";
import type { WorkloadRef } from "../../resolvers/resolver.ts";

export interface NoteSpec extends Spec {
  readonly workload: WorkloadRef;
}
`,
  "note-controller.ts": `import { atWorkload } from "../../attachments/at-workload.ts";
import type { AttachmentController } from "../../attachments/attachment-controller.ts";
import type { Progress, ProgressView } from "../../attachments/progress.ts";
import type { Workload } from "../../attachments/workloads.ts";
import type { Scope } from "../../async/scope.ts";
import type { NetloomError } from "../../errors/errors.ts";
import type { NoteSpec } from "./spec.ts";

export class NoteController implements AttachmentController {
  readonly connectionId = "";
  readonly endpointName = "";
  readonly wires: AttachmentController["wires"] = new Map();
  readonly spec: NoteSpec;
  readonly #workload: Workload;
  readonly #progress: Progress;

  constructor(spec: NoteSpec, workload: Workload, progress: Progress) {
    this.spec = spec;
    this.#workload = workload;
    this.#progress = progress;
  }

  get view(): ProgressView {
    return this.#progress.view;
  }

  get workload(): string {
    return this.#workload.label;
  }

  async run(scope: Scope): Promise<void> {
    const [workload, progress] = [this.#workload, this.#progress];
    await atWorkload({ workload, progress, scope }, async (presence) => {
      progress.up();
      await workload.changed(presence, scope);
    });
  }

  update(): boolean {
    return false;
  }

  fail(error: NetloomError, delayMs: number): void {
    this.#progress.failed(error, delayMs);
  }

  leave(): void {
    this.#progress.closing();
  }

  close(): Promise<void> {
    this.#workload.release();
    return Promise.resolve();
  }
}
`,
} as const;

test("a kind of document", async (t) => {
  const house = new HouseCopy(t);
  for (const [name, text] of Object.entries(NOTE_FILES)) house.write(`src/documents/note/${name}`, text);
  house.extend(
    "src/documents/kinds.ts",
    'import { note } from "./note/words.ts";',
    "[networkService, client, provider, serviceFunction]",
    "[networkService, client, provider, serviceFunction, note]",
  );
  house.check();
  await house.makeDocs();
  assert.match(house.read("docs/schema/netloom.schema.json"), /"const": "Note"/);
  assert.match(house.read("docs/reference/cli.md"), /services, clients, providers, functions, notes/);
  assert.match((await house.netloom("--help")).stdout, /^ +note +say something of a workload$/m);
  assert.match(
    (await house.netloom("get", "--help")).stdout,
    /networkservice, networkserviceclient, networkserviceprovider,\s+servicefunction, note, services, endpoints or/,
  );
  house.write(
    "note.yaml",
    "apiVersion: netloom.dev/v1alpha1\nkind: Note\nmetadata: { name: hello }\nspec: { workload: { netns: /run/netns/late }, services: [], text: hi }\n",
  );
  house.write(
    "wrong.yaml",
    "apiVersion: netloom.dev/v1alpha1\nkind: Note\nmetadata: { name: a }\nspec:\n  workload: { pid: 1 }\n  services: []\n  text: ''\n",
  );
  const [noted, status, applied, listed, described, wrong, gone] = await house.mesh({
    namespaces: ["/run/netns/here"],
    commands: [
      { host: "alpha", args: ["note", "here", "db", "--what-is-said", "hello", "--wait", "30"] },
      { host: "alpha", args: ["status"] },
      { host: "alpha", args: ["apply", "-f", "note.yaml", "--wait", "0.1"] },
      { host: "alpha", args: ["get", "notes"] },
      { host: "alpha", args: ["describe", "note/hello"] },
      { host: "alpha", args: ["apply", "-f", "wrong.yaml"] },
      { host: "alpha", args: ["delete", "Note/here-db"] },
    ],
  });
  assert.deepEqual(noted, { code: 0, stdout: "+ Note here-db\n", stderr: "" });
  assert.match(status?.stdout ?? "", /0 wires; 0 requested; 0 offered; 1 noted/);
  assert.match(applied?.stdout ?? "", /! Note hello is not up yet \(waiting\): /);
  assert.match(
    listed?.stdout ?? "",
    /^Note +here-db +up +alpha\/here +db\nNote +hello +waiting +alpha\/late/m,
  );
  assert.match(described?.stdout ?? "", /^Note hello on alpha: waiting[^]+ {4}text: hi$/m);
  assert.match(wrong?.stderr ?? "", /wrong\.yaml:7:9: spec\.text: a note says something/);
  assert.equal(gone?.stdout, "- Note here-db\n");
});

const HIDING_FUNCTION = `/** As passthrough, but clients see only what is shown of the networks behind. */
import { z } from "zod";
import { insideOf } from "../../net/ip.ts";
import type { FunctionType } from "../function-type.ts";
import { passthrough } from "../passthrough/passthrough.ts";

interface HidingKeys {
  readonly shows: readonly string[];
}

export const hiding: Readonly<FunctionType<HidingKeys>> = {
  type: "hiding",
  about: "Shows clients a part of what is behind.",
  keys: { shows: z.array(z.string()).describe("Prefixes that clients see.") },
  check: ({ shows }) => (shows.length > 0 ? [] : [{ path: ["shows"], message: "show something" }]),
  passage: ({ shows }) => {
    const { ask, answer } = passthrough.passage({});
    const isShown = insideOf(shows);
    return {
      ask,
      answer: (first, next) => {
        if (next.ipContext)
          next.ipContext.srcRoutes = next.ipContext.srcRoutes.filter(({ prefix }) => isShown(prefix));
        return answer(first, next);
      },
    };
  },
};
`;

const CHAIN_DOCUMENTS = `
apiVersion: networkservicemesh.io/v1
kind: NetworkService
metadata: { name: shop }
spec:
  matches:
    - { source_selector: { app: fw }, routes: [{ destination_selector: { app: shop } }] }
    - { routes: [{ destination_selector: { app: fw } }] }
---
apiVersion: netloom.dev/v1alpha1
kind: NetworkServiceProvider
metadata: { name: shop, labels: { app: shop } }
spec:
  workload: { netns: /run/shop }
  services: [shop]
  pools: [10.2.0.0/24]
  routes: { client: [10.20.0.0/16, 10.30.0.0/16] }
  acceptRoutes: [10.1.0.0/24]
---
apiVersion: netloom.dev/v1alpha1
kind: ServiceFunction
metadata: { name: fw, labels: { app: fw } }
spec:
  type: hiding
  shows: [10.20.0.0/16]
  workload: { netns: /run/fw }
  service: shop
  pools: [10.1.0.0/24]
`;

test("a service function", async (t) => {
  const house = new HouseCopy(t);
  house.write("src/functions/hiding/hiding.ts", HIDING_FUNCTION);
  house.extend(
    "src/functions/functions.ts",
    'import { hiding } from "./hiding/hiding.ts";',
    "= [passthrough]",
    "= [passthrough, hiding]",
  );
  house.check();
  await house.makeDocs();
  assert.match(
    house.read("docs/schema/netloom.schema.json"),
    /"const": "hiding",\s+"description": "Shows clients a part of what is behind\."/,
  );
  house.write("chain.yaml", CHAIN_DOCUMENTS);
  house.write("wrong.yaml", CHAIN_DOCUMENTS.replace("shows: [10.20.0.0/16]", "shows: []"));
  house.write("unknown.yaml", CHAIN_DOCUMENTS.replace("type: hiding", "type: hidden"));
  const [apply, connect, described, wrong, unknown] = await house.mesh({
    namespaces: ["/run/web", "/run/fw", "/run/shop"],
    commands: [
      { host: "beta", args: ["apply", "-f", "chain.yaml", "--wait", "30"] },
      { host: "alpha", args: ["connect", "/run/web", "shop", "--interface", "to-shop", "--wait", "30"] },
      { host: "alpha", args: ["describe", "web-shop"] },
      { host: "beta", args: ["apply", "-f", "wrong.yaml"] },
      { host: "beta", args: ["apply", "-f", "unknown.yaml"] },
    ],
  });
  assert.deepEqual(apply, {
    code: 0,
    stdout: "+ NetworkService shop\n+ NetworkServiceProvider shop\n+ ServiceFunction fw\n",
    stderr: "",
  });
  assert.equal(connect?.code, 0, connect?.stdout);
  assert.match(described?.stdout ?? "", /routes +10\.1\.0\.0\/32, 10\.2\.0\.0\/32, 10\.20\.0\.0\/16\n/);
  assert.match(wrong?.stderr ?? "", /wrong\.yaml:25:10: spec\.shows: show something/);
  assert.match(
    unknown?.stderr ?? "",
    /unknown\.yaml:24:9: spec\.type: expected "passthrough" or "hiding", got "hidden"/,
  );
});
