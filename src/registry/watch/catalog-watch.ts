/**
 * One who watches a catalog.
 *
 * Guarantees
 * - First everything that matches, then `synced`, then what changes: entries that match as they are now, and those that
 *   matched as they were last and are gone. Of one that has changed so that it does not match any more nothing is told, as
 *   upstream does. Whoever watches everything and applies what comes has, at quiet, what a new find would return.
 * - Of several changes of one entry that wait to be read only the last is kept, and of changes that it cannot see, none:
 *   a slow reader costs at most `limit` references.
 * - Beyond `limit` it is resynchronised (`reset`, then everything anew), or cut with RESOURCE_EXHAUSTED.
 */
import { NetloomError } from "../../errors/errors.ts";
import { Watch } from "../../async/watch.ts";
import { type Listed, sameBytes } from "../entry-kind.ts";

export type CatalogEvent<R> =
  | { readonly type: "found"; readonly entry: R }
  /** With what it was last, and when it would have ended. */
  | { readonly type: "removed"; readonly entry: R; readonly expiresAtMs: number | undefined }
  | { readonly type: "synced" }
  /** Forget what came before. */
  | { readonly type: "reset" };

export interface WatchOptions {
  /** What happens to a reader that falls behind by more than `limit`. */
  readonly overflow: "resync" | "cut";
  /** Default: 1,024. */
  readonly limit?: number;
  /** Also entries of which nothing but the time has changed, as upstream does. Default: false. */
  readonly touches?: boolean;
  /** Called when there may be something to take. Default: nobody is; `next` waits. */
  readonly onNews?: () => void;
}

export interface CatalogSource<R> {
  readonly noun: string;
  find(): Iterator<R>;
  matches(entry: R): boolean;
  expirationOf(name: string): number | undefined;
  onClose(): void;
}

export class CatalogWatch<R extends Listed> extends Watch<CatalogEvent<R>> {
  readonly #options: Required<WatchOptions>;
  readonly #source: CatalogSource<R>;
  readonly #changes = new Map<string, CatalogEvent<R>>();
  /** What is left of the list; `undefined` once it has been read. */
  #list: Iterator<R> | undefined;
  #needsReset = false;
  #failure: NetloomError | undefined;
  #isOpen = true;
  #wake: () => void = () => undefined;

  constructor(options: WatchOptions, source: CatalogSource<R>) {
    super();
    this.#options = { limit: 1024, touches: false, onNews: () => undefined, ...options };
    this.#source = source;
    this.#list = source.find();
  }

  /** Begins anew without saying so. */
  restart(): void {
    this.#changes.clear();
    this.#needsReset = false;
    this.#list = this.#source.find();
  }

  /** The catalog has `entry` now, in place of `before`. Neither has to match. */
  changed(entry: R | undefined, before: R | undefined): void {
    if (entry !== undefined) {
      const isSame = before !== undefined && sameBytes(entry.bytes, before.bytes);
      if ((!isSame || this.#options.touches) && this.#source.matches(entry))
        this.#add({ type: "found", entry });
    } else if (before !== undefined && this.#source.matches(before)) {
      const expiresAtMs = this.#source.expirationOf(before.name);
      this.#add({ type: "removed", entry: before, expiresAtMs });
    }
  }

  touched(entry: R): void {
    if (this.#options.touches && this.#source.matches(entry)) this.#add({ type: "found", entry });
  }

  async take(): Promise<CatalogEvent<R> | undefined> {
    for (;;) {
      const event = this.takeNow();
      if (event || !this.#isOpen) return event;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** The next event if there is one now. */
  takeNow(): CatalogEvent<R> | undefined {
    if (!this.#isOpen) return undefined;
    if (this.#failure) throw this.#failure;
    if (this.#needsReset) {
      this.restart();
      return { type: "reset" };
    }
    const listed = this.#list?.next();
    if (listed && !listed.done) return { type: "found", entry: listed.value };
    if (listed) {
      this.#list = undefined;
      return { type: "synced" };
    }
    for (const [name, event] of this.#changes) {
      this.#changes.delete(name);
      return event;
    }
    return undefined;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#changes.clear();
    this.#list = undefined;
    this.#source.onClose();
    this.#tell();
  }

  #add(event: Extract<CatalogEvent<R>, { readonly entry: R }>): void {
    if (this.#needsReset || this.#failure) return;
    // The list goes over the catalog as it is, so what changes meanwhile may come twice, and a removed entry unannounced.
    this.#changes.set(event.entry.name, event);
    if (this.#changes.size > this.#options.limit) this.#overflow();
    this.#tell();
  }

  #tell(): void {
    this.#wake();
    this.#options.onNews();
  }

  #overflow(): void {
    this.#changes.clear();
    this.#list = undefined;
    if (this.#options.overflow === "resync") {
      this.#needsReset = true;
      return;
    }
    const { noun } = this.#source;
    this.#failure = new NetloomError(
      "RESOURCE_EXHAUSTED",
      `watch ${noun}s: more than ${this.#options.limit} changes wait to be read`,
      { hint: "watch anew, and read faster" },
    );
  }
}
