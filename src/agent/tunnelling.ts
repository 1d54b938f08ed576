/** What an agent has for tunnels to other hosts: identifiers, and how wide the ways there are. */
import type { TunnelOptions } from "../elements/mechanisms/tunnel-options.ts";
import { TunnelWays } from "../forwarder/ways/tunnel-ways.ts";
import { IdentifierPools } from "../mechanisms/identifier-pool.ts";
import type { Settings } from "../mechanisms/mechanism-type.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { World } from "../world/world.ts";
import type { EndpointRegistryHop } from "../api/hops.ts";
import { registerForwarder } from "./own-forwarder.ts";
import { followHost } from "./follow-host.ts";
import type { KeptWires } from "./kept-wires.ts";

export interface TunnellingOptions {
  readonly world: World & { readonly kernel: Kernel };
  readonly tunnelAddresses: readonly string[];
  readonly underlayMtuBytes?: number;
  readonly mechanisms?: Readonly<Record<string, Settings>>;
}

export class Tunnelling {
  readonly identifiers: IdentifierPools;
  readonly ways: TunnelWays;
  /** Absent: there are only wires inside of this host. */
  readonly offered: TunnelOptions | undefined;
  readonly #options: TunnellingOptions;

  constructor(
    options: TunnellingOptions,
    parts: {
      readonly wires: KeptWires;
      /** Connections of the forwarder whose tunnels another width would fit. */
      readonly onMisfit: (connectionIds: readonly string[]) => void;
    },
  ) {
    const { world, tunnelAddresses, underlayMtuBytes, mechanisms: settings = {} } = options;
    const { wires, onMisfit } = parts;
    this.identifiers = new IdentifierPools(world.random);
    this.#options = options;
    this.ways = new TunnelWays({ kernel: world.kernel, mostBytes: underlayMtuBytes, onMisfit });
    const recall: TunnelOptions["recall"] = (wireId, type, side) => wires.recall(wireId, type, side);
    this.offered =
      tunnelAddresses.length === 0
        ? undefined
        : { addresses: tunnelAddresses, ways: this.ways, settings, identifiers: this.identifiers, recall };
  }

  /** Tells the mesh that this host can be gone over, and follows what changes of it, until `World.scope` ends. */
  start(endpoints: EndpointRegistryHop): void {
    if (!this.offered) return;
    const { world } = this.#options;
    registerForwarder(world, endpoints);
    const looks = new Map([["look at the ways to other hosts", () => this.ways.look()]]);
    followHost({ world, kernel: world.kernel, looks });
  }
}
