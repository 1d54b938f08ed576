/**
 * Runs the commands in its one argument against a mesh (`HouseCopy.mesh`), and prints the output of each as one JSON
 * text.
 */
import { fileURLToPath } from "node:url";
import { Agents } from "../../fixtures/cli/agents.ts";
import { type MeshRun, type Printed, runProgram } from "./house-copy.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { namespaces, commands } = JSON.parse(process.argv[2] ?? "") as MeshRun;
const agents = await Agents.start();
try {
  for (const path of namespaces) agents.machine.createNetns(path);
  const printed: Printed[] = [];
  for (const { host, args } of commands)
    printed.push(await runProgram(`${root}/bin/netloom`, [...args, "--agent", agents.url(host)], root));
  process.stdout.write(JSON.stringify(printed));
} finally {
  await agents.close();
}
