/**
 * Authorization of everything that comes to a process from outside: one question, answered by one function. Elements and services
 * only ask; rules.ts decides.
 */
import type { Path } from "../api/gen/nsm/connection_pb.js";
import { NetloomError, type Topic } from "../errors/errors.ts";
import { type Peer, type Principal, principalText } from "../world/peer.ts";

/** A connection, by the id under which this process knows it. */
interface ConnectionResource {
  readonly kind: "connection";
  readonly id: string;
  readonly service: string;
  /** The peer that established it; absent before that. */
  readonly owner?: Principal | undefined;
}

/** All kernel objects made for one path, on all its hosts. */
interface WireResource {
  readonly kind: "wire";
  readonly id: string;
  /** The peer that asked for it here; absent if none did. */
  readonly owner?: Principal | undefined;
}

/** A mechanism for the ends of a connection, as its caller proposes it. */
interface MechanismResource {
  readonly kind: "mechanism";
  /** Id of the connection. */
  readonly id: string;
  readonly type: string;
  /** The mechanism leads into a host's namespaces, memory or devices. */
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
  /** The URL of the entry, or empty. */
  readonly url: string;
  /** The owner of the name, and the owner's URL, if the call would change the registered entry. */
  readonly owner?: Principal | undefined;
  readonly ownerUrl?: string | undefined;
}

/** A lease, which keeps the registrations of a host alive. */
interface LeaseResource {
  readonly kind: "lease";
  readonly name: string;
}

/** A search in a registry; an empty field matches everything. */
interface QueryResource {
  readonly kind: "services" | "endpoints" | "registry";
  readonly name: string;
  /** Network services that an endpoint offers. */
  readonly services: readonly string[];
}

/** This host, as the target of commands. */
interface HostResource {
  readonly kind: "host";
  readonly name: string;
  /** The call of the admin contract. */
  readonly call: string;
}

/** All actions, with the resource of each. */
interface Asked {
  request: ConnectionResource | WireResource | MechanismResource;
  close: ConnectionResource;
  /** Watch connections: asked for the selection when the stream is opened, then for each connection in it. */
  monitor: SelectionResource | ConnectionResource;
  /** See the tokens in the path of a watched connection. */
  "see-tokens": ConnectionResource;
  register: EntryResource | LeaseResource;
  unregister: EntryResource;
  find: QueryResource;
  /** Look at a host. */
  read: HostResource;
  /** Try something that leaves nothing behind. */
  operate: HostResource;
  /** Change what the host does, or see the traffic of its workloads. */
  own: HostResource;
}

export type Action = keyof Asked;

/** Further facts about a call. */
interface Context {
  /** The peer of the call, with its origin and its key. */
  readonly peer: Peer;
  /** The path of a message up to this process, with the tokens of its stations. */
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
  /** Name of the rule that decided. */
  readonly rule: string;
  /** UNAUTHENTICATED: a caller that proves more may be allowed. */
  readonly code: "PERMISSION_DENIED" | "UNAUTHENTICATED";
  /** Continues the attempt in a message: `it belongs to another peer`. Holds no secrets: the caller reads it. */
  readonly reason: string;
  readonly topic?: Topic | undefined;
  readonly hint?: string | undefined;
}

/** Returns `undefined` if the call is allowed. Synchronous: nothing can happen between the decision and the action. */
export type Authorize = (question: Question) => Refusal | undefined;

/** A question about a call of `peer`. */
export function question<A extends Action>(peer: Peer, action: A, resource: Asked[A], path?: Path): Question {
  // The compiler does not see that action and resource belong together for each A.
  return { principal: peer.principal, action, resource, context: { peer, path } } as Question;
}

/** Throws the refusal, with the attempt in front. */
export function mustAllow(authorize: Authorize, asked: Question): void {
  const refusal = authorize(asked);
  if (!refusal) return;
  const { code, reason, topic, hint } = refusal;
  throw new NetloomError(code, `${attemptOf(asked)}: ${reason}`, {
    ...(topic !== undefined && { topic }),
    hint,
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

/** Text for a principal, with the URL of its entry if there is one. */
export function placeOf(principal: Principal, url: string): string {
  return url === "" ? principalText(principal) : `${principalText(principal)} (${url})`;
}
