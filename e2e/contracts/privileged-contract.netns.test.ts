/** The kernel worker of this machine passes the contract of `Privileged`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { needsRoot, netnsFixture } from "../../fixtures/linux/netns.ts";
import { privilegedContract, type PrivilegedHarness } from "./privileged-contract.ts";

for (const each of privilegedContract)
  test(each.title, { skip: needsRoot }, async (t) => each.run(await harness(t)));

async function harness(t: TestContext): Promise<PrivilegedHarness> {
  const net = await netnsFixture(t);
  const folder = mkdtempSync(join(tmpdir(), "nlt-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return {
    privileged: net.machine,
    bpffs: net.bpffs,
    netns: () => net.netns(),
    async process() {
      const child = spawn("sleep", ["60"]);
      await once(child, "spawn");
      t.after(async () => {
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      });
      return child.pid ?? 0;
    },
    async listen() {
      const path = join(folder, "a b.sock");
      const server = createServer((socket) => socket.on("error", () => undefined));
      server.listen(path);
      await once(server, "listening");
      const { dev, ino } = statSync(path, { bigint: true });
      return {
        path,
        identity: `inode://${dev}/${ino}`,
        end: async () => {
          const closed = once(server, "close");
          server.close();
          await closed;
        },
      };
    },
  };
}
