import type { Address } from "../../kernel/kernel.ts";
import { familyOf } from "../../net/ip.ts";
import { decodeAddress, deleteAddress, dumpAddresses, newAddress } from "../netlink/address.ts";
import type { LinuxObjectKind, Target } from "../object-kind.ts";
import { plainObject } from "../batch/plain-object.ts";
import { indexesOf } from "../batch/view.ts";

const addRequest = (object: Address, target: Target): Uint8Array => newAddress({ ...object, ...target });

export const address: LinuxObjectKind<Address> = plainObject<Address>({
  addRequest,
  removeRequest: (object, target) => deleteAddress({ ...object, ...target }),
  restore: addRequest,
  // With its last IPv4 address a device loses its neighbours and routes.
  async before(tools, _job, { object, place, link }) {
    if (link && familyOf(object.address) === 4) await tools.restoreLater(place, link);
  },
  adding({ readiness }, { object, place, target }) {
    readiness.expectAddress(place, target.linkIndex, object.address);
    return {};
  },
  observe({ mark }, view) {
    const found = indexesOf(view).flatMap((index) =>
      view.place.socket.dump(dumpAddresses(index), decodeAddress),
    );
    return found.flatMap(({ linkIndex, protocol, ...rest }): Address[] => {
      const link = view.byIndex.get(linkIndex);
      if (!link || protocol !== mark.protocol) return [];
      return [{ kind: "address", netns: view.netns, link: link.name, ...rest }];
    });
  },
});
