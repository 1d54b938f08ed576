import { watchOf } from "../async/watch.ts";
import assert from "node:assert/strict";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { Metadata, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { NetloomError } from "../errors/errors.ts";
import { PLAIN_CREDENTIALS } from "../identity/identities.ts";
import { peerCredentials } from "../linux/processes/peer-credentials.ts";
import type { Handler, IncomingMessage, Message } from "../world/hops.ts";
import { isLocal, principalText } from "../world/peer.ts";
import { grpcHost, temporaryFolder } from "../../fixtures/transport/grpc.ts";

const empty: Message = { bytes: new Uint8Array(), metadata: {} };
const METHOD = "/test.Test/Call";

function answering(call: (incoming: IncomingMessage) => Promise<Message>): Handler {
  return {
    methods: [{ path: METHOD, kind: "call" }],
    call,
    watch: () => assert.fail("there are no streams here"),
  };
}

const echo = answering(async ({ bytes, metadata }) => ({ bytes, metadata }));

suite("listening", () => {
  test("is logged, with how far the listener trusts its peers", async (t) => {
    const url = `unix://${join(await temporaryFolder(t), "a.sock")}`;
    const { hops, log } = grpcHost(t);
    await hops.serve(url, echo);
    assert.deepEqual(log, [`listening on ${url} ${PLAIN_CREDENTIALS.announcement}`]);
    assert.match(log.join(), /in plaintext/);
  });

  test("a socket is for its owner and group, and closing removes its file", async (t) => {
    const folder = await temporaryFolder(t);
    const { hops } = grpcHost(t);
    const stop = await hops.serve(`unix://${join(folder, "a.sock")}`, echo);
    const { mode } = await stat(join(folder, "a.sock"));
    assert.equal((mode & 0o777).toString(8), "660");
    await stop();
    await stop();
    assert.deepEqual(await readdir(folder), []);
  });

  test("the socket of a killed process is replaced, that of a running one is not", async (t) => {
    const folder = await temporaryFolder(t);
    const path = join(folder, "a.sock");
    await leaveStaleSocket(path);
    const [first, second] = [grpcHost(t), grpcHost(t)];
    await first.hops.serve(`unix://${path}`, echo);
    await assert.rejects(second.hops.serve(`unix://${path}`, echo), {
      code: "ALREADY_EXISTS",
      message: `listen on unix://${path}: EADDRINUSE: somebody else is there`,
      hint: /end the other process/,
    });
    await second.hops.dial(`unix://${path}`).call(METHOD, empty, { timeoutMs: 1000 });
  });

  test("a file that is not a socket is left alone, and the error names a missing folder", async (t) => {
    const folder = await temporaryFolder(t);
    const { hops } = grpcHost(t);
    await writeFile(join(folder, "file"), "mine");
    for (const path of [join(folder, "file"), folder])
      await assert.rejects(hops.serve(`unix://${path}`, echo), {
        code: "ALREADY_EXISTS",
        message: `listen on unix://${path}: EADDRINUSE: ${path} is there, and no socket`,
        hint: /another path/,
      });
    await assert.rejects(hops.serve(`unix://${join(folder, "none", "a.sock")}`, echo), {
      code: "NOT_FOUND",
      hint: /mkdir -p/,
    });
    await mkdir(join(folder, "a folder"));
    await hops.serve(`unix://${join(folder, "a folder", "ä.sock")}`, echo);
    const hop = hops.dial(`unix://${join(folder, "a folder", "ä.sock")}`);
    await hop.call(METHOD, empty, { timeoutMs: 1000 });
  });

  test("an invalid address, or one that this host lacks, is INVALID_ARGUMENT", async (t) => {
    const { hops } = grpcHost(t);
    for (const url of [
      "",
      "unix://",
      "unix:///",
      "unix://a.sock",
      `unix:///${"a".repeat(107)}`,
      "tcp://localhost:1",
      "tcp://1.2.3.4",
      "tcp://1.2.3.4:65536",
      "tcp://::1:5001",
      "tcp://[1.2.3.4]:1",
      "http://1.2.3.4:1",
      "tcp://192.0.2.1:5001",
    ]) {
      await assert.rejects(hops.serve(url, echo), { code: "INVALID_ARGUMENT" }, url);
    }
    assert.throws(() => hops.dial("tcp://local_host:1"), { code: "INVALID_ARGUMENT" });
  });
});

suite("peers", () => {
  test("a peer is identified by its socket, or by its address in one form, and has one name for each connection", async (t) => {
    const seen: IncomingMessage["peer"][] = [];
    const look = answering(async ({ peer }) => {
      seen.push(peer);
      return empty;
    });
    const server = grpcHost(t);
    const port = await freePort();
    const path = `unix://${join(await temporaryFolder(t), "a.sock")}`;
    await server.hops.serve(path, look);
    await server.hops.serve(`tcp://[::]:${port}`, look);
    for (const url of [path, path, `tcp://127.0.0.1:${port}`, `tcp://[::1]:${port}`]) {
      const { hops } = grpcHost(t);
      await hops.dial(url).call(METHOD, empty, { timeoutMs: 1000 });
    }
    assert.deepEqual(
      seen.map((peer) => [principalText(peer.principal), isLocal(peer)]),
      [
        ["unix", true],
        ["unix", true],
        ["tcp:127.0.0.1", false],
        ["tcp:::1", false],
      ],
    );
    assert.equal(new Set(seen.map(({ connection }) => connection)).size, 4);
  });

  test("a peer on a socket is identified by its user and process, as the kernel reports them", async (t) => {
    const url = `unix://${join(await temporaryFolder(t), "a.sock")}`;
    const { hops } = grpcHost(t, { unixCredentials: peerCredentials });
    const seen: IncomingMessage["peer"][] = [];
    await hops.serve(
      url,
      answering(async ({ peer }) => {
        seen.push(peer);
        return empty;
      }),
    );
    await grpcHost(t).hops.dial(url).call(METHOD, empty, { timeoutMs: 1000 });
    const [uid, gid] = [process.getuid?.() ?? -1, process.getgid?.() ?? -1];
    assert.deepEqual(
      seen.map(({ principal, origin }) => [principal, origin]),
      [
        [
          { kind: "unix", uid },
          { kind: "unix", credentials: { uid, gid, pid: process.pid } },
        ],
      ],
    );
  });

  test("a peer that the kernel does not identify is refused", async (t) => {
    const url = `unix://${join(await temporaryFolder(t), "a.sock")}`;
    const { hops } = grpcHost(t, { unixCredentials: () => assert.fail("ENOTCONN") });
    await hops.serve(url, echo);
    await assert.rejects(grpcHost(t).hops.dial(url).call(METHOD, empty, { timeoutMs: 500 }));
  });

  test("a peer's own statement about its connection beside a message is ignored", async (t) => {
    const url = `tcp://127.0.0.1:${await freePort()}`;
    const { hops } = grpcHost(t);
    const seen: IncomingMessage[] = [];
    await hops.serve(
      url,
      answering(async (incoming) => {
        seen.push(incoming);
        return empty;
      }),
    );
    const metadata = { "netloom-connection": "unix#0", other: "1" };
    await grpcHost(t)
      .hops.dial(url)
      .call(METHOD, { ...empty, metadata }, { timeoutMs: 1000 });
    assert.deepEqual(
      seen.map(({ peer, metadata: heard }) => [principalText(peer.principal), heard]),
      [["tcp:127.0.0.1", { other: "1" }]],
    );
  });
});

suite("input from peers", () => {
  test("a stranger that sends garbage, or too much beside a message, harms no other peer", async (t) => {
    const { hops } = grpcHost(t);
    const port = await freePort();
    await hops.serve(`tcp://127.0.0.1:${port}`, echo);
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("error", () => undefined).resume();
    socket.end("GET / HTTP/1.1\r\n\r\n\0\xff garbage");
    await new Promise((resolve) => socket.once("close", resolve));
    const hop = hops.dial(`tcp://127.0.0.1:${port}`);
    await assert.rejects(
      hop.call(METHOD, { bytes: new Uint8Array(), metadata: { x: "y".repeat(9000) } }, { timeoutMs: 1000 }),
      { code: "RESOURCE_EXHAUSTED" },
    );
    await assert.rejects(
      hop.call(METHOD, { bytes: new Uint8Array(), metadata: { "ä b": "" } }, { timeoutMs: 1000 }),
      { code: "INVALID_ARGUMENT" },
    );
    const metadata = { x: "y".repeat(8000) };
    const answer = await hop.call(METHOD, { bytes: new Uint8Array(), metadata }, { timeoutMs: 1000 });
    assert.equal(answer.metadata["x"], metadata.x);
  });

  test("a programmer's error is logged here, and the caller gets no details", async (t) => {
    const url = `unix://${join(await temporaryFolder(t), "a.sock")}`;
    const bug = new TypeError("the password is swordfish");
    const [server, client] = [grpcHost(t), grpcHost(t)];
    await server.hops.serve(
      url,
      answering(() => Promise.reject(bug)),
    );
    await assert.rejects(client.hops.dial(url).call(METHOD, empty, { timeoutMs: 1000 }), {
      code: "INTERNAL",
      message: /^internal error: /,
    });
    assert.deepEqual(server.errors, [bug]);
  });
});

suite("strangers", () => {
  test("the status of an upstream peer keeps its meaning", async (t) => {
    const port = await freePort();
    const server = new Server();
    let next: { readonly code: number; readonly details: string } = { code: 0, details: "" };
    server.register<Buffer, Buffer>(
      METHOD,
      (_call: unknown, answer: (error: object) => void) => answer({ ...next, metadata: new Metadata() }),
      (bytes) => bytes,
      (bytes) => bytes,
      "unary",
    );
    await new Promise((resolve) =>
      server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), resolve),
    );
    t.after(() => server.forceShutdown());
    const hop = grpcHost(t).hops.dial(`tcp://127.0.0.1:${port}`);
    for (const [code, expected] of [
      [status.UNAUTHENTICATED, "UNAUTHENTICATED"],
      [status.PERMISSION_DENIED, "PERMISSION_DENIED"],
      [status.UNKNOWN, "INTERNAL"],
      [status.OUT_OF_RANGE, "INVALID_ARGUMENT"],
      [status.DATA_LOSS, "INTERNAL"],
      [status.NOT_FOUND, "NOT_FOUND"],
      [status.CANCELLED, "CANCELLED"],
    ] as const) {
      next = { code, details: "no valid token" };
      await assert.rejects(hop.call(METHOD, empty, { timeoutMs: 1000 }), {
        code: expected,
        message: `call ${METHOD} at tcp://127.0.0.1:${port}: no valid token`,
      });
    }
    await assert.rejects(hop.call("/a.B/C", empty, { timeoutMs: 1000 }), { code: "UNIMPLEMENTED" });
  });

  test("a call to an address where nobody listens reports the system's reason, and what to check", async (t) => {
    const port = await freePort();
    const url = `tcp://127.0.0.1:${port}`;
    await assert.rejects(grpcHost(t).hops.dial(url).call(METHOD, empty, { timeoutMs: 1000 }), {
      code: "UNAVAILABLE",
      message: `call ${METHOD} at ${url}: nobody answers there: ECONNREFUSED`,
      hint: /check that it runs/,
    });
  });
});

suite("connections", () => {
  test("an address is dialled once, and the connection is closed when it has been idle for a while", async (t) => {
    const url = `unix://${join(await temporaryFolder(t), "a.sock")}`;
    const server = grpcHost(t);
    const connections = new Set<string>();
    await server.hops.serve(
      url,
      answering(async ({ peer }) => {
        connections.add(peer.connection);
        return empty;
      }),
    );
    const client = grpcHost(t, { idleMs: 0 });
    const call = (to: string) => client.hops.dial(to).call(METHOD, empty, { timeoutMs: 1000 });
    await Promise.all([call(url), call(url), call(url)]);
    assert.equal(connections.size, 1);
    await call(url);
    assert.equal(connections.size, 2, "it was idle");
    assert.deepEqual(client.hops.connections, [url]);
  });

  test("running calls are UNAVAILABLE when this side closes", async (t) => {
    const url = `unix://${join(await temporaryFolder(t), "a.sock")}`;
    const server = grpcHost(t);
    let begin = (): void => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const slow = answering(async ({ scope }) => {
      begin();
      await scope.done;
      throw new NetloomError("CANCELLED", "too late");
    });
    await server.hops.serve(url, slow);
    const client = grpcHost(t);
    const call = assert.rejects(client.hops.dial(url).call(METHOD, empty, { timeoutMs: 5000 }), {
      code: "UNAVAILABLE",
      message: /this side has closed/,
    });
    await begun;
    await client.hops.close();
    await call;
  });
});

suite("a silent peer", () => {
  test("breaks streams, and the next call gets a new connection", async (t) => {
    const path = join(await temporaryFolder(t), "far.sock");
    const server = grpcHost(t);
    await server.hops.serve(`unix://${path}`, {
      methods: [
        { path: METHOD, kind: "call" },
        { path: "/test.Test/Watch", kind: "watch" },
      ],
      call: async () => empty,
      watch: ({ scope }) => watchOf({ take: () => scope.done.then(() => undefined), close: () => undefined }),
    });
    const proxy = await silentProxy(t, path);
    const client = grpcHost(t, { probeIntervalMs: 50, probeTimeoutMs: 100 });
    const hop = client.hops.dial(`tcp://127.0.0.1:${proxy.port}`);
    await hop.call(METHOD, empty, { timeoutMs: 1000 });
    const stream = hop.watch("/test.Test/Watch", empty);
    const next = stream.take();
    await client.clock.sleep(300);
    proxy.fallSilent();
    await assert.rejects(next, { code: "UNAVAILABLE", message: /no sign of life in 100 ms/ });
    await hop.call(METHOD, empty, { timeoutMs: 1000 });
  });

  test("makes calls fail early while it is silent, and gets the full time when it answers again", async (t) => {
    const path = join(await temporaryFolder(t), "far.sock");
    const server = grpcHost(t);
    let isSlow = false;
    await server.hops.serve(
      `unix://${path}`,
      answering(async () => {
        if (isSlow) await server.clock.sleep(300);
        return empty;
      }),
    );
    const proxy = await silentProxy(t, path);
    const client = grpcHost(t, { probeIntervalMs: 50, probeTimeoutMs: 100 });
    const hop = client.hops.dial(`tcp://127.0.0.1:${proxy.port}`);
    const ask = () => hop.call(METHOD, empty, { timeoutMs: 60_000 });
    await ask();
    proxy.fallSilent();
    proxy.staySilent(true);
    await assert.rejects(hop.call(METHOD, empty, { timeoutMs: 1 }), { code: "DEADLINE_EXCEEDED" });
    for (let i = 0; i < 2; i++)
      await assert.rejects(ask(), { code: "UNAVAILABLE", message: /no sign of life/ });
    proxy.staySilent(false);
    isSlow = true;
    for (;;) {
      const answer = await ask().catch(() => undefined);
      if (answer) break;
    }
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen({ host: "127.0.0.1", port: 0 }, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Leaves a socket as a killed process does: a file on which nobody listens. */
async function leaveStaleSocket(path: string): Promise<void> {
  const { spawnSync } = await import("node:child_process");
  const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", script]);
  assert.ok((await stat(path)).isSocket());
}

/** Forwards bytes until it falls silent: then all connections of that moment stay open, and no byte passes. */
async function silentProxy(
  t: TestContext,
  path: string,
): Promise<{ port: number; fallSilent: () => void; staySilent: (isSilent: boolean) => void }> {
  const sockets: Socket[] = [];
  let isSilent = false;
  const server = createServer((near) => {
    if (isSilent) {
      t.after(() => near.destroy());
      return;
    }
    const far = connect(path);
    for (const socket of [near, far]) socket.on("error", () => undefined);
    near.pipe(far);
    far.pipe(near);
    sockets.push(near, far);
  });
  await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const fallSilent = (): void => {
    for (const socket of sockets.splice(0)) {
      socket.unpipe();
      socket.pause();
      t.after(() => socket.destroy());
    }
  };
  const staySilent = (silent: boolean): void => void (isSilent = silent);
  return { port: (server.address() as AddressInfo).port, fallSilent, staySilent };
}
