/**
 * What an agent is to do, on its disk: the wish (attachments, and the ids of their wires), and the last answers to it.
 *
 * Guarantees
 * - The wish is on the disk before `save` resolves. Calls that come while another is being written are written together.
 * - Answers follow a moment later; those that are lost cost their wires new ids on the way, and nothing else.
 * - A disk that is full or broken is an error of `save` with its reason; answers are tried again.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { AnswersSchema, WantedSchema, WishSchema } from "../api/gen/netloom/agent/v1/state_pb.js";
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import { copyMessage } from "../api/copy-message.ts";
import { Bell } from "../registry/bell.ts";
import { NetloomError } from "../world/errors.ts";
import type { Scope } from "../world/scope.ts";
import type { Disk, World } from "../world/world.ts";
import { readAttachment } from "./parse-attachments.ts";
import type { Wish } from "./wish.ts";

const WISH_FILE = "wish";
const ANSWERS_FILE = "answers";

/** Answers are written so long after they have come, and a little later still where there are many. */
const ANSWERS_MS = 200;
const ANSWERS_MS_PER_WIRE = 1;
const RETRY_MS = 5_000;

/** An attachment, with what it has to keep for ever. */
export interface Kept {
  readonly wish: Wish;
  /** Of a Connect: the id of its wire. Empty for others. */
  readonly connectionId: string;
}

/** What is to be, all of it. */
export interface Desired {
  readonly kept: readonly Kept[];
  /** Ids of wires that are to go, and may still be there. */
  readonly closing: readonly string[];
}

export interface Loaded extends Desired {
  readonly answers: ReadonlyMap<string, Connection>;
  /** What could not be read, as sentences: it was written by another version, or by nobody of ours. */
  readonly problems: readonly string[];
}

export class DesiredState {
  readonly #world: World;
  readonly #answers = new Map<string, Connection>();
  readonly #dirty = new Bell();
  #next: { readonly desired: Desired; readonly written: PromiseWithResolvers<void> } | undefined;
  #isWriting = false;

  constructor(world: World) {
    this.#world = world;
  }

  /** Reads both, and begins to save answers. INTERNAL if the disk cannot be read. */
  async load(): Promise<Loaded> {
    const { disk, scope } = this.#world;
    const problems: string[] = [];
    const desired = await readWish(disk, problems);
    for (const connection of await readAnswers(disk, problems))
      this.#answers.set(idOf(connection), connection);
    const answers = new Map(this.#answers);
    scope.spawn("save answers", (task) => this.#saveAnswers(task));
    return { ...desired, answers, problems };
  }

  async save(desired: Desired): Promise<void> {
    const waiting = this.#next?.written ?? Promise.withResolvers<void>();
    this.#next = { desired, written: waiting };
    if (!this.#isWriting) await this.#write();
    await waiting.promise;
  }

  /** The last answer for a wire. Tokens are not kept: they are of no use to a later life. */
  keepAnswer(connection: Connection): void {
    const kept = copyMessage(connection);
    for (const segment of kept.path?.pathSegments ?? []) {
      segment.token = "";
      segment.metrics = {};
      delete segment.expires;
    }
    const id = idOf(kept);
    const before = this.#answers.get(id);
    if (before && sameAnswer(before, kept)) return;
    this.#answers.set(id, kept);
    this.#dirty.ring();
  }

  dropAnswer(connectionId: string): void {
    if (this.#answers.delete(connectionId)) this.#dirty.ring();
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    try {
      for (let next = this.#next; next; next = this.#next) {
        this.#next = undefined;
        try {
          await replace(this.#world.disk, WISH_FILE, toBinary(WishSchema, wishMessage(next.desired)));
          next.written.resolve();
        } catch (error) {
          // Whoever waits is told; nobody may be left waiting by an error of somebody else.
          next.written.reject(error);
        }
      }
    } finally {
      this.#isWriting = false;
    }
  }

  async #saveAnswers(scope: Scope): Promise<void> {
    while (!scope.ended) {
      await this.#dirty.wait(this.#world, scope, Infinity);
      if (scope.ended) return;
      await this.#world.clock.sleep(ANSWERS_MS + ANSWERS_MS_PER_WIRE * this.#answers.size, scope);
      const connections = [...this.#answers.values()];
      try {
        const bytes = toBinary(AnswersSchema, create(AnswersSchema, { connections }));
        await replace(this.#world.disk, ANSWERS_FILE, bytes);
      } catch (error) {
        if (!(error instanceof NetloomError) || scope.ended) throw error;
        await this.#world.clock.sleep(RETRY_MS, scope);
        this.#dirty.ring();
      }
    }
  }
}

function idOf({ path, id }: Connection): string {
  return path?.pathSegments[0]?.id ?? id;
}

function sameAnswer(a: Connection, b: Connection): boolean {
  return JSON.stringify(textOf(a)) === JSON.stringify(textOf(b));
}

function textOf({ $unknown: _unknown, ...connection }: Connection): unknown {
  return connection;
}

function wishMessage({ kept, closing }: Desired) {
  return create(WishSchema, {
    closing: [...closing],
    attachments: kept.map(({ wish, connectionId }) =>
      create(WantedSchema, { document: JSON.stringify(wish.document), connectionId }),
    ),
  });
}

async function replace(disk: Disk, name: string, bytes: Uint8Array): Promise<void> {
  await disk.replace(name, bytes);
  await disk.sync(name);
}

async function readWish(disk: Disk, problems: string[]): Promise<Desired> {
  const bytes = await disk.read(WISH_FILE);
  if (!bytes) return { kept: [], closing: [] };
  try {
    const { attachments, closing } = fromBinary(WishSchema, bytes);
    const kept = attachments.flatMap(({ document, connectionId }): Kept[] => {
      const result = readAttachment(JSON.parse(document));
      if (result.ok) return [{ wish: result.wish, connectionId }];
      const reasons = result.findings.map(({ message }) => message).join("; ");
      problems.push(`an attachment on the disk means nothing to this version: ${reasons}: ${document}`);
      return [];
    });
    return { kept, closing };
  } catch (error) {
    throw new NetloomError("INTERNAL", `read the wish of this host: ${(error as Error).message}`, {
      cause: error,
      hint: "the file `wish` in the state directory is damaged; remove it, and apply the attachments again",
    });
  }
}

async function readAnswers(disk: Disk, problems: string[]): Promise<Connection[]> {
  const bytes = await disk.read(ANSWERS_FILE);
  if (!bytes) return [];
  try {
    return fromBinary(AnswersSchema, bytes).connections;
  } catch (error) {
    problems.push(`the last answers on the disk are unreadable: ${(error as Error).message}`);
    return [];
  }
}
