/**
 * The network between simulated hosts. A message is bytes; it takes its time, and may be lost, come twice or come late,
 * as the fault plan says. A call is two messages, so its answer can be lost after the work was done.
 */
import { NetloomError } from "../world/errors.ts";
import type { Handler, Hop, Hops } from "../world/world.ts";
import { scopeEnd } from "./clock.ts";
import type { FaultPlan } from "./faults.ts";
import { digestText } from "./hash.ts";
import type { Life } from "./life.ts";
import { SimRandom, between } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

interface Server {
  readonly life: Life;
  readonly handler: Handler;
}

type Answer = { readonly value: Uint8Array } | { readonly error: NetloomError };

export class SimNetwork {
  readonly #scheduler: Scheduler;
  readonly #faults: FaultPlan;
  readonly #random: SimRandom;
  readonly #servers = new Map<string, Server>();
  /** The host that served an address last: where its messages go, also while nobody is there. */
  readonly #homes = new Map<string, string>();
  readonly #sent = new Map<string, number>();

  constructor(scheduler: Scheduler, faults: FaultPlan) {
    this.#scheduler = scheduler;
    this.#faults = faults;
    this.#random = new SimRandom(scheduler.seed, "network");
  }

  /** The network as one life of a host reaches it. */
  hops(life: Life): Hops {
    return {
      dial: (address) => this.#dial(life, address),
      serve: (address, handler) => this.#serve(life, address, handler),
    };
  }

  /**
   * Sends one message, whose sender may die meanwhile. `deliver` runs when it arrives, at most twice, and returns how
   * that ended.
   */
  send(
    path: { readonly from: string; readonly to: string },
    detail: string,
    deliver: () => string | void,
  ): void {
    const { from, to } = path;
    const way = `${from}>${to}`;
    const n = this.#sent.get(way) ?? 0;
    this.#sent.set(way, n + 1);
    const label = `#${n} from ${from}: ${detail}`;
    const faults = this.#faults.messages(from, to, n);
    if (this.isCut(path) || faults.some(({ how }) => how === "lose")) {
      this.#scheduler.note(from, `network.lose #${n} to ${to}: ${detail}`);
      return;
    }
    const latencyMs = between(this.#random, way, n, 100, from === to ? 200 : 5000) / 1000;
    const late = faults.find(({ how }) => how === "delay")?.delayMs ?? 0;
    const arrive = (delayMs: number): void => {
      this.#scheduler.after(delayMs, { host: to, kind: "network.deliver", detail: label }, () =>
        this.isCut(path) ? "lost" : deliver(),
      );
    };
    arrive(latencyMs + late);
    const copy = faults.find(({ how }) => how === "duplicate");
    if (copy) arrive(latencyMs + copy.delayMs);
  }

  isCut({ from, to }: { readonly from: string; readonly to: string }): boolean {
    return this.#faults.isPartitioned(from, to, this.#scheduler.nowMs);
  }

  #serve(life: Life, address: string, handler: Handler): () => void {
    life.check("hops.serve");
    if (this.#servers.has(address)) {
      throw new NetloomError("ALREADY_EXISTS", `serve ${address}: somebody serves there`);
    }
    const server: Server = { life, handler };
    this.#servers.set(address, server);
    this.#homes.set(address, life.host);
    const stop = (): void => {
      forget();
      if (this.#servers.get(address) === server) this.#servers.delete(address);
    };
    const forget = life.onEnd(stop);
    return stop;
  }

  #dial(life: Life, address: string): Hop {
    life.check("hops.dial");
    return {
      call: (method, request, { timeoutMs, scope }) => {
        const what = `call ${address} ${method}`;
        const event = { kind: "hop.call", detail: `${address} ${method}` };
        return life.promise(event, (resolve, reject) => {
          let isOpen = true;
          const finish = (settle: () => string | void): string | void => {
            if (!isOpen) return "too late";
            isOpen = false;
            stopTimer();
            forget();
            return settle();
          };
          const giveUp = (code: "DEADLINE_EXCEEDED" | "CANCELLED", why: string): string | void =>
            finish(() => reject(new NetloomError(code, `${what}: ${why}`)));
          const stopTimer = life.after(
            { kind: "hop.timeout", detail: event.detail, delayMs: timeoutMs },
            () => giveUp("DEADLINE_EXCEEDED", `no answer in ${timeoutMs} ms`),
          );
          const forget = scopeEnd(scope, () => {
            life.after({ kind: "hop.cancel", detail: event.detail }, () =>
              giveUp("CANCELLED", `${scope?.name} has ended`),
            );
          });
          this.#ask({ life, address, method, request: request.slice() }, (answer) =>
            life.alive
              ? finish(() => ("value" in answer ? resolve(answer.value) : reject(answer.error)))
              : "the caller is dead",
          );
        });
      },
    };
  }

  #ask(
    call: {
      readonly life: Life;
      readonly address: string;
      readonly method: string;
      readonly request: Uint8Array;
    },
    onAnswer: (answer: Answer) => string | void,
  ): void {
    const { life, address, method, request } = call;
    const to = this.#homes.get(address) ?? address;
    const back = { from: to, to: life.host };
    this.send({ from: life.host, to }, `ask ${method} ${digestText(request)}`, () => {
      const server = this.#servers.get(address);
      if (!server) {
        const error = new NetloomError("UNAVAILABLE", `call ${address} ${method}: nobody serves there`);
        this.send(back, `refuse ${method}`, () => onAnswer({ error }));
        return "refused";
      }
      const reply = (answer: Answer, digest: string): void => {
        if (server.life.alive) this.send(back, `answer ${method} ${digest}`, () => onAnswer(answer));
      };
      Promise.resolve(request.slice())
        .then((copy) => server.handler(method, copy))
        .then(
          (value) => reply({ value: value.slice() }, digestText(value)),
          (error: unknown) => {
            const code = server.life.codeOf(error);
            if (error instanceof NetloomError) reply({ error: copyError(error) }, code);
          },
        );
      return undefined;
    });
  }
}

/** What of an error crosses the network. */
function copyError(error: NetloomError): NetloomError {
  return new NetloomError(error.code, error.message, error.hint === undefined ? {} : { hint: error.hint });
}
