/** For tests of `diff`: the habits of Linux that an order of operations has to respect, each as an assertion. */
import assert from "node:assert/strict";
import type { Address, KernelObject, Operation, Program } from "../kernel/kernel.ts";
import { carrierKey, linkKey } from "../kernel/link.ts";
import { type Device, contentOf, identityOf, isDevice, linkKeys, linksOf } from "../kernel/objects.ts";
import { connectedRoute, subnetOf } from "../kernel/objects/address.ts";
import { tunnelKey } from "../kernel/objects/vxlan.ts";
import { familyOf } from "../net/ip.ts";

export class ModelKernel {
  /** By identity, in the order of their making. */
  readonly #objects = new Map<string, KernelObject>();

  /** What bears a mark: settings do not. */
  observe(): KernelObject[] {
    return [...this.#objects.values()].filter(({ kind }) => kind !== "sysctl");
  }

  everything(): KernelObject[] {
    return [...this.#objects.values()];
  }

  apply({ verb, object, ...rest }: Operation): void {
    if (verb === "remove") {
      this.#remove(object);
      return;
    }
    this.#refersToWhatIsThere(object);
    const before = this.#objects.get(identityOf(object));
    if (verb === "change") {
      assert.ok(before, `change of what is not there: ${contentOf(object)}`);
      assert.ok("from" in rest);
      assert.equal(contentOf(rest.from), contentOf(before));
    } else {
      assert.ok(!before || object.kind === "sysctl", `added twice: ${contentOf(object)}`);
      this.#hasRoom(object);
    }
    this.#objects.set(identityOf(object), object);
  }

  #devices(): Device[] {
    return this.everything().filter(isDevice);
  }

  #links(): Set<string> {
    return new Set(this.#devices().flatMap(linkKeys));
  }

  #refersToWhatIsThere(object: KernelObject): void {
    const links = this.#links();
    if (isDevice(object)) return;
    const [carrier] = linksOf(object);
    if (carrier !== undefined) assert.ok(links.has(carrier), `no link for ${contentOf(object)}`);
    if (object.kind === "program" && object.target !== undefined) {
      assert.ok(links.has(targetOf(object)), `no target for ${contentOf(object)}`);
    }
    if (object.kind === "route") {
      const up = identityOf({ kind: "up", netns: object.netns, link: object.link });
      assert.ok(this.#objects.has(up), `link is down for ${contentOf(object)}`);
    }
  }

  #hasRoom(object: KernelObject): void {
    if (isDevice(object)) {
      const links = this.#links();
      for (const key of linkKeys(object)) assert.ok(!links.has(key), `name taken: ${key}`);
      const tunnels = this.#devices().flatMap((each) => (each.kind === "vxlan" ? [tunnelKey(each)] : []));
      if (object.kind === "vxlan") assert.ok(!tunnels.includes(tunnelKey(object)), "VNI taken");
    }
    if (object.kind === "address" && familyOf(object.address) === 6) {
      const same = this.#addresses().filter((each) => subnetOf(each) === subnetOf(object));
      assert.equal(same.length, 0, `the same IPv6 address: ${contentOf(object)}`);
    }
    if (object.kind === "route" && object.table === undefined && familyOf(object.destination) === 4) {
      const connected = this.#addresses().map((each) => `${each.netns} ${connectedRoute(each) ?? ""}`);
      assert.ok(!connected.includes(`${object.netns} ${object.destination}`), "a connected route is there");
    }
  }

  #addresses(): Address[] {
    return this.everything().filter((object): object is Address => object.kind === "address");
  }

  #remove(object: KernelObject): void {
    const before = this.#objects.get(identityOf(object));
    if (!before) return;
    this.#objects.delete(identityOf(object));
    if (isDevice(object)) {
      const keys = linkKeys(object);
      this.#forget((each) => !isDevice(each) && linksOf(each).some((key) => keys.includes(key)));
      this.#loseTargets(keys);
    } else if (object.kind === "address" && familyOf(object.address) === 4) {
      this.#losePrimary(object);
    }
  }

  /** A program leads to a device, not to a name. */
  #loseTargets(links: readonly string[]): void {
    for (const [identity, object] of this.#objects) {
      if (object.kind !== "program" || !links.includes(targetOf(object))) continue;
      const { kind, netns, link, verdict } = object;
      this.#objects.set(identity, { kind, netns, link, verdict });
    }
  }

  /** Without promote_secondaries the rest of the subnet goes; without any IPv4 address all of IPv4 goes. */
  #losePrimary(gone: Address): void {
    this.#forget((each) => each.kind === "address" && subnetOf(each) === subnetOf(gone));
    const carrier = carrierKey(gone);
    const left = this.#addresses().filter(
      (each) => carrierKey(each) === carrier && familyOf(each.address) === 4,
    );
    if (left.length > 0) return;
    this.#forget(
      (each) =>
        !isDevice(each) &&
        linksOf(each).includes(carrier) &&
        ((each.kind === "route" && familyOf(each.destination) === 4) ||
          (each.kind === "neighbor" && familyOf(each.address) === 4)),
    );
  }

  #forget(isGone: (object: KernelObject) => boolean): void {
    for (const [identity, object] of this.#objects) if (isGone(object)) this.#objects.delete(identity);
  }

  /** Programs that hand over to a link that is not there. */
  danglingPrograms(): Program[] {
    return this.everything().filter(
      (object): object is Program =>
        object.kind === "program" && object.verdict !== "pass" && object.target === undefined,
    );
  }
}

/** The link that it hands over to. */
function targetOf({ netns, target = "" }: Program): string {
  return linkKey(netns, target);
}
