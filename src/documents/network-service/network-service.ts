/** The kind NetworkService: it describes a service for the whole mesh. */
import type { DocumentKind } from "../kind.ts";
import { checkNetworkService } from "./check.ts";
import { ServiceController } from "./service-controller.ts";
import { type NetworkServiceDocument, networkServiceSchema } from "./schema.ts";
import { type NetworkServiceWish, networkServiceWish } from "./wish.ts";

export const networkServiceKind: Readonly<DocumentKind<NetworkServiceDocument, NetworkServiceWish>> = {
  schema: networkServiceSchema,
  check: checkNetworkService,
  mean: networkServiceWish,
  control: (wish, { parts }, { onChange }) => new ServiceController({ parts, wish, onChange }),
};
