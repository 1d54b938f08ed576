/** The parts of an agent for tunnels to other hosts: identifiers, addresses, and the width of the ways there. */
import type { EndpointRegistryHop } from "../api/hops.ts";
import type { TunnelOptions } from "../elements/mechanisms/tunnel-options.ts";
import { NetloomError } from "../errors/errors.ts";
import { TunnelWays } from "../forwarder/ways/tunnel-ways.ts";
import { IdentifierPools } from "../mechanisms/identifier-pool.ts";
import type { Settings } from "../mechanisms/mechanism-type.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { World } from "../world/world.ts";
import { followHost } from "./follow-host.ts";
import type { KeptWires } from "./kept-wires.ts";
import { registerForwarder } from "./own-forwarder.ts";
import { TunnelAddresses } from "./tunnel-addresses.ts";

interface TunnellingOptions {
  readonly world: World & { readonly kernel: Kernel };
  readonly tunnelAddresses: readonly string[];
  readonly underlayMtuBytes?: number;
  readonly mechanisms?: Readonly<Record<string, Settings>>;
}

interface Seams {
  readonly wires: KeptWires;
  /** Called with the forwarder's connections whose tunnels do not have the width of the way. */
  readonly onMisfit: (connectionIds: readonly string[]) => void;
}

export class Tunnelling {
  readonly identifiers: IdentifierPools;
  readonly ways: TunnelWays;
  /** Absent if all wires stay inside of this host. */
  readonly offered: TunnelOptions | undefined;
  readonly #world: TunnellingOptions["world"];
  readonly #addresses: TunnelAddresses;

  private constructor(options: TunnellingOptions, { wires, onMisfit }: Seams) {
    const { world, tunnelAddresses, underlayMtuBytes, mechanisms: settings = {} } = options;
    this.#world = world;
    this.#addresses = new TunnelAddresses(world, world.kernel, tunnelAddresses);
    this.identifiers = new IdentifierPools(world.random);
    this.ways = new TunnelWays({ kernel: world.kernel, mostBytes: underlayMtuBytes, onMisfit });
    const tunnels: TunnelOptions = {
      addresses: tunnelAddresses,
      isUsable: (address) => this.#addresses.isUsable(address),
      ways: this.ways,
      settings,
      identifiers: this.identifiers,
      recall: (wireId, type, side) => wires.recall(wireId, type, side),
    };
    this.offered = tunnelAddresses.length > 0 ? tunnels : undefined;
  }

  /** Opens it and checks the addresses once. If the kernel does not answer, `start` checks again. */
  static async open(options: TunnellingOptions, seams: Seams): Promise<Tunnelling> {
    const tunnelling = new Tunnelling(options, seams);
    try {
      await tunnelling.#addresses.look();
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      options.world.log.warn("the tunnel addresses cannot be checked", { problem: error.message });
    }
    return tunnelling;
  }

  /** Registers this host's forwarder, and follows changes of the host's network, until `World.scope` ends. */
  start(endpoints: EndpointRegistryHop): void {
    if (!this.offered) return;
    const world = this.#world;
    registerForwarder(world, endpoints);
    const looks = new Map([
      ["check the tunnel addresses", () => this.#addresses.look()],
      ["check the ways to other hosts", () => this.ways.look()],
    ]);
    followHost({ world, kernel: world.kernel, looks });
  }
}
