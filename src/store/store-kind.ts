/** What a kind of store says of itself: a folder of this room, and one line in stores.ts. */
import type { Hops } from "../world/hops.ts";
import type { Store } from "../world/store.ts";
import type { World } from "../world/world.ts";
import type { NetloomError } from "../errors/errors.ts";

export interface StoreKind {
  /** Of its URLs: `sqlite` for `sqlite:/var/lib/netloom/registry.db`. */
  readonly scheme: string;
  /** How its URLs are written, for `--help`: `sqlite:PATH`. */
  readonly spelling: string;
  /** A regular expression for what follows the scheme and its colon, for checks and for schemas of files. */
  readonly rest: string;
  /** Whether two registries that open one URL share what is in it. */
  readonly isShared: boolean;
  /** The URL of a store in a folder of a host that needs nothing else there. Absent if the kind has no such thing. */
  readonly inFolder?: (folder: string) => string;
  /** Opens the store; what it makes (a file, a folder) stays. `rest` fits the pattern above. */
  open(rest: string, options: OpenStoreOptions): Promise<OpenStore>;
}

export interface OpenStoreOptions {
  /** The store's tasks end with its scope; the clock is the host's. */
  readonly world: Pick<World, "clock" | "scope">;
  /** The way to a store that is elsewhere. */
  readonly hops: Hops;
  /** Told when an open store takes no more, and with `undefined` when it does again. */
  readonly onProblem?: (problem: NetloomError | undefined) => void;
}

export interface OpenStore {
  readonly store: Store;
  /** To be called when `world.scope` has ended. */
  readonly close: () => Promise<void>;
}
