import type { Route } from "../../kernel/kernel.ts";
import { deleteRoute, newRoute, replaceRoute } from "../netlink/route.ts";
import type { LinuxObjectKind, Target } from "../object-kind.ts";
import { plainObject } from "../batch/plain-object.ts";
import { routesOf } from "../batch/view.ts";

const addRequest = (object: Route, target: Target): Uint8Array => newRoute({ ...object, ...target });

export const route: LinuxObjectKind<Route> = plainObject<Route>({
  addRequest,
  removeRequest: (object, target) => deleteRoute({ ...object, ...target }),
  replaceRequest: (object, target) => replaceRoute({ ...object, ...target }),
  restore: addRequest,
  observe: (context, view) =>
    routesOf(context, view).flatMap(
      ({ linkIndex = 0, protocol, type: _type, isCloned: _isCloned, ...rest }): Route[] => {
        const link = view.byIndex.get(linkIndex);
        if (!link || protocol !== context.mark.protocol) return [];
        return [{ kind: "route", netns: view.netns, link: link.name, ...rest }];
      },
    ),
});
