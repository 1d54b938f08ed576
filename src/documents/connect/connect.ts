/** A workload of this host wants a wire to a service. */
import type { DocumentKind } from "../kind.ts";
import { checkConnect } from "./check.ts";
import { Connecting } from "./connecting.ts";
import { type ConnectDocument, connectSchema } from "./schema.ts";
import { type ConnectWish, connectWish } from "./wish.ts";

export const connectKind: Readonly<DocumentKind<ConnectDocument, ConnectWish>> = {
  schema: connectSchema,
  check: checkConnect,
  mean: connectWish,
  control: (wish, tools, life) => new Connecting(wish, tools, life),
};
