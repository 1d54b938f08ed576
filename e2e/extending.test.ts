/**
 * The steps of docs/extending.md, done: something new of each kind is added to a copy of the tree, as one folder and one
 * line of a list. It compiles, runs, and shows in help, status and schema.
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
  house.edit(
    "src/resolvers/resolvers.ts",
    'import type { Resolver } from "./resolver.ts";\n',
    'import type { Resolver } from "./resolver.ts";\nimport { vm } from "./vm/vm.ts";\n',
  );
  house.edit("src/resolvers/resolvers.ts", "[netns, pid, lab]", "[netns, pid, lab, vm]");
  house.check();
  await house.makeDocs();
  assert.match(
    house.read("docs/schema/attachment.schema.json"),
    /"vm": \{\s+"type": "string",\s+"description": "Name of/,
  );
  assert.match(house.read("docs/cli.md"), /web, pid:4711, lab\/host\/workload or vm:one/);
  assert.match((await house.netloom("connect", "--help")).stdout, /lab\/host\/workload or\s+vm:one/);
  const dry = await house.netloom("connect", "vm:one", "db", "--dry-run");
  assert.equal(dry.stdout, "kind: Connect\nname: vm-one-db\nworkload:\n  vm: one\nservice: db\n");
  house.write(
    "db.yaml",
    "kind: Expose\nname: db\nworkload: { vm: two }\nservices: [db]\npools: [10.0.0.0/24]\n",
  );
  house.write("wrong.yaml", "kind: Connect\nname: a\nworkload: { vm: '1' }\nservice: db\n");
  const [apply, connect, status, wrong] = await house.mesh({
    namespaces: ["/run/vm/one", "/run/vm/two"],
    commands: [
      { host: "beta", args: ["apply", "-f", "db.yaml", "--wait", "30"] },
      { host: "alpha", args: ["connect", "vm:one", "db", "--interface", "to-db", "--wait", "30"] },
      { host: "alpha", args: ["status"] },
      { host: "alpha", args: ["apply", "-f", "wrong.yaml"] },
    ],
  });
  assert.deepEqual(apply, { code: 0, stdout: "+ Expose db\n", stderr: "" });
  assert.equal(connect?.code, 0, connect?.stdout);
  assert.match(status?.stdout ?? "", /alpha\/vm-one\/to-db +vxlan vni \d+ alpha→beta +db\.beta .* up /);
  assert.match(
    wrong?.stderr ?? "",
    /wrong\.yaml:3:17: workload\.vm: machines have names of lower-case letters/,
  );
});
