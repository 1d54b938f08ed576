/**
 * The promises of `Hops`, as data: every carrier runs all of them. A test file turns each into a test of its own.
 * Handlers are served on one host and called from another.
 */
import { watchOf } from "../async/watch.ts";
import { create } from "@bufbuild/protobuf";
import { Health, HealthCheckResponseSchema } from "../api/gen/grpc/health/v1/health_pb.js";
import { methodPath, serve } from "../api/rpc.ts";
import { type ErrorCode, NetloomError } from "../errors/errors.ts";
import { type Handler, type Incoming, MAX_MESSAGE_BYTES, type Message } from "../world/hops.ts";
import { principalText } from "../world/peer.ts";
import {
  ask,
  bytes,
  CALL,
  equal,
  eventually,
  failure,
  handler,
  type HopsPromise,
  message,
  numberOf,
  ok,
  openStream,
  signal,
  untilEnd,
  WATCH,
} from "./hops-specimens.ts";
import { streamPromises } from "./hops-streams.ts";

const CODES: readonly ErrorCode[] = [
  "CANCELLED",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "UNAUTHENTICATED",
];

const calls: readonly HopsPromise[] = [
  {
    title: "a call brings bytes and metadata there and back, and shares none of them",
    check: async ({ near, far, url }) => {
      let seen: Incoming | undefined;
      await far.hops.serve(
        url,
        handler({
          call: async (incoming) => {
            seen = incoming;
            return { bytes: incoming.bytes, metadata: { answer: incoming.metadata["question"] ?? "" } };
          },
        }),
      );
      const request = { bytes: bytes(1, 2, 255), metadata: { question: "why" } };
      const pending = near.hops.dial(url).call(CALL, request, { timeoutMs: 1000 });
      request.bytes.fill(0);
      const answer = await pending;
      equal([...answer.bytes], [1, 2, 255]);
      equal(answer.metadata["answer"], "why");
      equal([seen?.method, seen?.metadata["question"], seen?.bytes === answer.bytes], [CALL, "why", false]);
    },
  },
  {
    title: "an empty message is a message",
    check: async ({ near, far, url }) => {
      await far.hops.serve(url, handler({ call: async ({ bytes }) => ({ bytes, metadata: {} }) }));
      equal((await ask(near, url)).bytes.length, 0);
    },
  },
  {
    title: "the handler knows its peer, its deadline, and that a deadline has a scope",
    check: async ({ near, far, url }) => {
      const seen: Incoming[] = [];
      await far.hops.serve(
        url,
        handler({
          call: async (incoming) => {
            seen.push(incoming);
            return message();
          },
        }),
      );
      const started = far.clock.monotonicMs();
      const hop = near.hops.dial(url);
      for (let n = 0; n < 2; n++) await hop.call(CALL, message(), { timeoutMs: 5000 });
      const [first, second] = seen;
      ok(
        first !== undefined && principalText(first.peer.principal) !== "" && first.peer.connection !== "",
        "the peer has a name",
      );
      equal(first?.peer, second?.peer);
      const left = (first?.deadlineMs ?? 0) - started;
      ok(left > 4000 && left < 6000, `deadline after ${left} ms`);
      ok(first?.scope.ended === true, "the scope of a call that is over has ended");
    },
  },
  {
    title: "an error keeps its code, its text and its hint",
    check: async ({ near, far, url }) => {
      await far.hops.serve(
        url,
        handler({
          call: async ({ bytes }) => {
            const code = CODES[bytes[0] ?? 0] ?? "INTERNAL";
            throw new NetloomError(code, `refuse it with ${code}: “why”`, { hint: "ask\nagain – später" });
          },
        }),
      );
      for (const [number, code] of CODES.entries()) {
        const error = await failure(near.hops.dial(url).call(CALL, message(number), { timeoutMs: 1000 }));
        equal(
          [error.code, error.message, error.hint],
          [code, `refuse it with ${code}: “why”`, "ask\nagain – später"],
        );
      }
      const plain = await failure(ask(near, url));
      equal(plain.code, "CANCELLED");
    },
  },
  {
    title: "an error without a hint has none",
    check: async ({ near, far, url }) => {
      await far.hops.serve(
        url,
        handler({ call: () => Promise.reject(new NetloomError("UNAVAILABLE", "not now")) }),
      );
      const error = await failure(ask(near, url));
      equal([error.code, error.message, error.hint], ["UNAVAILABLE", "not now", undefined]);
    },
  },
  {
    title: "nobody there is UNAVAILABLE, and so is a method that nobody has UNIMPLEMENTED",
    check: async ({ near, far, url }) => {
      equal((await failure(ask(near, url))).code, "UNAVAILABLE");
      await far.hops.serve(url, handler({}));
      await eventually(near, () => ask(near, url));
      const call = near.hops.dial(url).call("/test.Test/Other", message(), { timeoutMs: 1000 });
      equal((await failure(call)).code, "UNIMPLEMENTED");
    },
  },
  {
    title: "an address is served once at a time",
    check: async ({ near, far, url }) => {
      const stop = await far.hops.serve(url, handler({}));
      equal((await failure(far.hops.serve(url, handler({})))).code, "ALREADY_EXISTS");
      await ask(near, url);
      await stop();
      equal((await failure(ask(near, url))).code, "UNAVAILABLE");
      await far.hops.serve(url, handler({}));
      await eventually(near, () => ask(near, url));
    },
  },
];

const ends: readonly HopsPromise[] = [
  {
    title: "an answer that does not come in time is DEADLINE_EXCEEDED, and the handler's scope ends",
    check: async ({ near, far, url }) => {
      const ended = signal();
      await far.hops.serve(url, handler({ call: (incoming) => untilEnd(incoming, ended) }));
      const error = await failure(near.hops.dial(url).call(CALL, message(), { timeoutMs: 50 }));
      equal(error.code, "DEADLINE_EXCEEDED");
      await ended.promise;
    },
  },
  {
    title: "a call ends with its scope in CANCELLED, and the handler's scope ends",
    check: async ({ near, far, url }) => {
      const begun = signal();
      const ended = signal();
      await far.hops.serve(
        url,
        handler({
          call: (incoming) => {
            begun.give();
            return untilEnd(incoming, ended);
          },
        }),
      );
      const scope = near.scope.child("caller");
      const call = failure(near.hops.dial(url).call(CALL, message(), { timeoutMs: 5000, scope }));
      await begun.promise;
      await scope.end();
      equal((await call).code, "CANCELLED");
      await ended.promise;
      equal(
        (await failure(near.hops.dial(url).call(CALL, message(), { timeoutMs: 50, scope }))).code,
        "CANCELLED",
      );
    },
  },
  {
    title: "a listener that is closed ends what is under way there with UNAVAILABLE",
    check: async ({ near, far, url }) => {
      const begun = signal();
      const ended = signal();
      const stop = await far.hops.serve(
        url,
        handler({
          call: (incoming) => {
            begun.give();
            return untilEnd(incoming, ended);
          },
        }),
      );
      const call = failure(ask(near, url));
      await begun.promise;
      const stream = near.hops.dial(url).watch(WATCH, message(1));
      equal([...((await stream.take()) ?? [])], [1]);
      const next = failure(stream.take());
      await stop();
      equal([(await call).code, (await next).code], ["UNAVAILABLE", "UNAVAILABLE"]);
      await ended.promise;
    },
  },
  {
    title: "when the other side dies, its calls and streams break with UNAVAILABLE",
    check: async ({ near, far, url, kill }) => {
      const begun = signal();
      await far.hops.serve(
        url,
        handler({
          call: (incoming) => {
            begun.give();
            return untilEnd(incoming, signal());
          },
        }),
      );
      const call = failure(ask(near, url));
      await begun.promise;
      const stream = near.hops.dial(url).watch(WATCH, message(1));
      await stream.take();
      const next = failure(stream.take());
      await kill();
      equal([(await call).code, (await next).code], ["UNAVAILABLE", "UNAVAILABLE"]);
    },
  },
];

const sizes: readonly HopsPromise[] = [
  {
    title: "a message of 4 MiB passes, and a larger one is RESOURCE_EXHAUSTED for its call only",
    check: async ({ near, far, url }) => {
      await far.hops.serve(
        url,
        handler({
          call: async ({ bytes }) => ({
            bytes: new Uint8Array(bytes.length === 1 ? MAX_MESSAGE_BYTES + 1 : bytes.length),
            metadata: {},
          }),
          watch: () => openStream(bytes(7)),
        }),
      );
      const hop = near.hops.dial(url);
      const stream = hop.watch(WATCH, message());
      equal(numberOf(await stream.take()), 7);
      const send = (length: number): Promise<Message> =>
        hop.call(CALL, { bytes: new Uint8Array(length), metadata: {} }, { timeoutMs: 10_000 });
      equal((await send(MAX_MESSAGE_BYTES)).bytes.length, MAX_MESSAGE_BYTES);
      equal((await failure(send(MAX_MESSAGE_BYTES + 1))).code, "RESOURCE_EXHAUSTED");
      equal((await failure(send(1))).code, "RESOURCE_EXHAUSTED");
      const large = { bytes: new Uint8Array(MAX_MESSAGE_BYTES + 1), metadata: {} };
      equal((await failure(hop.watch(WATCH, large).take())).code, "RESOURCE_EXHAUSTED");
      equal((await send(2)).bytes.length, 2);
      stream.close();
    },
  },
  {
    title: "bytes that are no message of the method are INVALID_ARGUMENT",
    check: async ({ near, far, url }) => {
      const service = serve(Health, {
        check: async () => create(HealthCheckResponseSchema),
        watch: () => watchOf<never>({ take: async () => undefined, close: () => undefined }),
      });
      await far.hops.serve(url, renamed(service.handler));
      const hop = near.hops.dial(url);
      const garbage = message(0x0a, 0xff, 0xff, 0xff);
      equal((await failure(hop.call(CALL, garbage, { timeoutMs: 1000 }))).code, "INVALID_ARGUMENT");
      equal((await failure(hop.watch(WATCH, garbage).take())).code, "INVALID_ARGUMENT");
      await hop.call(CALL, message(), { timeoutMs: 1000 });
    },
  },
];

export const hopsContract: readonly HopsPromise[] = [...calls, ...ends, ...streamPromises, ...sizes];

/** The health service under the names of the test service, because a listener has one of its own. */
function renamed(real: Handler): Handler {
  const names: ReadonlyMap<string, string> = new Map([
    [CALL, methodPath(Health.method.check)],
    [WATCH, methodPath(Health.method.watch)],
  ]);
  const back = (incoming: Incoming): Incoming => ({ ...incoming, method: names.get(incoming.method) ?? "" });
  return handler({
    call: (incoming) => real.call(back(incoming)),
    watch: (incoming) => real.watch(back(incoming)),
  });
}
