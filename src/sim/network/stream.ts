/**
 * A stream of answers over the simulated network. Messages of one direction arrive in order. A lost message, a partition or
 * the death of a process breaks the stream for both sides, each at its own time. The receiver hands out credit, so that a
 * slow receiver blocks the sender instead of filling its memory.
 */
import type { NetloomError } from "../../errors/errors.ts";
import { type Watch, watchOf } from "../../async/watch.ts";
import { digestText } from "../hash.ts";
import type { Life, LifeEvent } from "../life.ts";
import type { Path, Ways } from "./end.ts";
import {
  checkSize,
  copyError,
  endCall,
  type SimListener,
  pathBack,
  type SentQuestion,
  unavailable,
} from "./end.ts";
import { arrive } from "./handshake.ts";

/** The most answers that may be in transit or wait for the receiver. */
const WINDOW = 16;

/** The time for which a sender waits for an acknowledgement before it gives up the connection. */
const GIVE_UP_MS = 1000;

type End = { readonly error?: NetloomError };

export function openStream(network: Ways, question: SentQuestion): Watch<Uint8Array> {
  const client = new ClientStream(network, question);
  const event = { kind: "hop.watch", detail: `${question.url} ${question.method}` };
  return watchOf({
    take: () => client.next(event),
    close: () => client.close(),
  });
}

/** One direction: `receive` gets the messages in the order of sending, whatever the order of arrival. */
class OrderedWay<M> {
  readonly #network: Ways;
  readonly #path: Path;
  readonly #receive: (message: M) => string | void;
  readonly #onLost: () => void;
  readonly #early = new Map<number, M>();
  #sent = 0;
  #received = 0;

  constructor(
    network: Ways,
    path: Path,
    options: { readonly receive: (message: M) => string | void; readonly onLost: () => void },
  ) {
    this.#network = network;
    this.#path = path;
    this.#receive = options.receive;
    this.#onLost = options.onLost;
  }

  send(detail: string, message: M): void {
    const number = this.#sent++;
    this.#network.send(
      this.#path,
      detail,
      () => {
        if (number < this.#received || this.#early.has(number)) return "a copy";
        this.#early.set(number, message);
        return this.#handOver();
      },
      this.#onLost,
    );
  }

  #handOver(): string | void {
    let outcome: string | void = "out of order";
    for (let next = this.#early.get(this.#received); next !== undefined;) {
      this.#early.delete(this.#received++);
      outcome = this.#receive(next);
      next = this.#early.get(this.#received);
    }
    return outcome;
  }
}

type Up = { readonly type: "open" } | { readonly type: "credit" } | { readonly type: "close" };
type Down = { readonly type: "item"; readonly bytes: Uint8Array } | ({ readonly type: "end" } & End);

class ClientStream {
  readonly #question: SentQuestion;
  readonly #up: OrderedWay<Up>;
  readonly #items: Uint8Array[] = [];
  readonly #release: (() => void)[] = [];
  #waiting:
    | { readonly resolve: (item: Uint8Array | undefined) => void; readonly reject: (error: unknown) => void }
    | undefined;
  #end: End | undefined;
  #taken = 0;

  constructor(network: Ways, question: SentQuestion) {
    const { from, to } = question;
    this.#question = question;
    const path = { from: from.life.host, to };
    const onLost = (): void => {
      breakLater();
      server.breakLater();
    };
    const breakLater = (): void => {
      this.#later({ kind: "hop.break", delayMs: GIVE_UP_MS }, "the connection broke");
    };
    const down = new OrderedWay<Down>(network, pathBack(question), {
      receive: (message) => this.#receive(message),
      onLost,
    });
    const server = new ServerStream(network, question, down);
    this.#up = new OrderedWay<Up>(network, path, { receive: (message) => server.receive(message), onLost });
    for (const delayMs of network.cutsAfterMs(path, question.line.connection)) {
      this.#later({ kind: "hop.cut", delayMs }, "the hosts are parted");
    }
    this.#release.push(from.life.onEnd(() => this.#up.send(`break ${question.method}`, { type: "close" })));
    try {
      checkSize(`watch ${question.url} ${question.method}`, question.request.bytes);
      this.#up.send(`open ${question.method} ${digestText(question.request.bytes)}`, { type: "open" });
    } catch (error) {
      this.#finish({ error: error as NetloomError });
    }
  }

  next(event: LifeEvent): Promise<Uint8Array | undefined> {
    const { life } = this.#question.from;
    const item = this.#items.shift();
    if (item) {
      this.#taken += 1;
      if (this.#taken % (WINDOW / 2) === 0 && !this.#end) this.#up.send("credit", { type: "credit" });
      return life.call(event, () => item);
    }
    const end = this.#end;
    if (end) {
      // An error is reported once, as by a stream of gRPC.
      this.#end = {};
      return life.call(event, () => {
        if (end.error) throw end.error;
        return undefined;
      });
    }
    return life.promise(event, (resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  close(): void {
    this.#items.length = 0;
    if (!this.#end) this.#up.send(`close ${this.#question.method}`, { type: "close" });
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#finish({});
    this.#end = {};
    if (waiting) this.#question.from.life.after({ kind: "hop.closed" }, () => waiting.resolve(undefined));
  }

  #receive(message: Down): string | void {
    if (!this.#question.from.life.alive) return "the caller is dead";
    if (this.#end) return "too late";
    if (message.type === "end") return this.#finish(message);
    const waiting = this.#waiting;
    if (!waiting) {
      this.#items.push(message.bytes);
      return "queued";
    }
    this.#waiting = undefined;
    this.#taken += 1;
    if (this.#taken % (WINDOW / 2) === 0) this.#up.send("credit", { type: "credit" });
    waiting.resolve(message.bytes);
    return undefined;
  }

  #later(event: LifeEvent, why: string): void {
    const { from, method } = this.#question;
    if (!from.life.alive) return;
    this.#release.push(
      from.life.after({ ...event, detail: method }, () =>
        this.#end ? "too late" : this.#finish({ error: unavailable(this.#question, why) }),
      ),
    );
  }

  #finish(end: End): string | void {
    if (this.#end) return "too late";
    this.#end = end;
    for (const release of this.#release.splice(0)) release();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (!waiting) return undefined;
    this.#end = {};
    if (end.error) {
      waiting.reject(end.error);
      return end.error.code;
    }
    waiting.resolve(undefined);
    return undefined;
  }
}

class ServerStream {
  readonly #network: Ways;
  readonly #question: SentQuestion;
  readonly #down: OrderedWay<Down>;
  #listener: SimListener | undefined;
  #leave: (() => void) | undefined;
  #credit = WINDOW;
  #onCredit: (() => void) | undefined;

  constructor(network: Ways, question: SentQuestion, down: OrderedWay<Down>) {
    this.#network = network;
    this.#question = question;
    this.#down = down;
  }

  receive(message: Up): string | void {
    if (message.type === "open") return this.#open();
    if (message.type === "close") {
      this.#leave?.();
      return undefined;
    }
    this.#credit += WINDOW / 2;
    this.#onCredit?.();
    return undefined;
  }

  /** The server notices the broken connection, too. */
  breakLater(): void {
    const life = this.#listener?.end.life;
    if (life?.alive && this.#leave) {
      life.after({ kind: "hop.break", detail: this.#question.method, delayMs: GIVE_UP_MS }, () =>
        this.#leave?.(),
      );
    }
  }

  #open(): string | void {
    const { to, url, method } = this.#question;
    const listener = this.#network.listener(to, url);
    if (!listener) {
      this.#down.send(`refuse ${method}`, {
        type: "end",
        error: unavailable(this.#question, "nobody serves there"),
      });
      return "refused";
    }
    this.#listener = listener;
    const { life } = listener.end;
    const release: (() => void)[] = [];
    const finish = (): boolean => {
      if (!this.#leave) return false;
      this.#leave = undefined;
      for (const each of release) each();
      return true;
    };
    const fail = (error: unknown): void => {
      const crossing = listener.scope.ended
        ? unavailable(this.#question, "it is closing down")
        : copyError(error, life);
      this.#down.send(`end ${method} ${crossing.code}`, { type: "end", error: crossing });
    };
    try {
      const incoming = arrive(this.#question, listener, undefined);
      const answers = listener.handler.watch(incoming);
      const close = (): void => {
        answers.close();
        endCall(incoming.scope, life);
      };
      this.#leave = () => {
        if (finish()) close();
        this.#onCredit?.();
      };
      release.push(
        incoming.scope.onEnd(() => {
          if (!finish()) return;
          answers.close();
          fail(unavailable(this.#question, "it is closing down"));
        }),
        life.onEnd(() => {
          finish();
          const error = unavailable(this.#question, "the other side has died");
          this.#down.send(`break ${method}`, { type: "end", error });
        }),
      );
      for (const delayMs of this.#network.cutsAfterMs(
        pathBack(this.#question),
        this.#question.line.connection,
      )) {
        release.push(life.after({ kind: "hop.cut", detail: method, delayMs }, () => this.#leave?.()));
      }
      this.#pump(answers, life).then(
        () => {
          if (!finish()) return;
          this.#down.send(`end ${method}`, { type: "end" });
          endCall(incoming.scope, life);
        },
        (error: unknown) => {
          if (!finish()) return;
          fail(error);
          close();
        },
      );
    } catch (error) {
      fail(error);
    }
    return undefined;
  }

  /** Pulls each answer in a separate event, so that a recording has the pull in its place. */
  async #pump(answers: Watch<Uint8Array>, life: Life): Promise<void> {
    const { method } = this.#question;
    while (this.#leave) {
      if (this.#credit === 0) {
        await new Promise<void>((resolve) => (this.#onCredit = resolve));
        continue;
      }
      await life.call({ kind: "hop.pull", detail: method }, () => undefined);
      if (!this.#leave) return;
      const bytes = await answers.take();
      if (bytes === undefined || !this.#leave) return;
      checkSize(`answer ${method}`, bytes);
      this.#credit -= 1;
      this.#down.send(`item ${method} ${digestText(bytes)}`, { type: "item", bytes: bytes.slice() });
    }
  }
}
