import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { type Watch, watchOf } from "../async/watch.ts";
import { type ErrorCode, NetloomError } from "../errors/errors.ts";
import type { Fault } from "../sim/faults.ts";
import type { Handler, IncomingMessage, Message, Metadata } from "../world/hops.ts";
import type { HostWorld } from "../world/world.ts";
import { NetworkServiceEndpointRegistry } from "../api/gen/nsm/registry_pb.js";
import { stationsOver } from "../api/hops.ts";
import { methodPath } from "../api/rpc.ts";
import { SimAuthorities } from "../../fixtures/sim/authority.ts";
import type { Credentials } from "../world/credentials.ts";
import { type Peer, principalText } from "../world/peer.ts";
import { dialRegistries, type RegistryHop } from "./dial-registries.ts";
import { endpointOf, type Hosts, withHosts } from "../../fixtures/registry/registry.ts";

const URLS = ["tcp://10.0.0.8:5002", "tcp://10.0.0.9:5002"] as const;

/** A registry that answers with its name, and counts calls. */
class Answering implements Handler {
  readonly methods: Handler["methods"] = [
    { path: "call", kind: "call" },
    { path: methodPath(NetworkServiceEndpointRegistry.method.register), kind: "call" },
    { path: "watch", kind: "watch" },
  ];
  readonly #name: string;
  asked = 0;
  /** The token of each call. */
  readonly tokens: string[] = [];
  refusal: ErrorCode | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  async call({ method, metadata }: IncomingMessage): Promise<Message> {
    this.asked += 1;
    this.tokens.push(metadata["token"] ?? "");
    if (this.refusal) throw new NetloomError(this.refusal, "refused");
    return method === "call" ? textOf(this.#name) : { bytes: new Uint8Array(), metadata: {} };
  }

  watch(): Watch<Uint8Array> {
    this.asked += 1;
    let told = 0;
    return watchOf({
      take: async () => {
        if (this.refusal) throw new NetloomError(this.refusal, "refused");
        return told++ === 0 ? textOf(this.#name).bytes : await new Promise<never>(() => undefined);
      },
      close: () => undefined,
    });
  }
}

const textOf = (text: string): Message => ({ bytes: new TextEncoder().encode(text), metadata: {} });
const read = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

interface Setting {
  readonly hosts: Hosts;
  readonly alpha: HostWorld;
  readonly hop: RegistryHop;
  readonly one: Answering;
  readonly two: Answering;
  readonly ask: () => Promise<string>;
}

async function withTwo(
  body: (setting: Setting) => Promise<void>,
  faults: readonly Fault[] = [],
  credentials?: (host: string) => Credentials,
): Promise<void> {
  const [one, two] = [new Answering("one"), new Answering("two")];
  const serve = (url: string, handler: Handler) => async (world: HostWorld) =>
    void (await world.hops.serve(url, handler));
  const programs = { one: serve(URLS[0], one), two: serve(URLS[1], two), alpha: () => Promise.resolve() };
  await withHosts(
    programs,
    async (hosts) => {
      const alpha = await hosts.world("alpha");
      await hosts.clock.sleep(100);
      const hop = dialRegistries({ world: alpha, hops: alpha.hops, urls: URLS });
      const ask = async () => read((await hop.call("call", textOf(""), { timeoutMs: 4000 })).bytes);
      await body({ hosts, alpha, hop, one, two, ask });
    },
    { faults, ...(credentials && { credentials }) },
  );
}

/** Credentials that prove each host by a certificate of one authority. */
function proving(): (host: string) => Credentials {
  const authority = new SimAuthorities().make("mesh");
  const proofs = new Map(["alpha", "one", "two"].map((host) => [host, authority.issue(`spiffe://${host}`)]));
  return (host) => ({
    name: host,
    announcement: "",
    current: () => proofs.get(host) ?? assert.fail(host),
  });
}

suite("calls to several registries", () => {
  test("go to the first while it answers, and to the next one in the same call when it is gone", async () => {
    await withTwo(async ({ hosts, hop, ask, two }) => {
      assert.deepEqual(hop.urls, URLS);
      assert.equal(await ask(), "one");
      hosts.simulation.crash("one");
      assert.equal(await ask(), "two");
      assert.equal(hop.url, URLS[1]);
      assert.equal(two.asked, 1);
    });
  });

  test("stay with the second for a while, and return to the first when it is back", async () => {
    await withTwo(async ({ hosts, ask, one }) => {
      hosts.simulation.crash("one");
      assert.equal(await ask(), "two");
      hosts.simulation.restart("one");
      await hosts.clock.sleep(2000);
      for (let n = 0; n < 10; n++) assert.equal(await ask(), "two");
      assert.equal(one.asked, 0);
      await hosts.clock.sleep(4000);
      assert.equal(await ask(), "one");
    });
  });

  test("probe a registry that stays away only now and then, at growing intervals", async () => {
    const faults: Fault[] = [{ kind: "partition", hosts: ["alpha", "one"], atMs: 50, forMs: 600_000 }];
    await withTwo(async ({ hosts, ask, alpha }) => {
      let slow = 0;
      for (let n = 0; n < 300; n++) {
        const before = alpha.clock.monotonicMs();
        assert.equal(await ask(), "two");
        if (alpha.clock.monotonicMs() - before >= 2000) slow += 1;
        await hosts.clock.sleep(1000);
      }
      assert.ok(slow >= 5 && slow <= 12, `${slow} calls have waited`);
    }, faults);
  });

  test("fail with the error of the registry that was asked: only one that is gone is skipped", async () => {
    await withTwo(async ({ ask, one, two }) => {
      for (const code of ["PERMISSION_DENIED", "NOT_FOUND", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED"] as const) {
        one.refusal = code;
        await assert.rejects(ask(), { code });
      }
      assert.equal(two.asked, 0);
      one.refusal = "UNAVAILABLE";
      assert.equal(await ask(), "two");
      two.refusal = "UNAVAILABLE";
      await assert.rejects(ask(), { code: "UNAVAILABLE" });
      one.refusal = undefined;
      assert.equal(await ask(), "one", "when both rest, both are asked");
    });
  });
});

suite("a token goes to the registry that it was made for", () => {
  const tokenFor = ({ principal }: Peer): Metadata => ({ token: principalText(principal) });
  const register = async ({ alpha, hop }: Setting, vouch: (audience: Peer) => Metadata) => {
    const { endpoints } = stationsOver(hop, alpha.clock);
    const call = { scope: alpha.scope, deadlineMs: alpha.clock.monotonicMs() + 4000, vouch };
    await endpoints.request(call, endpointOf("a"));
  };

  test("also when the first registry dies between the identity check and the call", async () => {
    await withTwo(
      async (setting) => {
        await register(setting, tokenFor);
        const audiences: string[] = [];
        await register(setting, (audience) => {
          audiences.push(principalText(audience.principal));
          if (audiences.length === 1) setting.hosts.simulation.crash("one");
          return tokenFor(audience);
        });
        assert.deepEqual(audiences, ["spiffe://one", "spiffe://two"]);
        assert.deepEqual([setting.one.tokens, setting.two.tokens], [["spiffe://one"], ["spiffe://two"]]);
      },
      [],
      proving(),
    );
  });

  test("and also when no registry answers the identity check", async () => {
    await withTwo(
      async (setting) => {
        setting.hosts.simulation.crash("one");
        await register(setting, tokenFor);
        assert.deepEqual([setting.one.tokens, setting.two.tokens], [[], ["spiffe://two"]]);
      },
      [],
      proving(),
    );
  });
});

suite("a stream of several registries", () => {
  test("begins at a registry that answers, stays until it breaks, and then begins at another", async () => {
    await withTwo(async ({ hosts, hop, ask }) => {
      hosts.simulation.crash("one");
      const first = hop.watch("watch", textOf(""));
      assert.equal(read(await first.take()), "two");
      hosts.simulation.restart("one");
      await hosts.clock.sleep(10_000);
      assert.equal(await ask(), "one");
      const waiting = first.take();
      await hosts.clock.sleep(1000);
      hosts.simulation.crash("two");
      await assert.rejects(waiting, { code: "UNAVAILABLE" });
      const second = hop.watch("watch", textOf(""));
      assert.equal(read(await second.take()), "one");
      second.close();
      assert.equal(await second.take(), undefined);
    });
  });
});
