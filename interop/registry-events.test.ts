/**
 * One script of registrations, finds and watches at Netloom's manager and registry, and at upstream's; their answers
 * are compared line by line.
 *
 * ```
 *  this process ── unix:manager.sock ──> manager ── unix:registry.sock ──> registry       Netloom's, then upstream's
 * ```
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import {
  NetworkServiceEndpointQuerySchema,
  NetworkServiceEndpointSchema,
  type NetworkServiceEndpoint,
  type NetworkServiceEndpointResponse,
} from "../src/api/gen/nsm/registry_pb.js";
import { stationsOver, type EndpointRegistryHop } from "../src/api/hops.ts";
import { grpcHost, type GrpcHost } from "../fixtures/transport/grpc.ts";
import { startHost } from "./bed.ts";
import { needsPeer, Stranger } from "./stranger.ts";

const URL_OF_HOST = "tcp://10.0.0.1:5001";

/** Addresses of a manager, and of the registry behind it. */
interface Place {
  readonly manager: string;
  readonly registry: string;
}

async function startOurs(t: TestContext): Promise<Place> {
  const { folder, manager, registry } = placeOf(t);
  const agent = { listen: [manager], url: URL_OF_HOST, registry };
  await startHost(t, { host: "alpha", folder, address: "127.0.0.1", registry: { listen: registry }, agent });
  return { manager, registry };
}

async function startUpstream(t: TestContext): Promise<Place> {
  const { manager, registry } = placeOf(t);
  await Stranger.start(t, { role: "registry", listen: registry });
  await Stranger.start(t, { role: "manager", listen: manager, url: URL_OF_HOST, connect: registry });
  return { manager, registry };
}

function placeOf(t: TestContext): Place & { readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), "netloom-interop-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, manager: `unix://${folder}/manager.sock`, registry: `unix://${folder}/registry.sock` };
}

type Like = MessageInitShape<typeof NetworkServiceEndpointSchema>;

/** A client that registers, finds and watches, and keeps the answers as lines. */
class Scribe {
  readonly #hop: EndpointRegistryHop;
  readonly #host: GrpcHost;
  /** Expiry times by name, as last answered. */
  readonly #expires = new Map<string, Timestamp | undefined>();
  readonly lines: string[] = [];

  constructor(host: GrpcHost, url: string) {
    this.#host = host;
    this.#hop = stationsOver(host.hops.dial(url), host.clock).endpoints;
  }

  #call() {
    return { scope: this.#host.scope, deadlineMs: this.#host.clock.monotonicMs() + 10_000 };
  }

  async register(name: string, zone: string, port: number): Promise<void> {
    const labels = zone === "" ? {} : { shop: { labels: { zone } } };
    const url = `tcp://10.0.0.7:${port}`;
    const sent = { name, url, networkServiceNames: ["shop"], networkServiceLabels: labels };
    const answer = await this.#hop.request(this.#call(), create(NetworkServiceEndpointSchema, sent));
    this.#expires.set(name, answer.expirationTime);
  }

  async unregister(name: string): Promise<void> {
    await this.#hop.close(this.#call(), create(NetworkServiceEndpointSchema, { name }));
  }

  watch(like: Like): { readonly next: () => Promise<string> } {
    const query = { networkServiceEndpoint: like, watch: true };
    const watch = this.#hop.find(this.#call(), create(NetworkServiceEndpointQuerySchema, query));
    return {
      next: async () => {
        const answer = await watch.take();
        return answer ? this.#line(answer) : "the end";
      },
    };
  }

  async find(like: Like): Promise<string[]> {
    const query = create(NetworkServiceEndpointQuerySchema, { networkServiceEndpoint: like });
    const watch = this.#hop.find(this.#call(), query);
    const lines: string[] = [];
    for await (const answer of watch) lines.push(this.#line(answer));
    return lines.sort();
  }

  expirationOf(name: string): Timestamp | undefined {
    return this.#expires.get(name);
  }

  #line({ networkServiceEndpoint: told, deleted }: NetworkServiceEndpointResponse): string {
    if (!told) return "nothing";
    const zone = told.networkServiceLabels["shop"]?.labels["zone"] ?? "-";
    // Upstream picks one of the two URLs for a deletion at random.
    const url = deleted ? "" : ` at ${told.url}`;
    return `${told.name} ${deleted ? "gone" : "is"}${url} in ${zone} until ${this.#time(told)}`;
  }

  #time({ name, expirationTime: told }: NetworkServiceEndpoint): string {
    const answered = this.#expires.get(name);
    if (!told) return "nobody knows";
    // An event may come before the answer to its registration.
    const isNear = !answered || Math.abs(timestampMs(told) - timestampMs(answered)) < 30_000;
    return isNear ? "its time" : "another time";
  }
}

async function toldBy(t: TestContext, url: string): Promise<Record<string, string[]>> {
  const scribe = new Scribe(grpcHost(t), url);
  const watches = {
    all: scribe.watch({}),
    service: scribe.watch({ networkServiceNames: ["shop"] }),
    zone: scribe.watch({ networkServiceLabels: { shop: { labels: { zone: "a" } } } }),
    url: scribe.watch({ url: "10.0.0.7" }),
  };
  const told: Record<string, string[]> = { all: [] };
  const steps: readonly (() => Promise<void>)[] = [
    () => scribe.register("begin", "a", 1),
    () => scribe.register("shop-1", "a", 1),
    () => scribe.register("shop-1", "a", 1),
    () => scribe.register("shop-1", "a", 2),
    () => scribe.register("shop-1", "b", 2),
    () => scribe.register("shop-2", "", 3),
    () => scribe.register("shop-1", "a", 4),
    () => scribe.unregister("shop-2"),
    () => scribe.unregister("nobody"),
    () => scribe.register("shop-1", "b", 4),
    () => scribe.unregister("shop-1"),
    () => scribe.register("shop-3", "a", 5),
  ];
  for (const [index, step] of steps.entries()) {
    await step();
    // A watch of everything gets each event separately.
    if (index !== 8) told["all"]?.push(await watches.all.next());
  }
  told["by name"] = await scribe.find({ name: "shop-3" });
  told["by its own time"] = await scribe.find({
    expirationTime: scribe.expirationOf("shop-3")!,
    name: "shop-3",
  });
  told["by another time"] = await scribe.find({ expirationTime: { seconds: 1n } });
  told["by its own URL"] = await scribe.find({ url: "10.0.0.7:5" });
  told["by part of a label"] = await scribe.find({
    networkServiceLabels: { shop: { labels: { zone: "" } } },
  });
  await scribe.register("end", "a", 1);
  for (const name of ["service", "zone"] as const) {
    const lines: string[] = [];
    while (!lines.at(-1)?.startsWith("end ")) lines.push(await watches[name].next());
    told[name] = lines;
  }
  return told;
}

test(
  "Netloom's manager reports the same as upstream's: each registration, its time, deletions, and nothing for entries that leave a query",
  { skip: needsPeer },
  async (t) => {
    const ours = await startOurs(t);
    const theirs = await startUpstream(t);
    assert.deepEqual(await toldBy(t, ours.manager), await toldBy(t, theirs.manager));
  },
);

test("Netloom's registry reports the same as upstream's", { skip: needsPeer }, async (t) => {
  const ours = await startOurs(t);
  const theirs = await startUpstream(t);
  assert.deepEqual(await toldBy(t, ours.registry), await toldBy(t, theirs.registry));
});
