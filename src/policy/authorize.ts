/**
 * May somebody do that? One question, asked of one function, for everything that comes to a process from outside. Elements and
 * services only ask; rules.ts decides.
 */
import type { Path } from "../api/gen/nsm/connection_pb.js";
import { NetloomError, type Topic } from "../errors/errors.ts";
import { type Peer, type Principal, principalText } from "../world/peer.ts";

/** A connection, by the id under which this process knows it. */
interface ConnectionResource {
  readonly kind: "connection";
  readonly id: string;
  readonly service: string;
  /** Who has established it; absent before that. */
  readonly owner?: Principal | undefined;
}

/** What is made in kernels for a path, on all hosts that it passes. */
interface WireResource {
  readonly kind: "wire";
  readonly id: string;
  /** Who has asked for it here; absent if nobody has. */
  readonly owner?: Principal | undefined;
}

/** A way to join the ends of a connection, as its caller proposes it. */
interface MechanismResource {
  readonly kind: "mechanism";
  /** Id of the connection. */
  readonly id: string;
  readonly type: string;
  /** It leads into a host's namespaces, memory or devices. */
  readonly isForHost: boolean;
}

/** All connections that a monitor selects. */
interface SelectionResource {
  readonly kind: "connections";
  readonly services: readonly string[];
  /** Ids of path segments. */
  readonly ids: readonly string[];
}

/** A service or an endpoint of a registry. */
interface EntryResource {
  readonly kind: "service" | "endpoint";
  readonly name: string;
  /** Where it is, if that is said. */
  readonly url: string;
  /** Whose the name is, and where, if the call would change what is registered under it. */
  readonly owner?: Principal | undefined;
  readonly ownerUrl?: string | undefined;
}

/** What keeps the registrations of a host alive. */
interface LeaseResource {
  readonly kind: "lease";
  readonly name: string;
}

/** What a registry is searched for; empty ones match any. */
interface QueryResource {
  readonly kind: "services" | "endpoints" | "registry";
  readonly name: string;
  /** Network services that an endpoint offers. */
  readonly services: readonly string[];
}

/** This host, as its people command it. */
interface HostResource {
  readonly kind: "host";
  readonly name: string;
  /** The call of the admin contract. */
  readonly call: string;
}

/** All that is asked for, and of what. */
interface Asked {
  request: ConnectionResource | WireResource | MechanismResource;
  close: ConnectionResource;
  /** To hear of connections: of a selection when the stream is opened, then of each connection in it. */
  monitor: SelectionResource | ConnectionResource;
  /** To see the tokens in the path of a connection that is heard of. */
  "see-tokens": ConnectionResource;
  register: EntryResource | LeaseResource;
  unregister: EntryResource;
  find: QueryResource;
  /** To look at a host. */
  read: HostResource;
  /** To try something that leaves nothing. */
  operate: HostResource;
  /** To change what the host does, or to see what its workloads say to each other. */
  own: HostResource;
}

export type Action = keyof Asked;

/** What else is known. */
interface Context {
  /** How the call has come, and by which key. */
  readonly peer: Peer;
  /** The way that a message has come, up to this process, with the tokens of its stations. */
  readonly path?: Path | undefined;
}

export type Question = {
  [A in Action]: {
    readonly principal: Principal;
    readonly action: A;
    readonly resource: Asked[A];
    readonly context: Context;
  };
}[Action];

export interface Refusal {
  /** Of the rule that has decided. */
  readonly rule: string;
  /** UNAUTHENTICATED: it may be allowed to who proves more. */
  readonly code: "PERMISSION_DENIED" | "UNAUTHENTICATED";
  /** Goes behind what was attempted: `it belongs to another peer`. Without secrets: the caller reads it. */
  readonly reason: string;
  readonly topic?: Topic | undefined;
  readonly hint?: string | undefined;
}

/** `undefined` if it is allowed. Synchronous: what was decided is done before anything else happens. */
export type Authorize = (question: Question) => Refusal | undefined;

/** A question of `peer`. */
export function question<A extends Action>(peer: Peer, action: A, resource: Asked[A], path?: Path): Question {
  // The compiler does not see that action and resource belong together for each A.
  return { principal: peer.principal, action, resource, context: { peer, path } } as Question;
}

/** Throws the refusal, with what was attempted. */
export function mustAllow(authorize: Authorize, asked: Question): void {
  const refusal = authorize(asked);
  if (!refusal) return;
  const { code, reason, topic, hint } = refusal;
  throw new NetloomError(code, `${attemptOf(asked)}: ${reason}`, {
    ...(topic !== undefined && { topic }),
    ...(hint !== undefined && { hint }),
  });
}

function attemptOf({ action, resource, principal }: Question): string {
  switch (resource.kind) {
    case "mechanism":
      return `${action} connection ${resource.id}`;
    case "connection":
    case "wire":
      return `${action} ${resource.kind} ${resource.id}`;
    case "connections":
      return `${action} connections`;
    case "service":
    case "endpoint":
      return `${action} ${resource.kind} ${resource.name} of ${placeOf(principal, resource.url)}`;
    case "lease":
      return `keep lease ${resource.name} alive`;
    case "services":
    case "endpoints":
    case "registry":
      return `${action} ${resource.kind} ${resource.name}`.trimEnd();
    case "host":
    default:
      return `${resource.call} at host ${resource.name}`;
  }
}

/** Somebody, and the URL under which something of his is reached. */
export function placeOf(principal: Principal, url: string): string {
  return url === "" ? principalText(principal) : `${principalText(principal)} (${url})`;
}
