/**
 * The step from one set of addresses to another. Two habits of Linux make it a step of its own: the first IPv4 address
 * of a subnet takes the others along when it is removed, and the last IPv4 address of a link takes all IPv4 routes and
 * neighbours of the link along. An IPv6 address cannot be added again with another prefix length or peer.
 */
import type { Address, Operation } from "../kernel/kernel.ts";
import { carrierOf, contentOf, familyOf, subnetOf } from "./identity.ts";

export interface AddressSteps {
  readonly operations: Operation[];
  /** Links that had IPv4 addresses, and for a moment had none. */
  readonly flushed: ReadonlySet<string>;
}

/** New addresses come before old ones go, but in a subnet that loses one: there all go, then all come. */
export function addressSteps(wanted: readonly Address[], observed: readonly Address[]): AddressSteps {
  const wantedTexts = new Set(wanted.map(contentOf));
  const observedTexts = new Set(observed.map(contentOf));
  const losing = new Set(observed.filter((address) => !wantedTexts.has(contentOf(address))).map(subnetOf));
  const isLosing = (address: Address): boolean => losing.has(subnetOf(address));

  const first = wanted.filter((address) => !observedTexts.has(contentOf(address)) && !isLosing(address));
  const gone = observed.filter(isLosing).reverse();
  const last = wanted.filter(isLosing);
  return {
    operations: [
      ...first.map((object): Operation => ({ verb: "add", object })),
      ...gone.map((object): Operation => ({ verb: "remove", object })),
      ...last.map((object): Operation => ({ verb: "add", object })),
    ],
    flushed: flushedLinks({ observed, first, gone }),
  };
}

function flushedLinks(steps: Record<"observed" | "first" | "gone", readonly Address[]>): Set<string> {
  const links = (addresses: readonly Address[]): Set<string> =>
    new Set(addresses.filter(({ address }) => familyOf(address) === 4).map((each) => carrierOf(each) ?? ""));
  const removed = new Set(steps.gone);
  const left = links([...steps.observed.filter((address) => !removed.has(address)), ...steps.first]);
  return new Set([...links(steps.gone)].filter((link) => !left.has(link)));
}
