/** One call over the simulated network: request, answer, and the faults of both. */
import { NetloomError } from "../../errors/errors.ts";
import type { Scope } from "../../async/scope.ts";
import type { Message, Waiting } from "../../world/hops.ts";
import { scopeEnd } from "../clock.ts";
import { digestText } from "../hash.ts";
import type { Ways } from "./end.ts";
import {
  checkSize,
  copyError,
  copySent,
  endCall,
  type SimListener,
  pathBack,
  type SentQuestion,
  unavailable,
} from "./end.ts";
import { arrive } from "./handshake.ts";

/** A method without a handler: both ends learn the identity of the other. */
export const HANDSHAKE = "handshake";

type Answer = { readonly value: Message } | { readonly error: NetloomError };

export class SimCall {
  readonly #network: Ways;
  readonly #question: SentQuestion;
  readonly #options: Waiting;
  /** Running handlers: two, if the request was duplicated. */
  readonly #handling = new Set<Scope>();
  #isGone = false;

  constructor(network: Ways, question: SentQuestion, options: Waiting) {
    this.#network = network;
    this.#question = question;
    this.#options = options;
  }

  answer(): Promise<Message> {
    const { from, to, url, method, request } = this.#question;
    const { timeoutMs, scope } = this.#options;
    const { life } = from;
    const what = `call ${url} ${method}`;
    const event = { kind: "hop.call", detail: `${url} ${method}` };
    return life.promise(event, (resolve, reject) => {
      let isOpen = true;
      const finish = (settle: () => string | void): string | void => {
        if (!isOpen) return "too late";
        isOpen = false;
        stopTimer();
        forgetScope();
        forgetLife();
        return settle();
      };
      const fail = (error: NetloomError): string | void => finish(() => reject(error));
      const stopTimer = life.after({ kind: "hop.timeout", detail: event.detail, delayMs: timeoutMs }, () =>
        fail(new NetloomError("DEADLINE_EXCEEDED", `${what}: no answer in ${timeoutMs} ms`)),
      );
      const forgetScope = scopeEnd(scope, () => {
        life.after({ kind: "hop.cancel", detail: event.detail }, () => {
          if (isOpen) this.#leave();
          return fail(new NetloomError("CANCELLED", `${what}: ${scope?.name} has ended`));
        });
      });
      const forgetLife = life.onEnd(() => this.#leave());
      try {
        checkSize(what, request.bytes);
      } catch (error) {
        life.after({ kind: "hop.refuse", detail: event.detail }, () => fail(error as NetloomError));
        return;
      }
      this.#network.send({ from: life.host, to }, `ask ${method} ${digestText(request.bytes)}`, () =>
        this.#arrive((answer) =>
          life.alive
            ? finish(() => ("value" in answer ? resolve(answer.value) : reject(answer.error)))
            : "the caller is dead",
        ),
      );
    });
  }

  /** Tells the other side that the caller has gone away. */
  #leave(): void {
    const { from, to, method } = this.#question;
    this.#network.send({ from: from.life.host, to }, `cancel ${method}`, () => {
      this.#isGone = true;
      for (const scope of this.#handling) endCall(scope, from.life);
    });
  }

  #arrive(onAnswer: (answer: Answer) => string | void): string | void {
    if (this.#isGone) return "the caller has gone";
    const { to, url, method } = this.#question;
    const listener = this.#network.listener(to, url);
    if (!listener) {
      const error = unavailable(this.#question, "nobody serves there");
      this.#network.send(pathBack(this.#question), `refuse ${method}`, () => onAnswer({ error }));
      return "refused";
    }
    this.#handle(listener, onAnswer);
    return undefined;
  }

  #handle(listener: SimListener, onAnswer: (answer: Answer) => string | void): void {
    const { method } = this.#question;
    const { life } = listener.end;
    let scope: Scope | undefined;
    const reply = (answer: Answer, digest: string): void => {
      forget();
      if (!life.alive) return;
      if (scope) {
        this.#handling.delete(scope);
        endCall(scope, life);
      }
      this.#network.send(pathBack(this.#question), `answer ${method} ${digest}`, () => onAnswer(answer));
    };
    const run = async (): Promise<Message> => {
      const incoming = arrive(this.#question, listener, this.#options.timeoutMs);
      scope = incoming.scope;
      this.#handling.add(scope);
      const answer =
        method === HANDSHAKE
          ? { bytes: new Uint8Array(), metadata: {} }
          : await listener.handler.call(incoming);
      checkSize(`answer ${method}`, answer.bytes);
      return copySent(answer);
    };
    // The connection breaks when the process at the other end dies.
    const forget = life.onEnd(() => {
      if (scope) this.#handling.delete(scope);
      const error = unavailable(this.#question, "the other side has died");
      this.#network.send(pathBack(this.#question), `break ${method}`, () => onAnswer({ error }));
    });
    run().then(
      (value) => reply({ value }, digestText(value.bytes)),
      (error: unknown) => {
        const crossing = listener.scope.ended
          ? unavailable(this.#question, "it is closing down")
          : copyError(error, life);
        reply({ error: crossing }, crossing.code);
      },
    );
  }
}
