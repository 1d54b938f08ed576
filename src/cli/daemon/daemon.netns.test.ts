/** The daemons as a user starts them: what they refuse, how they end, and what they leave. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { NetworkServiceEndpointSchema } from "../../api/gen/nsm/registry_pb.js";
import { stationsOver } from "../../api/hops.ts";
import { grpcHost } from "../../../fixtures/transport/grpc.ts";
import { labFixture } from "../../../fixtures/lab/lab.ts";
import { findDaemons } from "../../lab/daemons.ts";
import { until } from "../../../fixtures/async/until.ts";
import { netloom, netloomOfNobody, netloomPath, start, type Netloom } from "../spawn-netloom.ts";
import { LAB_WORDS } from "../../identity/identities.ts";

const skip = process.getuid?.() === 0 ? false : "needs root";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "netloom-daemon-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Starts a daemon; resolves when it reports that it is ready. */
async function serving(args: readonly string[]): Promise<Netloom> {
  let ready: () => void = () => undefined;
  const isReady = new Promise<void>((resolve) => (ready = resolve));
  const daemon = start(args, { onStdout: (text) => void (/^ready: /m.test(text) && ready()) });
  await Promise.race([isReady, daemon.outcome.then((outcome) => assert.fail(outcome.stderr))]);
  return daemon;
}

suite("the registry", () => {
  test("reports that it is ready, stores its entries in a file, and ends in order", async (t) => {
    const at = folder(t);
    const args = ["registry", ...LAB_WORDS, "--listen", `unix://${at}/s`, "--store", `sqlite:${at}/db/r.db`];
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const daemon = await serving(args);
      daemon.kill(signal);
      const { code, stdout, stderr } = await daemon.outcome;
      assert.deepEqual([code, stdout], [0, `ready: registry serves unix://${at}/s\n`]);
      assert.match(stderr, /^time=\S+ level=info msg="listening on unix:\S+ in plaintext/m);
    }
  });

  test("keeps an endpoint for the configured lease, even an hour", async (t) => {
    const url = `unix://${folder(t)}/s`;
    const daemon = await serving(["registry", ...LAB_WORDS, "--listen", url, "--lease", "3600"]);
    const { hops, clock, scope } = grpcHost(t);
    const { endpoints } = stationsOver(hops.dial(url), clock);
    const call = { scope, deadlineMs: clock.monotonicMs() + 10_000 };
    const shop = create(NetworkServiceEndpointSchema, { name: "shop-1", url: "tcp://127.0.0.1:1" });
    const { expirationTime } = await endpoints.request(call, shop);
    assert.ok(expirationTime && timestampMs(expirationTime) > clock.wallMs() + 3_000_000);
    daemon.kill("SIGTERM");
    await daemon.outcome;
  });

  test("writes READY=1 to the given descriptor", async (t) => {
    const at = folder(t);
    const script = `exec "$0" registry ${LAB_WORDS.join(" ")} --listen unix://${at}/s --notify-fd 3 3>${at}/ready`;
    const child = spawn("sh", ["-c", script, netloomPath], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    await until(() => readFileSync(`${at}/ready`, "utf8") !== "");
    child.kill("SIGTERM");
    await once(child, "exit");
    assert.equal(readFileSync(`${at}/ready`, "utf8"), "READY=1\n");
  });

  test("refuses in one sentence a folder, an address or a store that it cannot use", async (t) => {
    const at = folder(t);
    writeFileSync(`${at}/file`, "");
    writeFileSync(`${at}/text`, "text");
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    t.after(() => taken.close());
    const address = taken.address();
    const port = typeof address === "object" ? address?.port : 0;
    for (const [args, error] of [
      [
        ["--listen", "unix:///x"],
        /there is no identity to prove who is there\nhint: allow plaintext with --/,
      ],
      [[...LAB_WORDS, "--listen", `tcp://127.0.0.1:${port}`], /EADDRINUSE: somebody else is there\nhint: /],
      [
        [...LAB_WORDS, "--listen", "tcp://localhost:1"],
        /neither a socket nor an IP address with a port\nhint: /,
      ],
      [[...LAB_WORDS, "--store", "disk"], /--store "disk": there is no such store\nhint: /],
      [[...LAB_WORDS, "--store", `sqlite:${at}/file/x.db`], /make folder .*file/],
      [
        [...LAB_WORDS, "--store", `sqlite:${at}/text`],
        /open the store .*text: it is not a database.*\nhint: name a file of its own/,
      ],
      [[...LAB_WORDS, "--lease", "0"], /--lease: expected a number of seconds/],
    ] as const) {
      const { code, stderr } = await netloom(["registry", ...args]);
      assert.equal(code, 1, args.join(" "));
      assert.match(stderr.replaceAll(/^time=.*\n/gm, ""), error);
    }
  });
});

suite("the agent", { skip }, () => {
  test("refuses in one sentence an option that it cannot follow", async (t) => {
    const at = folder(t);
    const common = [
      ...LAB_WORDS,
      "--listen",
      `unix://${at}/s`,
      "--state-dir",
      `${at}/state`,
      "--bpffs",
      `${at}/bpf`,
    ];
    const taken = createServer().listen(0, "::");
    await once(taken, "listening");
    t.after(() => taken.close());
    const address = taken.address();
    const port = typeof address === "object" ? address?.port : 0;
    for (const [args, error] of [
      [["--listen", `unix://${at}/s`], /there is no identity to prove who is there\nhint: /],
      [[...common, "--tunnel-ip", "fe80::1"], /it is a link-local address: no other host.*\nhint: /],
      [[...common, "--tunnel-ip", "me"], /it is not an IP address/],
      [[...common, "--name", "a/b"], /it is not a host name\nhint: /],
      // Not an address that may still appear.
      [[...common, "--listen", `tcp://[::]:${port}`], /EADDRINUSE: .*\nhint: /],
      [[...common, "--name", "localhost"], /many machines have this name.*\nhint: name this host/],
      [
        [...common, "--tunnel-ip", "127.0.0.1", "--tunnel-ip", "127.0.0.1"],
        /--tunnel-ip 127\.0\.0\.1: its family has an address already, 127\.0\.0\.1\nhint: /,
      ],
      [[...common, "--underlay-mtu", "9"], /--underlay-mtu: expected a number from 576/],
      [[...common, "--registry", "nowhere"], /neither a socket nor a host with a port/],
      [
        [...common, "--url", "tcp://10.0.0.300:5001"],
        /--url: use address .*: it is neither a socket nor a host with a port/,
      ],
    ] as const) {
      const { code, stderr } = await netloom(["agent", ...args]);
      assert.equal(code, 1, args.join(" "));
      assert.match(stderr.replaceAll(/^time=.*\n/gm, ""), error);
    }
    const nobody = await netloomOfNobody(["agent", ...common]);
    assert.match(nobody.stderr, /needs root \(missing: CAP_NET_ADMIN/);
  });

  test("leaves its wires at its end, or removes them if configured to", async (t) => {
    const lab = await labFixture(t);
    await lab.up(
      "apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: NAME }\nspec:\n  hosts: { alpha: { workloads: [web, db] } }\n  agents: true\n" +
        "---\napiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceProvider\nmetadata: { name: db }\nspec: { workload: alpha/db, services: [db], pools: [10.0.0.16/28] }\n" +
        "---\napiVersion: netloom.dev/v1alpha1\nkind: NetworkServiceClient\nmetadata: { name: web }\nspec: { workload: alpha/web, service: db, interface: to-db }\n",
    );
    const hasWire = async (): Promise<boolean> => {
      const { stdout } = await netloom(["lab", "exec", lab.name, "alpha/web", "--", "cat", "/proc/net/dev"]);
      return stdout.includes("to-db");
    };
    const agent = findDaemons(lab.name).find(({ kind }) => kind === "agent");
    assert.ok(agent);
    process.kill(agent.pid, "SIGTERM");
    await until(() => !findDaemons(lab.name).some(({ kind }) => kind === "agent"));
    assert.equal(await hasWire(), true);
    const args = ["lab", "exec", lab.name, "alpha", "--", netloomPath, ...agent.args, "--close-on-exit"];
    const again = await serving(args);
    await until(() => isUp(lab.name));
    again.kill("SIGTERM");
    assert.equal((await again.outcome).code, 0);
    assert.equal(await hasWire(), false);
  });
});

async function isUp(lab: string): Promise<boolean> {
  const { stdout, code } = await netloom(["status", "--lab", lab, "--host", "alpha", "-o", "json"]);
  return code === 0 && stdout.includes("to-db");
}
