/**
 * The effect of an attacker on another caller: finds over the socket of a registry, while one address sends it messages of
 * four megabytes of empty elements, streams by the thousand, resets, and requests that do not end. `value` is the p99 under
 * attack over the p99 without it.
 */
import { sized } from "./sized.ts";
import { create } from "@bufbuild/protobuf";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { NetworkServiceEndpointQuerySchema } from "../src/api/gen/nsm/registry_pb.js";
import { stationsOver } from "../src/api/hops.ts";
import { freePort } from "../fixtures/transport/attack.ts";
import { NETLOOM } from "./daemon.ts";
import { openHops } from "./registry-process.ts";
import { percentile, plainRow, report } from "./report.ts";
import { LAB_WORDS } from "../src/identity/identities.ts";

const FINDS = sized(500, 20);
const PAUSE_MS = 5;

const directory = mkdtempSync(join(tmpdir(), "nlb-"));
const near = `unix://${join(directory, "registry.sock")}`;
const port = await freePort();
const listeners = ["--listen", near, "--listen", `tcp://127.0.0.1:${port}`];
const registry = spawn(NETLOOM, ["registry", ...LAB_WORDS, ...listeners], {
  stdio: ["ignore", "pipe", "ignore"],
});
let attacker: ReturnType<typeof spawn> | undefined;
try {
  const { stdout } = registry;
  await new Promise<void>((resolve) => createInterface({ input: stdout }).once("line", () => resolve()));
  const { hops, world } = openHops();
  const { endpoints } = stationsOver(hops.dial(near), world.clock);
  const query = create(NetworkServiceEndpointQuerySchema, { networkServiceEndpoint: { name: "nothing" } });
  const measure = async (count: number): Promise<number[]> => {
    const samples: number[] = [];
    for (let n = 0; n < count; n++) {
      await world.clock.sleep(PAUSE_MS);
      const startMs = performance.now();
      const answers = endpoints.find({ scope: world.scope }, query);
      while (await answers.take());
      samples.push(performance.now() - startMs);
    }
    return samples;
  };
  await measure(200);
  const quiet = await measure(FINDS);
  const file = fileURLToPath(new URL("abuse-process.ts", import.meta.url));
  attacker = spawn(process.execPath, [file, String(port)], { stdio: ["ignore", "ignore", "inherit"] });
  await measure(200);
  const beside = await measure(FINDS);
  const [p99, quietP99] = [percentile(beside, 99), percentile(quiet, 99)];
  report("abuse", [
    {
      ...plainRow("another caller", "ms", beside),
      value: p99 / quietP99,
      baseline: percentile(quiet, 50),
      ratio: p99 / quietP99,
    },
    plainRow("without", "ms", quiet),
  ]);
} finally {
  attacker?.kill();
  registry.kill();
  rmSync(directory, { recursive: true });
}
process.exit(0);
