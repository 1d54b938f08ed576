import type { Route } from "../../kernel/kernel.ts";
import * as k from "../netlink/constants.ts";
import { decodeRoute, deleteRoute, dumpRoutes, newRoute, replaceRoute } from "../netlink/route.ts";
import type { LinuxObjectKind, Target } from "../object-kind.ts";
import { plainObject } from "../batch/plain-object.ts";
import { indexesOf } from "../batch/view.ts";

const addRequest = (object: Route, target: Target): Uint8Array => newRoute({ ...object, ...target });

export const route: LinuxObjectKind<Route> = plainObject<Route>({
  addRequest,
  removeRequest: (object, target) => deleteRoute({ ...object, ...target }),
  replaceRequest: (object, target) => replaceRoute({ ...object, ...target }),
  restore: addRequest,
  observe({ mark: { protocol } }, view) {
    const found = indexesOf(view).flatMap((index) =>
      ([4, 6] as const).flatMap((family) => {
        const request = dumpRoutes({ family, protocol, ...(index !== undefined && { linkIndex: index }) });
        return view.place.socket.dump(request, decodeRoute);
      }),
    );
    return found.flatMap(({ linkIndex = 0, protocol: owner, type, isCloned, ...rest }): Route[] => {
      const link = view.byIndex.get(linkIndex);
      if (!link || owner !== protocol || type !== k.RTN_UNICAST || isCloned) return [];
      return [{ kind: "route", netns: view.netns, link: link.name, ...rest }];
    });
  },
});
