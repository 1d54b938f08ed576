import type { MessageInitShape } from "@bufbuild/protobuf";
import type { DNSConfigSchema, PolicyRouteSchema, RouteSchema } from "../api/gen/nsm/connectioncontext_pb.js";

export interface ContextOptions {
  /** For the client's namespace. */
  readonly srcRoutes?: readonly MessageInitShape<typeof RouteSchema>[];
  /** For the endpoint's namespace. */
  readonly dstRoutes?: readonly MessageInitShape<typeof RouteSchema>[];
  readonly policies?: readonly MessageInitShape<typeof PolicyRouteSchema>[];
  readonly dns?: readonly MessageInitShape<typeof DNSConfigSchema>[];
  readonly extra?: Readonly<Record<string, string>>;
  readonly mtuBytes?: number;
  /** Added to the connection's labels. */
  readonly labels?: Readonly<Record<string, string>>;
}
