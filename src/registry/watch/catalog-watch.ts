/**
 * One watch on a catalog.
 *
 * Guarantees
 * - It delivers all matching entries, then `synced`, then the changes: entries that match, in their new form, and removed entries
 *   that matched, in their last form. An entry that changes so that it no longer matches is not reported, as upstream. A reader
 *   that watches everything and applies all events has, when it is quiet, the result of a new find.
 * - Of several unread changes of one entry only the last is kept, and changes outside the query are not kept: a slow reader costs
 *   at most `limit` references.
 * - Beyond `limit` the watch is resynchronised (`reset`, then everything again), or cut off with RESOURCE_EXHAUSTED.
 */
import { NetloomError } from "../../errors/errors.ts";
import { Watch } from "../../async/watch.ts";
import { type Listed, sameBytes } from "../entry-kind.ts";

export type CatalogEvent<R> =
  | { readonly type: "found"; readonly entry: R }
  /** The entry in its last form, and the time when it would have ended. */
  | { readonly type: "removed"; readonly entry: R; readonly expiresAtMs: number | undefined }
  | { readonly type: "synced" }
  /** Forget all earlier events. */
  | { readonly type: "reset" };

export interface WatchOptions {
  /** The treatment of a reader that falls behind by more than `limit`. */
  readonly overflow: "resync" | "cut";
  /** Most unread changes. Default: 1,024. */
  readonly limit?: number;
  /** Report also entries of which only the time has changed, as upstream does. Default: false. */
  readonly touches?: boolean;
  /** Called when there may be something to take. Default: no call; `take` waits. */
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
  /** The unread rest of the list; `undefined` once it has been read. */
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

  /** Begins again without a `reset` event. */
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

  /** The next event, if there is one now. */
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
    // The list iterates over the live catalog, so a change may be reported twice, and a removal without an earlier report.
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
