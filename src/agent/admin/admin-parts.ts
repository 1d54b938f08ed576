/** The parts of an agent that the admin service reads. */
import type { TunnelWays } from "../../forwarder/ways/tunnel-ways.ts";
import type { Capturer } from "../../kernel/capturer.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Attachments } from "../attachments.ts";
import type { Decisions } from "../decisions.ts";
import type { KeptWires } from "../kept-wires.ts";
import type { ConnectionRole } from "../../roles/role.ts";
import type { Registries } from "../../elements/discovery/discover.ts";
import type { Prober } from "../../kernel/prober.ts";
import type { Identity } from "../../identity/identity.ts";
import type { World } from "../../world/world.ts";

/** `RegistryView` of src/registry. */
interface RegistryView {
  readonly state: "unknown" | "fresh" | "stale";
  readonly staleSinceMs?: number;
  readonly reason?: string;
  readonly services: number;
  readonly endpoints: number;
}

export interface AdminParts {
  readonly world: World;
  readonly identity: Pick<Identity, "authorize" | "summary">;
  readonly kernel: Kernel;
  readonly attachments: Attachments;
  readonly wires: KeptWires;
  readonly forwarder: Pick<ConnectionRole, "established" | "whyDown">;
  readonly registry: { view(): RegistryView };
  readonly registries: Registries;
  readonly decisions: Decisions;
  /** Labels that the manager adds to those of clients. */
  readonly labels: Readonly<Record<string, string>>;
  readonly url: string;
  /** URL of the registry that is in use. */
  readonly registryUrl: () => string;
  readonly tunnelling: { readonly ways: Pick<TunnelWays, "told"> };
  readonly tunnelAddresses: readonly string[];
  /** Start time of the agent, on `Clock.wallMs`. */
  readonly startedAtMs: number;
  readonly version?: string;
  readonly prober?: Prober;
  readonly capturer?: Capturer;
}
