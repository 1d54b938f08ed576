/**
 * The time from a client's request over the agent's unix socket until the first packet comes back through the wire: an echo
 * request from a raw socket that was opened before, in a namespace that was made before and never used. The baseline is the
 * manual way: one shell with the script of the same plan (`netloom script`), then `ping -c 1`. All wires stay until the end
 * of a round, so that no deletion runs beside a measurement.
 */
import { sized } from "./sized.ts";
import type { Connection } from "../src/api/gen/nsm/connection_pb.js";
import { Pinger } from "../src/linux/icmp/icmp.ts";
import type { Netns } from "../src/kernel/kernel.ts";
import { addressesOf, nameOf, netnsOf, pathOf, wireOf } from "./bed.ts";
import { elapsedByScript, scriptOf, type ScriptPart } from "./by-script.ts";
import { addressesIn, type Client, exposeOf, Mesh } from "./mesh.ts";
import { measurePairs, type Paired, pairedRow, readCpuTimes, report, spread, stealShare } from "./report.ts";
import { type BenchRow } from "./row.ts";
import { Resident } from "./resident.ts";

const ROUNDS = sized(3, 1);
const PAIRS_PER_ROUND = sized(25, 2);
/** Warm-up: gives both sides' compilers and caches the state of a host after some hundred wires. */
const WARM_UP_PAIRS = sized(10, 1);
const WARM_UP_WIRES = sized(200, 2);

type Kind = "local" | "remote";

class SetupBench {
  readonly #mesh: Mesh;
  readonly #client: Client;
  readonly #residents: readonly Resident[];
  readonly notes: string[] = [];
  #number = 0;

  constructor(mesh: Mesh, client: Client, residents: readonly Resident[]) {
    this.#mesh = mesh;
    this.#client = client;
    this.#residents = residents;
  }

  async row(kind: Kind): Promise<BenchRow> {
    await this.#round(kind, { pairs: WARM_UP_PAIRS, extra: WARM_UP_WIRES });
    const rounds: Paired[] = [];
    for (let n = 0; n < ROUNDS; n++)
      rounds.push(await this.#round(kind, { pairs: PAIRS_PER_ROUND, extra: 0 }));
    const paired: Paired = {
      subject: rounds.flatMap(({ subject }) => subject),
      baseline: rounds.flatMap(({ baseline }) => baseline),
      repeated: rounds.reduce((sum, { repeated }) => sum + repeated, 0),
    };
    this.notes.push(
      `${kind}: ${paired.subject.length} pairs, spread ${spread(paired.subject)}, of the script ${spread(paired.baseline)}, repeated ${paired.repeated}`,
    );
    return pairedRow(kind, "ms", paired);
  }

  /** `extra` wires are made first, without measuring. */
  async #round(
    kind: Kind,
    { pairs, extra }: { readonly pairs: number; readonly extra: number },
  ): Promise<Paired> {
    // Repeated pairs need namespaces too.
    const names = Array.from({ length: 4 * pairs + extra }, () => `w${++this.#number}`);
    const places: Place[] = [];
    for (const name of names) places.push(await Place.open(this.#mesh, name));
    const free = places.values();
    const next = (): Place => {
      const { value, done } = free.next();
      if (done) throw new RangeError("a round has run out of namespaces");
      return value;
    };
    const connections: Connection[] = [];
    const scripts: ScriptPart[][] = [];
    const subject = async (): Promise<number> => {
      const { name, netns, pinger } = next();
      const startedAt = performance.now();
      const connection = await this.#client.request({ id: `bench-${name}`, service: kind, netns });
      pinger.aim(addressesIn(connection).endpoint);
      const { rttMs, errno } = await pinger.probe();
      const elapsedMs = performance.now() - startedAt;
      connections.push(connection);
      if (rttMs === undefined) throw new Error(`${name}: no packet has come back: ${errno}`);
      return elapsedMs;
    };
    const baseline = (): number => {
      const { name, number, netns } = next();
      const parts = scriptParts(kind, number, netns);
      scripts.push(parts);
      const ping = `ip netns exec ${nameOf(name)} ping -q -n -c 1 -W 1 ${addressesOf(number).endpoint}`;
      return elapsedByScript([...scriptOf(parts, "add"), ping]);
    };
    for (let n = 0; n < extra; n++) await subject();
    const paired = await measurePairs({ pairs, subject, baseline });
    for (const connection of connections) await this.#client.close(connection);
    elapsedByScript(scriptOf(scripts.flat(), "remove"));
    for (const resident of this.#residents) await resident.untilEmpty();
    for (const place of places) await place.remove();
    return paired;
  }
}

/** A namespace that waits for a wire, with its raw socket. */
class Place {
  readonly name: string;
  readonly number: number;
  readonly netns: Netns;
  readonly pinger: Pinger;
  readonly #mesh: Mesh;

  private constructor(mesh: Mesh, name: string, pinger: Pinger) {
    this.#mesh = mesh;
    this.name = name;
    this.number = Number(name.slice(1));
    this.netns = netnsOf(name);
    this.pinger = pinger;
  }

  static async open(mesh: Mesh, name: string): Promise<Place> {
    const netns = await mesh.ground.netns(name);
    return new Place(mesh, name, await Pinger.openUnaimed(mesh.ground.machine, netns, 4));
  }

  async remove(): Promise<void> {
    this.pinger.close();
    await this.#mesh.ground.machine.removeNetns(pathOf(this.name));
  }
}

/** Both halves of a remote wire, the endpoint's first. */
function scriptParts(kind: Kind, number: number, client: Netns): ScriptPart[] {
  if (kind === "local") return [{ wire: wireOf({ number, kind: "local", client }), host: "alpha" }];
  return [
    { wire: wireOf({ number, kind: "far", client }), host: "beta" },
    { wire: wireOf({ number, kind: "near", client }), host: "alpha" },
  ];
}

await Mesh.use(["alpha", "beta"], async (mesh) => {
  await mesh.apply("alpha", [exposeOf("local", "local", "10.96.0.0/16")]);
  await mesh.apply("beta", [exposeOf("server", "remote", "10.97.0.0/16")]);
  await mesh.client(async (client) => {
    const residents = ["local", "server"].map((netns) => Resident.start(netns));
    await Promise.all(residents.map(({ started }) => started));
    const bench = new SetupBench(mesh, client, residents);
    const before = readCpuTimes();
    const [local, remote] = [await bench.row("local"), await bench.row("remote")];
    const stolen = stealShare(before, readCpuTimes());
    report("wire-setup", [local, remote], [...bench.notes, `stolen ${(100 * stolen).toFixed(1)} %`]);
    for (const resident of residents) resident.stop();
  });
});
process.exit(0);
