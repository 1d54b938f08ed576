import { logThatFails } from "../../observe/log.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Watch } from "../../async/watch.ts";
import type { HostWorld } from "../../world/world.ts";
import type { Handler } from "../../world/hops.ts";
import type { Answering, CarriedHandler } from "./carried-handler.ts";
import { carriedWorld, type Carrier } from "./carried-world.ts";
import {
  decodeValue,
  encodeValue,
  type RecordedOutcome,
  type Recording,
  type RecordingEntry,
} from "./recording.ts";
import type { Drain } from "../scheduler.ts";

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Runs `program` again with the results of a recording, without any host, network or kernel. Returns the number of replayed
 * entries. FAILED_PRECONDITION if the recording has lost its beginning, or if the program behaves differently from the
 * recorded one in any byte.
 */
export async function replayRecording(
  recording: Recording,
  program: (world: HostWorld) => Promise<void>,
  drain: Drain,
): Promise<number> {
  if (recording.dropped > 0) {
    throw new NetloomError(
      "FAILED_PRECONDITION",
      `replay ${recording.host}: its first ${recording.dropped} entries were dropped`,
    );
  }
  const replayer = new Replayer(recording);
  const log = logThatFails((bug) => replayer.fail(bug));
  program(carriedWorld(recording.host, replayer, log)).catch((error: unknown) => replayer.fail(error));
  await drain();
  while (replayer.step()) await drain();
  if (replayer.failure) throw replayer.failure.error;
  return recording.lines.length;
}

class Replayer implements Carrier {
  readonly #recording: Recording;
  readonly #pending = new Map<number, Pending>();
  readonly #handlers: CarriedHandler[] = [];
  readonly #answering = new Map<number, Answering<unknown>>();
  readonly #streams = new Map<number, Watch<Uint8Array>>();
  #position = 0;
  #calls = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(recording: Recording) {
    this.#recording = recording;
  }

  /** The reason why the replay differs from the recorded run. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  /** Applies the next entry that came from outside. False at the end. */
  step(): boolean {
    if (this.#failure) return false;
    const entry = this.#next();
    if (!entry) return false;
    if (entry.kind === "ask" || entry.kind === "call" || entry.kind === "out") {
      this.#diverge("the program waits");
      return false;
    }
    this.#position += 1;
    if (entry.kind === "in") this.#handle(entry);
    else if (entry.kind === "pull") this.#pull(entry);
    else if (entry.kind === "gone") this.#answering.get(entry.call)?.leave();
    else this.#settle(entry.call, entry.outcome);
    return true;
  }

  ask<T>(name: string, args: unknown, _run?: (world: HostWorld) => T): T {
    const entry = this.#next();
    const outcome = entry?.kind === "ask" ? entry.outcome : { value: undefined };
    this.#expect({ kind: "ask", name, args, outcome });
    if ("error" in outcome) throw outcome.error as Error;
    return outcome.value as T;
  }

  call<T>(name: string, args: unknown): Promise<T> {
    const call = this.#calls++;
    this.#expect({ kind: "call", name, args, call });
    return new Promise((resolve, reject) => {
      this.#pending.set(call, { resolve: resolve as Pending["resolve"], reject });
    });
  }

  open<T>(name: string, args: unknown, _run: (world: HostWorld) => T): () => T {
    this.ask(name, args);
    return () => {
      throw new Error(`${name} is not there in a replay`);
    };
  }

  listen(handler: CarriedHandler): Handler {
    this.#handlers.push(handler);
    const isNotThere = (): never => {
      throw new Error("nobody calls from outside in a replay");
    };
    return { methods: handler.methods, call: isNotThere, watch: isNotThere };
  }

  #handle({ listener, how, arrived }: Extract<RecordingEntry, { kind: "in" }>): void {
    const call = this.#calls++;
    const handler = this.#handlers[listener];
    if (!handler) {
      this.#diverge(`the program has no listener ${listener}`);
      return;
    }
    if (how === "call") {
      const answering = handler.call(arrived);
      this.#answering.set(call, answering);
      this.#expectOutcome(call, answering.answer);
      return;
    }
    try {
      const answering = handler.watch(arrived);
      this.#answering.set(call, answering);
      this.#streams.set(call, answering.answer);
    } catch (error) {
      this.#expect({ kind: "out", call, outcome: { error } });
      return;
    }
    this.#expect({ kind: "out", call, outcome: { value: undefined } });
  }

  #pull({ stream }: Extract<RecordingEntry, { kind: "pull" }>): void {
    const call = this.#calls++;
    const answers = this.#streams.get(stream);
    if (answers) this.#expectOutcome(call, answers.take());
    else this.#diverge(`the program has no stream ${stream}`);
  }

  #expectOutcome(call: number, answer: Promise<unknown>): void {
    answer
      .then(
        (value) => this.#expect({ kind: "out", call, outcome: { value } }),
        (error: unknown) => this.#expect({ kind: "out", call, outcome: { error } }),
      )
      .catch(() => undefined);
  }

  #settle(call: number, outcome: RecordedOutcome): void {
    const pending = this.#pending.get(call);
    this.#pending.delete(call);
    if ("error" in outcome) pending?.reject(outcome.error);
    else pending?.resolve(outcome.value);
  }

  #next(): RecordingEntry | undefined {
    const line = this.#recording.lines[this.#position];
    return line === undefined ? undefined : (decodeValue(line) as RecordingEntry);
  }

  #expect(entry: RecordingEntry): void {
    const line = encodeValue(entry);
    if (line !== this.#recording.lines[this.#position]) throw this.#diverge(`the program did ${line}`);
    this.#position += 1;
  }

  #diverge(what: string): NetloomError {
    const recorded = this.#recording.lines[this.#position] ?? "the end";
    const error = new NetloomError(
      "FAILED_PRECONDITION",
      `replay ${this.#recording.host}: entry ${this.#position}: ${what}, and the recording has ${recorded}`,
    );
    this.fail(error);
    return error;
  }
}
