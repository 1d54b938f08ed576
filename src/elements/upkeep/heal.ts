/** Restores a lost connection. Upstream: sdk/pkg/networkservice/common/heal */
import { type Backoff, backoffMs, LONGEST_PAUSE_MS } from "../../async/backoff.ts";
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import type { Alarm } from "../../async/alarm.ts";
import { alarmOf, memoryKey, type Call } from "../../chain/call.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { ConnectionElement } from "../connection.ts";
import { describeLoss, type Loss } from "./next-hop-monitor.ts";

const HEAL_BACKOFF: Readonly<Backoff> = { firstMs: 50, lastMs: LONGEST_PAUSE_MS };
/** A loss within this time after the last healing continues its backoff. */
const CALM_MS = 30_000;

interface Healing {
  readonly alarm: Alarm;
  attempt: number;
  isHealing: boolean;
  /** Time of `Clock.monotonicMs`. */
  healedAtMs: number;
  connection: Connection;
}

const HEALING = memoryKey<Healing>("heal");

export interface HealOptions {
  /** Returns whether packets still get through. While it returns true, the endpoint stays the same. Default: false. */
  readonly isAlive?: ((connection: Connection) => Promise<boolean>) | undefined;
  readonly onHealing?: (connection: Connection, reason: string) => void;
}

/**
 * Guarantees
 * - After a loss the connection is requested again until a request succeeds or the connection is closed: after 50 ms,
 *   then twice as long each time up to 10 s, with jitter. If the connection is lost again soon, the backoff continues.
 * - The first attempt goes along the same path to the same endpoint, so a working wire stays unchanged. All attempts do
 *   so while `isAlive` returns true. Otherwise, and at once if the next hop has closed the connection, the request is
 *   for another endpoint.
 */
export class Healer {
  readonly #options: HealOptions;

  constructor(options: HealOptions = {}) {
    this.#options = options;
  }

  /** Handler of losses for `followNext`. */
  onLoss(call: Call, loss: Loss): void {
    const healing = call.memory.get(HEALING);
    if (healing) this.#heal(call, healing, loss);
    // The loss comes before the answer to the first request.
    else if (!call.world.scope.ended) {
      call.world.scope.spawn("heal what has just come", () =>
        call.trigger.afterwards(() => {
          const begun = call.memory.get(HEALING);
          if (begun) this.#heal(call, begun, loss);
        }),
      );
    }
  }

  #heal(call: Call, healing: Healing, loss: Loss): void {
    if (healing.isHealing) return;
    const { clock } = call.world;
    if (clock.monotonicMs() - healing.healedAtMs > CALM_MS) healing.attempt = 0;
    healing.isHealing = true;
    this.#options.onHealing?.(healing.connection, describeLoss(loss));
    this.#plan(call, healing, loss);
  }

  /** The healer's element of a chain. Comes before any element that finds the next hop. */
  element(): ConnectionElement {
    return {
      name: "heal",
      request: async (call, request, next) => {
        const connection = await next(request);
        const { clock } = call.world;
        const healing = call.memory.get(HEALING);
        if (!healing) {
          const alarm = alarmOf(call);
          const healedAtMs = -Infinity;
          call.memory.set(HEALING, { alarm, attempt: 0, isHealing: false, healedAtMs, connection });
          return connection;
        }
        if (healing.isHealing) healing.healedAtMs = clock.monotonicMs();
        healing.isHealing = false;
        healing.connection = connection;
        healing.alarm.stop();
        return connection;
      },
      // Healing continues through the close that is part of a reselect.
      close: (call, connection, next) => {
        call.memory.get(HEALING)?.alarm.stop();
        return next(connection);
      },
    };
  }

  #plan(call: Call, healing: Healing, loss: Loss): void {
    const { random } = call.world;
    const { id } = healing.connection;
    const fraction = random.fraction(`heal ${id}`, healing.attempt);
    const isFirst = healing.attempt === 0;
    healing.attempt++;
    const delayMs = backoffMs(healing.attempt, fraction, HEAL_BACKOFF);
    healing.alarm.set(`heal connection ${id}`, delayMs, async () => {
      try {
        const reselect = loss.type === "deleted" || (!isFirst && !(await this.#isAlive(call, healing)));
        await call.trigger.request({ why: "heal", reselect });
      } catch (error) {
        if (!(error instanceof NetloomError)) throw error;
        call.log.debug("a heal has failed", { attempt: healing.attempt, error: error.message });
        if (healing.isHealing) this.#plan(call, healing, loss);
      }
    });
  }

  async #isAlive({ trigger }: Call, { connection }: Healing): Promise<boolean> {
    const { isAlive } = this.#options;
    return isAlive ? await trigger.guard("look after the wire", () => isAlive(connection)) : false;
  }
}
