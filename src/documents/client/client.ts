/** The kind NetworkServiceClient: a workload of this host wants a wire to a service. */
import type { DocumentKind } from "../kind.ts";
import { checkClient } from "./check.ts";
import { ClientController } from "./client-controller.ts";
import { type ClientDocument, clientSchema } from "./schema.ts";
import { type ClientWish, clientWish } from "./wish.ts";

export const clientKind: Readonly<DocumentKind<ClientDocument, ClientWish>> = {
  schema: clientSchema,
  check: checkClient,
  mean: clientWish,
  control: (wish, tools, life) => new ClientController(wish, tools, life),
};
