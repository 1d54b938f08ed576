/** Kinds of objects on a device that no simulated packet depends on. They are stored, and removed with their device. */
import { type AttachedObject, identityOf } from "../../kernel/objects.ts";
import type { OnLink } from "../../kernel/link.ts";
import { simDeviceOf } from "./links.ts";
import { devicesOf, type SimObjectKind } from "./object-kind.ts";
import { Refused } from "./state.ts";

/** `word` names the object in error messages: `qdisc`. */
export function keptObject<T extends AttachedObject & OnLink>(
  kind: T["kind"],
  word: string,
): SimObjectKind<T> {
  return {
    add(actor, object) {
      const device = simDeviceOf(actor.find(object.netns), object.link);
      const key = identityOf(object);
      if (device.kept.has(key)) throw new Refused("EEXIST", `the device has such a ${word}`);
      device.kept.set(key, { object, protocol: actor.mark.protocol });
      return () => device.kept.delete(key);
    },
    remove(actor, object) {
      const device = actor.find(object.netns).devices.get(object.link);
      const key = identityOf(object);
      const kept = device?.kept.get(key);
      if (!device || kept?.protocol !== actor.mark.protocol) return undefined;
      device.kept.delete(key);
      return () => {
        if (!device.isDoomed) device.kept.set(key, kept);
      };
    },
    observe: ({ mark }, view) =>
      devicesOf(view).flatMap(({ name: link, kept }) =>
        [...kept.values()].flatMap(({ object, protocol }) =>
          object.kind === kind && protocol === mark.protocol
            ? [{ ...(object as T), netns: view.name, link }]
            : [],
        ),
      ),
  };
}
