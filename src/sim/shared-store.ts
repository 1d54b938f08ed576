import { type Watch, watchOf } from "../async/watch.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Store, StoreEvent } from "../world/store.ts";
import { STORE_HOST } from "./faults.ts";
import type { Life } from "./life.ts";
import type { SimNetwork } from "./network/network.ts";

const TIMEOUT_MS = 1000;

/**
 * The shared store for one life of a host, over the network. After DEADLINE_EXCEEDED a change may or may not have been
 * made. A watch that is cut off ends with UNAVAILABLE.
 */
export function sharedStore(store: Store, network: SimNetwork, life: Life): Store {
  let watches = 0;
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
      return brokenByCuts({ watch: store.watch(prefix, revision), prefix, network, life, number: watches++ });
    },
  };
}

/** A watch over a connection. It breaks up to a second after the hosts are partitioned. */
function brokenByCuts({
  watch,
  prefix,
  network,
  life,
  number,
}: {
  readonly watch: Watch<StoreEvent>;
  readonly prefix: string;
  readonly network: SimNetwork;
  readonly life: Life;
  /** The number of the watch among those that this life has opened. */
  readonly number: number;
}): Watch<StoreEvent> {
  const path = { from: STORE_HOST, to: life.host };
  /** An error that is still to be reported. It is reported once, as by a stream. */
  let untold: NetloomError | undefined;
  let fail: ((error: NetloomError) => void) | undefined;
  const cut = (): void => {
    const error = new NetloomError("UNAVAILABLE", `watch ${prefix}: the store went away`);
    watch.close();
    if (fail) fail(error);
    else untold = error;
  };
  const release = network
    .cutsAfterMs(path, `watch ${number}`)
    .map((delayMs) => life.after({ kind: "store.cut", detail: prefix, delayMs }, cut));
  release.push(life.onEnd(() => watch.close()));
  const take = async (): Promise<StoreEvent | undefined> => {
    const error = untold;
    untold = undefined;
    if (error) throw error;
    try {
      return await new Promise((resolve, reject) => {
        fail = reject;
        watch.take().then((event) => (event && network.isCut(path) ? cut() : resolve(event)), reject);
      });
    } finally {
      fail = undefined;
    }
  };
  return watchOf({
    take: () => life.deliver({ kind: "store.event", detail: prefix, delayMs: 1 }, take()),
    close: () => {
      for (const each of release) each();
      watch.close();
    },
  });
}
