/**
 * The context that an endpoint gives all its clients, except addresses. Upstream:
 * sdk/pkg/networkservice/connectioncontext (dnscontext, ipcontext/routes), common/policyroute, common/setextracontext
 */
import { copyMessage } from "../../api/copy-message.ts";
import {
  create,
  type DescMessage,
  equals,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  DNSConfigSchema,
  DNSContextSchema,
  PolicyRouteSchema,
  RouteSchema,
} from "../../api/gen/nsm/connectioncontext_pb.js";
import { memoryKey } from "../../chain/call.ts";
import { type ConnectionElement, connectionOf, contextOf, ipContextOf } from "../connection.ts";
import { smallerMtu } from "../../mechanisms/parameters.ts";

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

interface Given {
  readonly options: ContextOptions;
  /** The MTU without this endpoint's own setting. */
  readonly askedMtu: number;
  readonly mtu: number;
}

const GIVEN = memoryKey<Given>("endpoint-context: given");

/**
 * Guarantees
 * - Every answer has the entries that `options` returns at the time of the request, each once. Entries that `options`
 *   no longer returns are removed.
 * - Entries of the client stay. `client-request`, earlier in the chain, has dropped the forbidden ones.
 */
export function endpointContext(options: () => ContextOptions): ConnectionElement {
  return {
    name: "endpoint-context",
    async request(call, request, next) {
      const connection = connectionOf(request);
      const given = call.memory.get(GIVEN);
      const [before, now] = [given?.options ?? {}, options()];
      const context = contextOf(connection);
      // A client sends back the MTU of the last answer. That MTU does not count as requested.
      const askedMtu = given && context.MTU === given.mtu ? given.askedMtu : context.MTU;
      context.MTU = smallerMtu(askedMtu, now.mtuBytes ?? 0);
      call.memory.set(GIVEN, { options: now, askedMtu, mtu: context.MTU });
      const ip = ipContextOf(connection);
      ip.srcRoutes = replace(RouteSchema, ip.srcRoutes, before.srcRoutes, now.srcRoutes);
      ip.dstRoutes = replace(RouteSchema, ip.dstRoutes, before.dstRoutes, now.dstRoutes);
      ip.policies = replace(PolicyRouteSchema, ip.policies, before.policies, now.policies);
      if (now.dns || before.dns) {
        const dns = (context.dnsContext ??= create(DNSContextSchema));
        dns.configs = replace(DNSConfigSchema, dns.configs, before.dns, now.dns);
      }
      replacePairs(context.extraContext, before.extra, now.extra);
      replacePairs(connection.labels, before.labels, now.labels);
      return await next(request);
    },
  };
}

function replace<D extends DescMessage>(
  schema: D,
  list: readonly MessageShape<D>[],
  before: readonly MessageInitShape<D>[] = [],
  now: readonly MessageInitShape<D>[] = [],
): MessageShape<D>[] {
  const given = now.map((each) => copyMessage(create(schema, each)));
  const old = [...before.map((each) => create(schema, each)), ...given];
  return [...list.filter((each) => !old.some((other) => equals(schema, each, other))), ...given];
}

function replacePairs(
  pairs: Record<string, string>,
  before: Readonly<Record<string, string>> = {},
  now: Readonly<Record<string, string>> = {},
): void {
  for (const key of Object.keys(before)) if (!Object.hasOwn(now, key)) delete pairs[key];
  Object.assign(pairs, now);
}
