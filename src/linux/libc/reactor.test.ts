import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, readSync, writeSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { Reactor } from "./reactor.ts";
import { eventfd } from "./syscall.ts";

const ONE = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);

function open(t: TestContext): Reactor {
  const reactor = Reactor.open();
  t.after(() => reactor.close());
  return reactor;
}

function descriptor(t: TestContext): number {
  const fd = eventfd();
  t.after(() => {
    try {
      closeSync(fd);
    } catch {
      // The test has closed it.
    }
  });
  return fd;
}

/** `called` resolves with the next call. */
function nextCall(): { callback: () => void; called: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { callback: resolve, called: promise };
}

test("every event calls the callback", async (t) => {
  const reactor = open(t);
  const fd = descriptor(t);
  let waiting: (() => void) | undefined;
  reactor.register(fd, () => waiting?.());
  for (let n = 0; n < 300; n++) {
    const { callback, called } = nextCall();
    waiting = callback;
    writeSync(fd, ONE);
    await called;
    readSync(fd, Buffer.alloc(8));
  }
});

test("unregister stops the callbacks, and the descriptor can be registered again", async (t) => {
  const reactor = open(t);
  const fd = descriptor(t);
  reactor.register(fd, () => assert.fail("it was unregistered"));
  assert.throws(() => reactor.register(fd, () => undefined), { code: "ALREADY_EXISTS" });
  writeSync(fd, ONE);
  reactor.unregister(fd);
  reactor.unregister(fd);
  const { callback, called } = nextCall();
  reactor.register(fd, callback);
  await called;
});

test("closing a registered descriptor is harmless, even if its number is reused", async (t) => {
  const reactor = open(t);
  const old = descriptor(t);
  reactor.register(old, () => assert.fail("it was closed"));
  closeSync(old);
  const fd = descriptor(t);
  assert.equal(fd, old);
  const { callback, called } = nextCall();
  reactor.register(fd, callback);
  writeSync(fd, ONE);
  await called;
  closeSync(fd);
  reactor.unregister(fd);
  assert.throws(() => reactor.register(fd, () => undefined), { errno: "EBADF" });
});

test("close ends the wait, can be repeated, and leaves the descriptors open", async (t) => {
  const reactor = Reactor.open();
  const fd = descriptor(t);
  const { callback, called } = nextCall();
  reactor.register(fd, callback);
  writeSync(fd, ONE);
  await called;
  await Promise.all([reactor.close(), reactor.close()]);
  writeSync(fd, ONE);
  assert.throws(() => reactor.register(fd, () => undefined), { code: "FAILED_PRECONDITION" });
});

test("a process ends by itself after its reactor is closed, and with an open one by process.exit and by an error", () => {
  for (const last of [
    "await reactor.close();",
    "process.exit(3);",
    "setTimeout(() => process.exit(3), 100);",
    "throw new Error('x');",
  ]) {
    const script = `
      import { Reactor } from ${JSON.stringify(new URL("./reactor.ts", import.meta.url).href)};
      import { eventfd } from ${JSON.stringify(new URL("./syscall.ts", import.meta.url).href)};
      const reactor = Reactor.open();
      reactor.register(eventfd(), () => undefined);
      ${last}`;
    const status = ((): number => {
      try {
        execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
          timeout: 120_000,
          stdio: "pipe",
        });
        return 0;
      } catch (error) {
        assert.equal((error as { signal: unknown }).signal, null, `it hung: ${last}`);
        return (error as { status: number }).status;
      }
    })();
    assert.equal(status, last.startsWith("await") ? 0 : last.startsWith("throw") ? 1 : 3);
  }
});
