/**
 * The desired state of an agent, on its disk: the documents (attachments, and the ids of their wires), and the last answers to it.
 *
 * Guarantees
 * - They are on the disk before `save` resolves. Calls during a write are written together afterwards.
 * - Answers are written a moment later. After the loss of an answer, its wire only gets new ids on the path.
 * - For a full or broken disk `save` rejects with the reason. Answers are written again later, and the failure is logged
 *   once.
 * - A damaged state is refused: with half of it, the wires of the other half would be removed. Damaged answers are left
 *   out: the kernel and the hosts on the path know the rest.
 * - An attachment that this version does not understand stays on the disk for a version that does.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  AnswersSchema,
  type Wanted,
  WantedSchema,
  DesiredStateSchema,
} from "../api/gen/netloom/agent/v1/state_pb.js";
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import { copyMessage } from "../api/copy-message.ts";
import { Signal } from "../async/signal.ts";
import { seal, unseal, type Unsealed } from "../net/seal.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Scope } from "../async/scope.ts";
import type { World } from "../world/world.ts";
import type { Disk } from "../world/disk.ts";
import { type Document, type ReadResult, refText, type Spec } from "../attachments/spec.ts";

export const STATE_FILE = "wish";
const ANSWERS_FILE = "answers";
/** Version 1 holds documents in the form of release 0.1.0. */
export const STATE_SEAL = { what: "wish", version: 2, formerVersions: [1] } as const;
const ANSWERS_SEAL = { what: "answers", version: 1 } as const;

/** The delay before answers are written. It grows with the number of wires. */
const ANSWERS_MS = 200;
const ANSWERS_MS_PER_WIRE = 1;
const RETRY_MS = 5_000;
const KEEP_ANSWERS = "keep the last answers on the disk";

/** A spec, and the values that stay on the disk with it. */
export interface Kept {
  readonly spec: Spec;
  /** Id of the wire, if the spec requests one; else empty. */
  readonly connectionId: string;
  /** The number of changes of the document, the first one included. */
  readonly generation: number;
}

/** The complete desired state. */
export interface Desired {
  readonly kept: readonly Kept[];
  /** Ids of deleted wires that may still exist. */
  readonly closing: readonly string[];
}

export interface Loaded extends Desired {
  readonly answers: ReadonlyMap<string, Connection>;
}

export interface DesiredStateOptions {
  readonly world: World;
  readonly disk: Disk;
  /** The path of the disk, for messages. */
  readonly stateFolder: string;
  /** Reads a document from the disk. */
  readonly read: (document: unknown) => ReadResult;
}

export class DesiredState {
  readonly #world: World;
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #read: DesiredStateOptions["read"];
  readonly #answers = new Map<string, Connection>();
  readonly #dirty = new Signal();
  /** Attachments on the disk that this version does not understand. */
  #foreign: readonly Wanted[] = [];
  #next: { readonly desired: Desired; readonly written: PromiseWithResolvers<void> } | undefined;
  #isWriting = false;

  constructor({ world, disk, stateFolder, read }: DesiredStateOptions) {
    this.#world = world;
    this.#disk = disk;
    this.#folder = stateFolder;
    this.#read = read;
  }

  /**
   * Reads the state and the answers, and starts to save answers. INTERNAL if the disk cannot be read, FAILED_PRECONDITION
   * for a state that is damaged or of another version.
   */
  async load(): Promise<Loaded> {
    const desired = await this.#readState();
    for (const connection of await this.#readAnswers()) this.#answers.set(idOf(connection), connection);
    const answers = new Map(this.#answers);
    this.#world.scope.spawn("save answers", (task) => this.#saveAnswers(task));
    return { ...desired, answers };
  }

  async save(desired: Desired): Promise<void> {
    const waiting = this.#next?.written ?? Promise.withResolvers<void>();
    this.#next = { desired, written: waiting };
    if (!this.#isWriting) await this.#write();
    await waiting.promise;
  }

  /** Keeps the last answer for a wire, without its tokens: they are useless after a restart. */
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

  /** The last answer for a wire, also from before a restart. */
  answer(wireId: string): Connection | undefined {
    return this.#answers.get(wireId);
  }

  /** Drops answers for wires that no attachment requests any more. */
  keepAnswers(isWanted: (wireId: string) => boolean): void {
    for (const id of this.#answers.keys()) if (!isWanted(id)) this.dropAnswer(id);
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
          const message = stateMessage(next.desired, this.#foreign);
          await replace(this.#disk, STATE_FILE, seal(STATE_SEAL, toBinary(DesiredStateSchema, message)));
          next.written.resolve();
        } catch (error) {
          // Every waiting caller must get the error, also if another caller's write caused it.
          next.written.reject(error);
        }
      }
    } finally {
      this.#isWriting = false;
    }
  }

  async #saveAnswers(scope: Scope): Promise<void> {
    let isRefused = false;
    while (!scope.ended) {
      await this.#dirty.wait(this.#world.clock, scope, Infinity);
      if (scope.ended) return;
      await this.#world.clock.sleep(ANSWERS_MS + ANSWERS_MS_PER_WIRE * this.#answers.size, scope);
      const connections = [...this.#answers.values()];
      try {
        const bytes = toBinary(AnswersSchema, create(AnswersSchema, { connections }));
        await replace(this.#disk, ANSWERS_FILE, seal(ANSWERS_SEAL, bytes));
        if (isRefused)
          this.#world.log.info("the last answers are on the disk again", { file: this.#path(ANSWERS_FILE) });
        isRefused = false;
        this.#world.retries.over(KEEP_ANSWERS);
      } catch (error) {
        if (!(error instanceof NetloomError) || scope.ended) throw error;
        this.#world.retries.failed(KEEP_ANSWERS, error);
        if (!isRefused)
          this.#world.log.warn(
            "the last answers cannot be stored; after a restart the agent reads their facts from the kernel",
            {
              error: error.message,
              hint: error.hint,
            },
          );
        isRefused = true;
        await this.#world.clock.sleep(RETRY_MS, scope);
        this.#dirty.ring();
      }
    }
  }

  async #readState(): Promise<Desired> {
    const bytes = await this.#disk.read(STATE_FILE);
    if (!bytes) return { kept: [], closing: [] };
    const sealed = unseal(STATE_SEAL, bytes);
    if (!sealed.ok) throw unreadableState(this.#path(STATE_FILE), sealed);
    const { attachments, closing } = fromBinary(DesiredStateSchema, sealed.content);
    const foreign: Wanted[] = [];
    const kept = attachments.flatMap((wanted): Kept[] => {
      const result = this.#read(JSON.parse(wanted.document));
      if (result.ok) {
        for (const note of result.notes ?? [])
          this.#world.log.warn("the kept state of an earlier version is converted", { note });
        return [
          {
            spec: result.spec,
            connectionId: wanted.connectionId,
            generation: Number(wanted.generation) || 1,
          },
        ];
      }
      foreign.push(wanted);
      this.#world.log.error(
        "this version does not understand an attachment on the disk, and leaves it there",
        {
          problem: result.findings.map(({ message }) => message).join("; "),
          document: wanted.document,
        },
      );
      return [];
    });
    this.#foreign = foreign;
    return { kept, closing };
  }

  async #readAnswers(): Promise<Connection[]> {
    const bytes = await this.#disk.read(ANSWERS_FILE);
    if (!bytes) return [];
    const sealed = unseal(ANSWERS_SEAL, bytes);
    if (sealed.ok) return fromBinary(AnswersSchema, sealed.content).connections;
    this.#world.log.warn(
      "the last answers on the disk are damaged: the agent reads their facts from the kernel",
      {
        file: this.#path(ANSWERS_FILE),
        problem: sealed.problem,
      },
    );
    return [];
  }

  #path(name: string): string {
    return `${this.#folder}/${name}`;
  }
}

/** The error for a damaged state. `path` is that of its file. */
export function unreadableState(
  path: string,
  { problem, isNewer }: Extract<Unsealed, { ok: false }>,
): NetloomError {
  const message = `read the desired state from ${path}: ${problem}`;
  if (isNewer)
    return new NetloomError("FAILED_PRECONDITION", message, {
      topic: "NL-205",
      hint: "a newer netloom has written it: start that version; the file and the wires stay as they are",
    });
  return new NetloomError("FAILED_PRECONDITION", message, {
    topic: "NL-205",
    hint: `restore a copy of it, or move it away (mv ${path} ${path}.damaged), start the agent, and apply the attachments again; wires stay up meanwhile`,
  });
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

function stateMessage({ kept, closing }: Desired, foreign: readonly Wanted[]) {
  const own = kept.map(({ spec, connectionId, generation }) =>
    create(WantedSchema, {
      document: JSON.stringify(spec.document),
      connectionId,
      generation: BigInt(generation),
    }),
  );
  const names = new Set(kept.map(({ spec }) => refText(spec)));
  // An attachment that was applied again replaces the one that could not be read.
  const rest = foreign.filter(({ document }) => {
    const { kind, metadata } = JSON.parse(document) as Partial<Document>;
    return !names.has(`${kind} ${metadata?.name}`);
  });
  return create(DesiredStateSchema, { closing: [...closing], attachments: [...own, ...rest] });
}

async function replace(disk: Disk, name: string, bytes: Uint8Array): Promise<void> {
  await disk.replace(name, bytes);
  await disk.sync(name);
}
