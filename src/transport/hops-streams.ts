/** The promises about streams. */
import { NetloomError } from "../errors/errors.ts";
import { type Watch, watchOf } from "../async/watch.ts";
import {
  bytes,
  counting,
  equal,
  failure,
  handler,
  type HopsPromise,
  message,
  numberOf,
  ok,
  openStream,
  signal,
  WATCH,
} from "./hops-specimens.ts";

export const streamPromises: readonly HopsPromise[] = [
  {
    title: "a stream brings all answers in order, and then its end",
    check: async ({ near, far, url }) => {
      await far.hops.serve(url, handler({ watch: () => counting(500) }));
      const stream = near.hops.dial(url).watch(WATCH, message());
      for (let n = 0; n < 500; n++) equal(numberOf(await stream.take()), n);
      equal(await stream.take(), undefined);
      equal(await stream.take(), undefined);
    },
  },
  {
    title: "an error comes after the answers before it, once",
    check: async ({ near, far, url }) => {
      const failing = (): Watch<Uint8Array> => {
        const source = counting(40);
        return watchOf({
          take: async () => {
            const answer = await source.take();
            if (!answer) throw new NetloomError("FAILED_PRECONDITION", "too far behind", { hint: "list" });
            return answer;
          },
          close: () => source.close(),
        });
      };
      await far.hops.serve(url, handler({ watch: failing }));
      const stream = near.hops.dial(url).watch(WATCH, message());
      equal(numberOf(await stream.take()), 0);
      await near.clock.sleep(50);
      for (let n = 1; n < 40; n++) equal(numberOf(await stream.take()), n);
      const error = await failure(stream.take());
      equal([error.code, error.message, error.hint], ["FAILED_PRECONDITION", "too far behind", "list"]);
      equal(await stream.take(), undefined);
    },
  },
  {
    title: "a handler that refuses a stream refuses it with its code",
    check: async ({ near, far, url }) => {
      const refuse = (): Watch<Uint8Array> => {
        throw new NetloomError("PERMISSION_DENIED", "not you");
      };
      await far.hops.serve(url, handler({ watch: refuse }));
      equal((await failure(near.hops.dial(url).watch(WATCH, message()).take())).code, "PERMISSION_DENIED");
    },
  },
  {
    title: "a stream that is closed ends on both sides, and has no deadline",
    check: async ({ near, far, url }) => {
      const ended = signal();
      const closed = signal();
      let deadlineMs = 0;
      await far.hops.serve(
        url,
        handler({
          watch: (incoming) => {
            deadlineMs = incoming.deadlineMs;
            incoming.scope.onEnd(ended.give);
            const source = openStream(bytes(1));
            return watchOf({ take: () => source.take(), close: () => (source.close(), closed.give()) });
          },
        }),
      );
      const stream = near.hops.dial(url).watch(WATCH, message());
      await stream.take();
      const waiting = stream.take();
      stream.close();
      equal([await waiting, await stream.take(), deadlineMs], [undefined, undefined, Infinity]);
      await ended.promise;
      await closed.promise;
    },
  },
  {
    title: "a slow reader holds up the writer, not the memory in between",
    check: async ({ near, far, url }) => {
      const size = 64 * 1024;
      let written = 0;
      const source = (): Watch<Uint8Array> =>
        watchOf({
          take: async () => {
            written += 1;
            return new Uint8Array(size).fill(written);
          },
          close: () => undefined,
        });
      await far.hops.serve(url, handler({ watch: source }));
      const stream = near.hops.dial(url).watch(WATCH, message());
      await stream.take();
      let before = -1;
      while (before !== written) {
        before = written;
        await near.clock.sleep(100);
      }
      ok(written * size < 32 * 1024 * 1024, `${written} answers of ${size} bytes are on their way`);
      const last = written + 50;
      for (let n = 2; n < last; n++) equal((await stream.take())?.[0], n % 256);
      stream.close();
    },
  },
];
