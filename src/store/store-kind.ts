/** The description of a kind of store. A kind is a folder of this room and one line in stores.ts. */
import type { Hops } from "../world/hops.ts";
import type { Store } from "../world/store.ts";
import type { World } from "../world/world.ts";
import type { NetloomError } from "../errors/errors.ts";

export interface StoreKind {
  /** The scheme of its URLs: `sqlite` for `sqlite:/var/lib/netloom/registry.db`. */
  readonly scheme: string;
  /** The form of its URLs, for `--help`: `sqlite:PATH`. */
  readonly spelling: string;
  /** A regular expression for the part after the scheme and its colon, for checks and for schemas of files. */
  readonly rest: string;
  /** Do two registries that open one URL share its data? */
  readonly isShared: boolean;
  /** The URL of a store in a folder, if the kind needs nothing else. Absent if the kind has no such form. */
  readonly inFolder?: (folder: string) => string;
  /** Opens the store; files and folders that it creates stay. `rest` matches the pattern above. */
  open(rest: string, options: OpenStoreOptions): Promise<OpenStore>;
}

export interface OpenStoreOptions {
  /** The store's tasks end with the scope; the clock is the host's. */
  readonly world: Pick<World, "clock" | "scope">;
  /** Connections for a remote store. */
  readonly hops: Hops;
  /** Called when an open store stops taking writes, and with `undefined` when it takes them again. */
  readonly onProblem?: (problem: NetloomError | undefined) => void;
}

export interface OpenStore {
  readonly store: Store;
  /** Call after `world.scope` has ended. */
  readonly close: () => Promise<void>;
}
