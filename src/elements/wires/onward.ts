/**
 * The middle of a service chain: a station that answers for one wire, and requests the next one along the same path.
 *
 *   client ═══ first wire ═══ [in-… function out-…] ═══ next wire ═══ endpoint
 *
 * Upstream: sdk/pkg/networkservice/common/passthrough, which replaces labels and the endpoint's name
 */
import { create } from "@bufbuild/protobuf";
import { copyMessage } from "../../api/copy-message.ts";
import {
  ConnectionSchema,
  MechanismSchema,
  State,
  type Connection,
} from "../../api/gen/nsm/connection_pb.js";
import {
  ConnectionContextSchema,
  IPContextSchema,
  type ConnectionContext,
} from "../../api/gen/nsm/connectioncontext_pb.js";
import {
  NetworkServiceRequestSchema,
  type NetworkServiceRequest,
} from "../../api/gen/nsm/networkservice_pb.js";
import { memoryKey, type Call } from "../../chain/call.ts";
import { NetloomError, onSide } from "../../errors/errors.ts";
import type { Netns } from "../../kernel/kernel.ts";
import { preferenceFor } from "../../mechanisms/list.ts";
import { smallerMtu } from "../../mechanisms/parameters.ts";
import { type ConnectionElement, connectionOf, contextOf, ipContextOf } from "../connection.ts";
import type { Notice } from "../upkeep/next-hop-monitor.ts";
import { sayFarAddresses } from "../path/path-hosts.ts";
import { beginWire, type FurtherWire, wiresBehind } from "./wire-id.ts";

/** Joins the two wires of a service function. Each type of function has its own. */
export interface Passage {
  /** Called before the request for the next wire. `first` is the client's context without the next wire. Changes `next`. */
  readonly ask: (next: ConnectionContext, first: ConnectionContext) => void;
  /**
   * Called with the answer for the next wire. Changes `first`, which becomes the client's answer. Returns why no
   * packets can pass, as a sentence without a full stop; `undefined` if they can.
   */
  readonly answer: (first: ConnectionContext, next: ConnectionContext) => string | undefined;
}

/** Stored answers of the next wires by id, kept across restarts. */
export interface Answers {
  answer(wireId: string): Connection | undefined;
  keepAnswer(connection: Connection): void;
  dropAnswer(wireId: string): void;
}

export interface OnwardOptions {
  /** Name of the path segment. */
  readonly name: string;
  readonly netns: Netns;
  /** Name of the device towards the next station. */
  readonly nameOf: (first: Connection) => string;
  /** Labels of its own requests. With these labels the service's matches lead to the next station. Read at every request. */
  readonly labels: () => Readonly<Record<string, string>>;
  readonly passage: () => Passage;
  readonly answers: Answers;
  /** Returns whether packets get through the next wire. */
  readonly isAlive: (connection: Connection) => Promise<boolean>;
}

/** The next wire of one client. */
interface Beyond {
  /** The last answer. */
  readonly answer: Connection;
  /** The connection of this station that has the next wire. */
  readonly holder: string;
  /** The last request has failed. */
  isDoubtful: boolean;
  /** The next station has closed the wire. */
  isGone: boolean;
}

const WIRE = memoryKey<string>("onward: wire");

/**
 * Guarantees
 * - The next wire has labels, an endpoint and a context of its own; the client sees those of its own wire, with the
 *   additions of `Passage`.
 * - The MTU of the client's wire is at most that of the next wire.
 * - A refresh, and the first request after a restart, go to the same endpoint. If that fails once and no packet gets
 *   through, or if the next station has closed the wire, the next request is for another endpoint. The client is
 *   notified of every loss and makes that request.
 * - A path that has passed this station already is FAILED_PRECONDITION.
 */
export class Onward {
  readonly #options: OnwardOptions;
  readonly #beyond = new Map<string, Beyond>();

  constructor(options: OnwardOptions) {
    this.#options = options;
  }

  /** Handler of notices for `followNext`, called before the client is notified. */
  hear({ memory }: Call, notice: Notice): void {
    const beyond = this.#beyond.get(memory.get(WIRE) ?? "");
    if (beyond && notice.type === "deleted") beyond.isGone = true;
  }

  element(): ConnectionElement {
    return {
      name: "onward",
      request: async (call, request, next) => {
        const first = connectionOf(request);
        refuseCircle(first, this.#options.name);
        beginWire(first);
        const wireId = wiresBehind(first)[0]?.id ?? "";
        const known = this.#known(wireId);
        const asked = await this.#ask(first, known);
        let answer: Connection;
        try {
          answer = await next(asked);
        } catch (error) {
          if (known) this.#beyond.set(wireId, { ...known, isDoubtful: true });
          throw error instanceof NetloomError ? behind(error) : error;
        }
        const holder = first.id;
        this.#beyond.set(wireId, { answer: copyMessage(answer), holder, isDoubtful: false, isGone: false });
        call.memory.set(WIRE, wireId);
        return this.#give(first, answer);
      },
      close: async (call, connection, next) => {
        const wireId = call.memory.delete(WIRE);
        if (wireId !== undefined && this.#beyond.get(wireId)?.holder === connection.id) {
          this.#beyond.delete(wireId);
          this.#options.answers.dropAnswer(wireId);
        }
        await next(connection);
      },
    };
  }

  #known(wireId: string): Beyond | undefined {
    const answer = this.#options.answers.answer(wireId);
    const recalled = answer && { answer, holder: "", isDoubtful: false, isGone: false };
    return this.#beyond.get(wireId) ?? recalled;
  }

  async #ask(first: Connection, known: Beyond | undefined): Promise<NetworkServiceRequest> {
    const { netns, nameOf, labels, passage, isAlive } = this.#options;
    const isLost = known && (known.isGone || (known.isDoubtful && !(await isAlive(known.answer))));
    const before = isLost ? undefined : known?.answer;
    const context = before?.context ? copyMessage(before.context) : create(ConnectionContextSchema);
    const ip = (context.ipContext ??= create(IPContextSchema));
    const own = ipContextOf(first);
    context.MTU = contextOf(first).MTU;
    ip.excludedPrefixes = [...new Set([...own.excludedPrefixes, ...own.srcIpAddrs, ...own.dstIpAddrs])];
    // The routes behind this station are set again at each request.
    ip.dstRoutes = [];
    passage().ask(context, contextOf(first));
    const requested = { name: nameOf(first), forwarding: true, sources: own.srcIpAddrs };
    const preference = create(MechanismSchema, preferenceFor({ netns }, requested));
    const { id, networkService, payload, path } = first;
    return create(NetworkServiceRequestSchema, {
      connection: create(ConnectionSchema, {
        id,
        networkService,
        payload,
        ...(path && { path }),
        labels: { ...labels() },
        networkServiceEndpointName: before?.networkServiceEndpointName ?? "",
        context,
        state: isLost ? State.RESELECT_REQUESTED : State.UP,
        ...(before?.mechanism && { mechanism: preference }),
      }),
      mechanismPreferences: [preference],
    });
  }

  /** The client's answer: its own wire, with the additions for the next wire. */
  #give(first: Connection, answer: Connection): Connection {
    const { passage, answers, name } = this.#options;
    const beyond = copyMessage(contextOf(answer));
    const context = contextOf(first);
    first.payload = answer.payload;
    if (answer.path) first.path = answer.path;
    context.MTU = smallerMtu(context.MTU, beyond.MTU);
    const problem = passage().answer(context, beyond);
    if (problem !== undefined)
      throw new NetloomError(
        "FAILED_PRECONDITION",
        `go on from ${name} to ${answer.networkServiceEndpointName} for connection ${first.id}: ${problem}`,
      );
    sayFarAddresses(first, beyond.ipContext?.dstIpAddrs ?? []);
    const [wire] = wiresBehind(first);
    if (wire) answers.keepAnswer(asOwn(answer, wire));
    return first;
  }
}

/** The error in terms of the first wire: both ends of the next wire count as its endpoint's end. */
function behind(error: NetloomError): NetloomError {
  return error.side === undefined ? error : onSide(error, "endpoint");
}

/** The answer for a client at the beginning of the wire. */
function asOwn(answer: Connection, { id, stations }: FurtherWire): Connection {
  const own = copyMessage(answer);
  const segments = stations.map((segment, i) =>
    i === 0 ? { ...copyMessage(segment), id } : copyMessage(segment),
  );
  own.id = id;
  if (own.path) Object.assign(own.path, { index: 0, pathSegments: segments });
  return own;
}

function refuseCircle({ id, path, networkService }: Connection, name: string): void {
  const before = path?.pathSegments.slice(0, path.index) ?? [];
  if (!before.some((segment) => segment.name === name)) return;
  throw new NetloomError(
    "FAILED_PRECONDITION",
    `request connection ${id} of ${name}: its path has passed ${name} already; the matches of ${networkService} lead in a circle`,
    { topic: "NL-407", hint: "give the service a match for this function's labels that leads on" },
  );
}
