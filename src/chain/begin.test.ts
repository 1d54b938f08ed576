import assert from "node:assert/strict";
import { test } from "node:test";
import { Worlds } from "../../fixtures/elements/world.ts";
import { NetloomError } from "../errors/errors.ts";
import type { World } from "../world/world.ts";
import type { Peer } from "../world/peer.ts";
import { mustAllow, question } from "../policy/authorize.ts";
import { authorizeBy, RULES } from "../policy/rules.ts";
import { type Admission, Begin, type BeginOptions, type ResourceKind } from "./begin.ts";
import { type Call, memoryKey, type Trigger } from "./call.ts";
import { peerNamed } from "../../fixtures/world/peer.ts";

interface Thing {
  readonly id: string;
  readonly text: string;
  readonly reselect?: boolean;
}

const KIND: Readonly<ResourceKind<Thing, Thing>> = {
  noun: "thing",
  idOf: ({ id }) => id,
  idOfResource: ({ id }) => id,
  cloneRequest: (thing) => ({ ...thing }),
  cloneResource: (thing) => ({ ...thing }),
  wantsReselect: ({ reselect }) => reselect ?? false,
  unestablished: (thing) => thing,
  again: (last, { reselect }) => ({ ...last.resource, reselect }),
};
const PEER: Readonly<Peer> = peerNamed("unix:1000");
const SEEN = memoryKey<number>("seen");

const authorize = authorizeBy(RULES);

/** Authorizes as a role's door does. */
function admit({ verb, caller, owner, ...asked }: Admission<Thing, Thing>): void {
  const { id } = "request" in asked ? asked.request : asked.resource;
  mustAllow(authorize, question(caller.peer, verb, { kind: "connection", id, service: "", owner }));
}

class Subject {
  readonly world: World;
  readonly begin: Begin<Thing, Thing>;
  readonly log: string[] = [];
  readonly forgotten: string[] = [];
  trigger: Trigger | undefined;
  workMs = 10;
  fails: (request: Thing) => boolean = () => false;

  constructor(
    world: World,
    kind: ResourceKind<Thing, Thing> = KIND,
    options: Partial<BeginOptions<Thing, Thing>> = {},
  ) {
    this.world = world;
    this.begin = new Begin(
      world,
      kind,
      {
        request: async (call, request) => {
          this.trigger = call.trigger;
          const seen = (call.memory.get(SEEN) ?? 0) + 1;
          call.memory.set(SEEN, seen);
          this.log.push(`request ${request.text} ${seen}`);
          await this.world.clock.sleep(this.workMs);
          if (this.fails(request)) throw new NetloomError("UNAVAILABLE", "out of luck");
          this.log.push(`answer ${request.text}`);
          return { id: request.id, text: `${request.text}!` };
        },
        close: async (call: Call, { text }) => {
          this.log.push(`close ${text}${call.reason ? ` ${call.reason}` : ""}`);
          await this.world.clock.sleep(1);
          assert.equal(call.scope.ended, false, "a close is not cut short");
        },
      },
      { admit, ...options, onForget: (id) => this.forgotten.push(id) },
    );
  }

  caller(options: { readonly timeoutMs?: number; readonly peer?: Peer } = {}) {
    const { clock, scope } = this.world;
    return {
      scope,
      deadlineMs: clock.monotonicMs() + (options.timeoutMs ?? 10_000),
      peer: options.peer ?? PEER,
    };
  }

  request(text: string, rest: Partial<Thing> = {}): Promise<Thing> {
    return this.begin.request(this.caller(), { id: "a", text, ...rest });
  }

  close(text = "old"): Promise<void> {
    return this.begin.close(this.caller(), { id: "a", text });
  }
}

function subject(
  body: (subject: Subject) => Promise<void>,
  kind: ResourceKind<Thing, Thing> = KIND,
  options: Partial<BeginOptions<Thing, Thing>> = {},
): () => Promise<void> {
  return async () => {
    const worlds = new Worlds();
    const own = new Subject(worlds.world("alpha"), kind, options);
    await worlds.run(() => body(own));
  };
}

test(
  "requests and closes of one id run one at a time in the order of their arrival, other ids are not held up",
  subject(async (own) => {
    await Promise.all([
      own.request("1"),
      own.request("2"),
      own.begin.request(own.caller(), { id: "b", text: "b" }),
      own.close(),
      own.request("3"),
    ]);
    assert.deepEqual(
      own.log.filter((line) => !line.includes(" b")),
      ["request 1 1", "answer 1", "request 2 2", "answer 2", "close 2! asked", "request 3 1", "answer 3"],
    );
    assert.ok(own.log.indexOf("answer b") < own.log.indexOf("answer 2"));
    assert.deepEqual(
      own.begin
        .established()
        .map(({ text }) => text)
        .sort(),
      ["3!", "b!"],
    );
  }),
);

test(
  "an id belongs to the peer that established it, until it is closed",
  subject(async (own) => {
    const thief = own.caller({ peer: peerNamed("unix:1001") });
    await own.request("1");
    await assert.rejects(own.begin.request(thief, { id: "a", text: "x" }), {
      code: "PERMISSION_DENIED",
      message: "request connection a: it belongs to another peer",
    });
    await assert.rejects(own.begin.close(thief, { id: "a", text: "x" }), { code: "PERMISSION_DENIED" });
    await own.close();
    assert.deepEqual(own.forgotten, ["a"]);
    await own.begin.request(thief, { id: "a", text: "x" });
  }),
);

test(
  "the number of calls that wait for one id is limited",
  subject(
    async (own) => {
      const calls = await Promise.allSettled([own.request("1"), own.request("2"), own.request("3")]);
      assert.deepEqual(
        calls.map(({ status }) => status),
        ["fulfilled", "fulfilled", "rejected"],
      );
      await assert.rejects(own.request("", { id: "" }), { code: "INVALID_ARGUMENT" });
    },
    KIND,
    { maxWaiting: 2 },
  ),
);

test(
  "a first request that fails is closed before its error goes back, a failed refresh leaves the resource",
  subject(async (own) => {
    own.fails = () => true;
    await assert.rejects(own.request("1"), { code: "UNAVAILABLE" });
    assert.deepEqual(own.log, ["request 1 1", "close 1"]);
    assert.deepEqual(own.forgotten, ["a"]);
    own.fails = ({ text }) => text === "3";
    await own.request("2");
    await assert.rejects(own.request("3"));
    assert.deepEqual(
      own.begin.established().map(({ text }) => text),
      ["2!"],
    );
    await own.close();
    assert.equal(own.log.at(-1), "close 2! asked");
  }),
);

test(
  "a resource is closed once, with its last state; closing an unknown one succeeds",
  subject(async (own) => {
    await own.close();
    await own.request("1");
    await own.request("2");
    await Promise.all([own.close(), own.close(), own.begin.drop("a")]);
    assert.deepEqual(
      own.log.filter((line) => line.startsWith("close")),
      ["close 2! asked"],
    );
  }),
);

test(
  "a request that comes too late is not started, and the error names the request",
  subject(async (own) => {
    const slow = own.request("1");
    const late = own.begin.request(own.caller({ timeoutMs: 5 }), { id: "a", text: "late" });
    const gone = own.world.scope.child("gone");
    const left = own.begin.request({ ...own.caller(), scope: gone }, { id: "a", text: "left" });
    await gone.end();
    await Promise.all([
      slow,
      assert.rejects(late, { code: "DEADLINE_EXCEEDED" }),
      assert.rejects(left, { code: "CANCELLED", message: "request thing a: the caller has gone" }),
    ]);
    assert.deepEqual(own.log, ["request 1 1", "answer 1"]);
  }),
);

test(
  "if the caller leaves during a first request, the resource is closed, and the close completes",
  subject(async (own) => {
    const gone = own.world.scope.child("gone");
    const call = own.begin.request({ ...own.caller(), scope: gone }, { id: "a", text: "1" });
    const rejected = assert.rejects(call, { code: "CANCELLED" });
    await own.world.clock.sleep(1);
    await gone.end();
    await rejected;
    assert.deepEqual(own.log, ["request 1 1", "answer 1", "close 1"]);
    assert.deepEqual(own.begin.established(), []);
  }),
);

test(
  "a reselect closes the old endpoint first; if the reselect fails, nothing is established",
  subject(async (own) => {
    await own.request("1");
    await own.request("2", { reselect: true });
    own.fails = () => true;
    await assert.rejects(own.request("3", { reselect: true }));
    assert.deepEqual(
      own.log.filter((line) => line.startsWith("close")),
      ["close 1!", "close 2!", "close 3"],
    );
    assert.deepEqual(own.forgotten, ["a"]);
  }),
);

test(
  "after a failed reselect the chain can request a healing resource again, and nothing is closed twice",
  subject(
    async (own) => {
      await own.request("1");
      own.fails = () => true;
      const { trigger } = own;
      await assert.rejects(own.request("2", { reselect: true }));
      assert.deepEqual(own.begin.established(), []);
      own.fails = () => false;
      await trigger?.request({ why: "test", reselect: true });
      assert.deepEqual(
        own.begin.established().map(({ text }) => text),
        ["2!"],
      );
      assert.equal(own.log.filter((line) => line.startsWith("close")).length, 2);
      own.fails = () => true;
      await assert.rejects(own.request("4", { reselect: true }));
      const before = own.log.length;
      await own.close();
      await trigger?.request({ why: "test" });
      assert.equal(own.log.length, before);
      assert.deepEqual(own.forgotten, ["a"]);
    },
    { ...KIND, heals: true },
  ),
);

test(
  "the chain may request or close by itself, unless a call came in between",
  subject(async (own) => {
    await own.request("1");
    await own.trigger?.request({ why: "test" });
    assert.deepEqual(
      own.begin.established().map(({ text }) => text),
      ["1!!"],
    );
    await own.trigger?.close({ reason: "lost", isDue: () => false });
    assert.equal(own.begin.established().length, 1);
    const { trigger } = own;
    await own.trigger?.close({ reason: "lost" });
    assert.equal(own.log.at(-1), "close 1!! lost");
    await own.request("2");
    await trigger?.close();
    await trigger?.request({ why: "test" });
    assert.deepEqual(
      own.begin.established().map(({ text }) => text),
      ["2!"],
      "of another life",
    );
  }),
);

test(
  "an established resource may be merged into a new request",
  subject(
    async (own) => {
      await own.request("1");
      await own.request("2");
      assert.deepEqual(
        own.begin.established().map(({ text }) => text),
        ["1!+2!"],
      );
    },
    { ...KIND, merge: (request, last) => ({ ...request, text: `${last.resource.text}+${request.text}` }) },
  ),
);
