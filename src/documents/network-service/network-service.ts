/** The kind NetworkService: it describes a service for the whole mesh. */
import type { DocumentKind } from "../kind.ts";
import { checkNetworkService } from "./check.ts";
import { ServiceController } from "./service-controller.ts";
import { type NetworkServiceDocument, networkServiceSchema } from "./schema.ts";
import { type NetworkServiceSpec, networkServiceSpec } from "./spec.ts";

export const networkServiceKind: Readonly<DocumentKind<NetworkServiceDocument, NetworkServiceSpec>> = {
  schema: networkServiceSchema,
  check: checkNetworkService,
  mean: networkServiceSpec,
  control: (spec, { parts }, { onChange }) => new ServiceController({ parts, spec, onChange }),
};
