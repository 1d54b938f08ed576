/** Programs on upstream's SDK (interop/go), as a test controls them. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { TestContext } from "node:test";
import { type DescMessage, fromJson, type JsonValue, type MessageShape, toJson } from "@bufbuild/protobuf";
import { Program } from "./program.ts";

const PEER = fileURLToPath(new URL("./.build/peer", import.meta.url));

/** Reason to skip, for `test(title, { skip: needsPeer }, …)`. */
export const needsPeer: string | false =
  process.getuid?.() !== 0
    ? "needs root"
    : !existsSync(PEER) && "needs interop/.build/peer: `make interop` builds it where there is Go";

interface Reply {
  readonly id: number;
  readonly body?: JsonValue;
  readonly error?: Failure;
  readonly end?: boolean;
}

/** A gRPC status as Go reads it: with the code `NotFound`, and the content of google.rpc.ErrorInfo. */
interface Failure {
  readonly code: string;
  readonly message: string;
  readonly reason?: string;
  readonly fields?: Readonly<Record<string, string>>;
}

class StrangerError extends Error {
  readonly code: string;
  readonly reason: string | undefined;
  readonly fields: Failure["fields"];

  constructor({ code, message, reason, fields }: Failure) {
    super(`${code}: ${message}`);
    this.code = code;
    this.reason = reason;
    this.fields = fields;
  }
}

type Role = "client" | "endpoint" | "registry-client" | "registry" | "manager";

export class Stranger {
  readonly #replies = new Map<number, (reply: Reply) => void>();
  readonly program: Program;
  #lastId = 0;

  private constructor(t: TestContext, options: StrangerOptions, onReady: () => void) {
    const { role, netns, ...flags } = options;
    const argv = Object.entries(flags).map(([flag, value]) => `-${flag}=${value}`);
    this.#replies.set(0, onReady);
    this.program = new Program(t, {
      name: `${role} of upstream`,
      netns,
      argv: [PEER, role, ...argv],
      onLine: (line) => this.#hear(line as Reply),
    });
  }

  /** Resolves when the program serves. */
  static async start(t: TestContext, options: StrangerOptions): Promise<Stranger> {
    let onReady = (): void => undefined;
    const ready = new Promise<true>((resolve) => (onReady = () => resolve(true)));
    const stranger = new Stranger(t, options, onReady);
    const isReady = await Promise.race([ready, stranger.program.ended]);
    if (isReady !== true) throw new Error(`${options.role} of upstream ended before it served`);
    return stranger;
  }

  /** The answer to one command. Rejects with a `StrangerError`. */
  async ask<I extends DescMessage, O extends DescMessage>(
    verb: string,
    [input, message]: readonly [I, MessageShape<I>],
    output: O,
    timeoutMs = 15_000,
  ): Promise<MessageShape<O>> {
    const answers = this.open(verb, [input, message], output, timeoutMs);
    const answer = await answers.next();
    if (!answer) throw new Error(`${verb}: no answer`);
    await answers.next();
    return answer;
  }

  /** A stream of answers; `timeoutMs` is 0 for one without an end. */
  open<I extends DescMessage, O extends DescMessage>(
    verb: string,
    [input, message]: readonly [I, MessageShape<I>],
    output: O,
    timeoutMs = 0,
  ): Answers<MessageShape<O>> {
    const id = ++this.#lastId;
    const answers = new Answers<MessageShape<O>>(() =>
      this.program.send({ id: ++this.#lastId, verb: "cancel", target: id }),
    );
    this.#replies.set(id, ({ body, error }) => {
      if (body !== undefined) {
        answers.push(fromJson(output, body));
        return;
      }
      this.#replies.delete(id);
      answers.finish(error && new StrangerError(error));
    });
    this.program.send({ id, verb, body: toJson(input, message), timeoutMs });
    return answers;
  }

  #hear(reply: Reply): void {
    this.#replies.get(reply.id)?.(reply);
  }
}

export interface StrangerOptions {
  readonly role: Role;
  /** Namespace of the program. */
  readonly netns?: string;
  readonly name?: string;
  readonly listen?: string;
  readonly connect?: string;
  readonly url?: string;
  readonly ifname?: string;
  readonly prefix?: string;
  readonly "lease-ms"?: number;
  readonly "lifetime-ms"?: number;
  readonly heal?: boolean;
  /** Ask again when the endpoint requests it. */
  readonly "upstream-refresh"?: boolean;
  readonly files?: boolean;
  /** The endpoint removes addresses that it does not give. */
  readonly strict?: boolean;
}

/** The answers of a stream, in order. */
export class Answers<T> {
  readonly #waiting: T[] = [];
  readonly #cancel: () => void;
  #end: { readonly error: Error | undefined } | undefined;
  #wake = (): void => undefined;

  constructor(cancel: () => void) {
    this.#cancel = cancel;
  }

  push(answer: T): void {
    this.#waiting.push(answer);
    this.#wake();
  }

  finish(error: Error | undefined): void {
    this.#end = { error };
    this.#wake();
  }

  /** The next answer; `undefined` at the end. */
  async next(): Promise<T | undefined> {
    while (this.#waiting.length === 0 && !this.#end)
      await new Promise<void>((resolve) => (this.#wake = resolve));
    const answer = this.#waiting.shift();
    if (answer === undefined && this.#end?.error) throw this.#end.error;
    return answer;
  }

  /** The first answer for which `is` returns true; earlier ones are skipped. */
  async until(is: (answer: T) => boolean): Promise<T> {
    for (;;) {
      const answer = await this.next();
      if (answer === undefined) throw new Error("the stream ended before that came");
      if (is(answer)) return answer;
    }
  }

  /** All answers until the end. */
  async all(): Promise<T[]> {
    const answers: T[] = [];
    for (let answer = await this.next(); answer !== undefined; answer = await this.next())
      answers.push(answer);
    return answers;
  }

  cancel(): void {
    this.#cancel();
  }
}
