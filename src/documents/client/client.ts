/** The kind NetworkServiceClient: a workload of this host requests a wire to a service. */
import type { DocumentKind } from "../kind.ts";
import { checkClient } from "./check.ts";
import { ClientController } from "./client-controller.ts";
import { type ClientDocument, clientSchema } from "./schema.ts";
import { type ClientSpec, clientSpec } from "./spec.ts";

export const clientKind: Readonly<DocumentKind<ClientDocument, ClientSpec>> = {
  schema: clientSchema,
  check: checkClient,
  mean: clientSpec,
  control: (spec, tools, life) => new ClientController(spec, tools, life),
};
