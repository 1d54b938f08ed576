import { watchOf } from "../async/watch.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Store } from "../world/store.ts";
import { STORE_HOST } from "./faults.ts";
import type { Life } from "./life.ts";
import type { SimNetwork } from "./network.ts";

const TIMEOUT_MS = 1000;

/**
 * The shared store as one life of a host reaches it, over the network. After DEADLINE_EXCEEDED a change may have been
 * made or not. A watch that is cut off ends with UNAVAILABLE.
 */
export function sharedStore(store: Store, network: SimNetwork, life: Life): Store {
  const ask = <T>(detail: string, effect: () => Promise<T>): Promise<T> => {
    const event = { kind: "store", detail };
    return life.promise(event, (resolve, reject) => {
      let isOpen = true;
      const finish = (settle: () => string | void): string | void => {
        if (!isOpen) return "too late";
        isOpen = false;
        stopTimer();
        return settle();
      };
      const stopTimer = life.after({ kind: "store.timeout", detail, delayMs: TIMEOUT_MS }, () =>
        finish(() =>
          reject(new NetloomError("DEADLINE_EXCEEDED", `${detail}: no answer in ${TIMEOUT_MS} ms`)),
        ),
      );
      const answer = (settle: () => string | void): void =>
        network.send({ from: STORE_HOST, to: life.host }, `answer ${detail}`, () =>
          life.alive ? finish(settle) : "the caller is dead",
        );
      network.send({ from: life.host, to: STORE_HOST }, detail, () => {
        effect().then(
          (value) => answer(() => resolve(value)),
          (error: unknown) => answer(() => reject(error)),
        );
      });
    });
  };
  return {
    get: (key) => ask(`get ${key}`, () => store.get(key)),
    list: (prefix) => ask(`list ${prefix}`, () => store.list(prefix)),
    put: (key, value, options) => {
      const copy = value.slice();
      return ask(`put ${key}`, () => store.put(key, copy, options));
    },
    delete: (key, options) => ask(`delete ${key}`, () => store.delete(key, options)),
    keepAlive: (lease) => ask(`keep ${lease} alive`, () => store.keepAlive(lease)),
    watch: (prefix, revision) => {
      life.check("store.watch");
      const watch = store.watch(prefix, revision);
      const forget = life.onEnd(() => watch.close());
      return watchOf({
        take: () =>
          life.deliver(
            { kind: "store.event", detail: prefix, delayMs: 1 },
            watch.take().then((event) => {
              if (!event || !network.isCut({ from: STORE_HOST, to: life.host })) return event;
              watch.close();
              throw new NetloomError("UNAVAILABLE", `watch ${prefix}: the store went away`);
            }),
          ),
        close: () => {
          forget();
          watch.close();
        },
      });
    },
  };
}
