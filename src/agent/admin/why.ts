/** Explains why a client gets, or would get, an endpoint, or gets none. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { AttachmentRecord } from "../../attachments/attachment-controller.ts";
import type { Decided } from "../decisions.ts";
import {
  CandidateSchema,
  JudgementSchema,
  Selection_FailureSchema,
  SelectionSchema,
  WhyResponseSchema,
  type Judgement,
  type Selection,
  type WhyRequest,
  type WhyResponse,
} from "../../api/gen/netloom/admin/v1/admin_pb.js";
import type { CallOptions } from "../../api/hops.ts";
import { withClientInfo } from "../../elements/context/client-info.ts";
import { wireIdOf } from "../../elements/wires/wire-id.ts";
import { discoverCandidates, type Discovery } from "../../elements/discovery/discover.ts";
import type { Decision } from "../../registry/matching/match.ts";
import { NetloomError } from "../../errors/errors.ts";
import { listed } from "../../text/problem.ts";
import type { AdminParts } from "./admin-parts.ts";
import { attachmentStatus, causeMessage } from "./status.ts";
import { describeWires } from "./wires.ts";

interface Asked {
  readonly service: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly connectionId: string;
  readonly payload: string;
  readonly told?: AttachmentRecord;
}

/** The explanation. NOT_FOUND if no such client is known. A missing service is an answer, not an error. */
export async function why(parts: AdminParts, call: CallOptions, request: WhyRequest): Promise<WhyResponse> {
  const asked = whatIsAsked(parts, request);
  const answer = create(WhyResponseSchema, { service: asked.service, labels: { ...asked.labels } });
  try {
    const found = await discoverCandidates({ ...call, world: parts.world }, parts.registries, {
      networkService: asked.service,
      labels: { ...asked.labels },
      payload: asked.payload,
    });
    answer.payload = found.payload;
    answer.judgements = judgements(found);
    answer.candidates = found.candidates.map(({ endpoint, weight }) =>
      create(CandidateSchema, {
        endpoint: endpoint.name,
        host: hostOf(endpoint.networkServiceLabels[asked.service]?.labels),
        url: endpoint.url,
        weight,
        labels: endpoint.networkServiceLabels[asked.service]?.labels ?? {},
      }),
    );
    if (found.candidates.length === 0)
      answer.problem =
        found.endpoints.length === 0
          ? `no endpoint offers ${asked.service} now`
          : `none of the ${found.endpoints.length} endpoints of ${asked.service} is for this client`;
  } catch (error) {
    if (!(error instanceof NetloomError)) throw error;
    Object.assign(answer, { problem: error.message, ...causeMessage(error) });
  }
  const last = lastOf(parts, asked);
  if (last) answer.last = last;
  const made =
    asked.connectionId === "" ? undefined : describeWires(parts).find(({ id }) => id === asked.connectionId);
  if (made?.path) answer.path = made.path;
  if (asked.told) answer.attachment = attachmentStatus(asked.told);
  return answer;
}

function whatIsAsked({ attachments, labels: added, world }: AdminParts, request: WhyRequest): Asked {
  const labels = withClientInfo(request.labels, added);
  if (request.client === "") {
    return { service: request.service, labels, connectionId: "", payload: "" };
  }
  const asking = attachments.told().filter(({ attached: { asks } }) => asks !== undefined);
  const ofService = asking.filter(
    ({ attached: { asks } }) => !request.service || asks?.service === request.service,
  );
  const [found] = [
    ...ofService.filter(({ attached: { spec } }) => spec.name === request.client),
    ...ofService.filter(({ attached: { workload } }) =>
      [workload, `${world.host}/${workload}`].includes(request.client),
    ),
  ];
  if (found?.attached.asks) {
    const { asks, connectionId } = found.attached;
    return {
      service: asks.service,
      labels: withClientInfo({ ...asks.labels, ...request.labels }, added),
      connectionId,
      payload: "",
      told: found,
    };
  }
  if (request.service !== "" && request.client.includes("/")) {
    return { service: request.service, labels, connectionId: "", payload: "" };
  }
  const names = asking.map(({ attached: { spec } }) => spec.name);
  const kinds = attachments.kinds.all.flatMap(({ kind, end }) => (end === "client" ? [kind] : []));
  throw new NetloomError(
    "NOT_FOUND",
    `explain client ${request.client}: this host has no such ${listed(kinds)}${request.service ? ` of ${request.service}` : ""}`,
    {
      topic: "NL-203",
      hint: names.length > 0 ? `known are ${names.slice(0, 10).join(", ")}` : "none is applied",
    },
  );
}

function lastOf({ forwarder, decisions }: AdminParts, asked: Asked): Selection | undefined {
  const { connectionId, service, labels } = asked;
  const connection = forwarder.established().find((each) => wireIdOf(each) === connectionId);
  const decided = (connection && decisions.of(connection.id)) ?? decisions.last(service, labels);
  return decided && selectionMessage(decided, connectionId);
}

function selectionMessage({ atMs, discovery, selection }: Decided, wireId: string): Selection {
  return create(SelectionSchema, {
    at: timestampFromMs(atMs),
    wireId,
    taken: selection?.taken ?? "",
    asking: selection?.asking ?? "",
    problem: selection?.problem?.message ?? "",
    failed: (selection?.failed ?? []).map(({ endpoint, error }) =>
      create(Selection_FailureSchema, {
        endpoint,
        reason: error.message,
        code: error.code,
        ...causeMessage(error),
      }),
    ),
    judgements: judgements(discovery),
  });
}

function hostOf(labels: Readonly<Record<string, string>> | undefined): string {
  return labels?.["nodeName"] ?? "";
}

function judgements({ decisions }: Discovery): Judgement[] {
  return decisions.map((decision) => create(JudgementSchema, judgementOf(decision)));
}

function judgementOf(decision: Decision) {
  switch (decision.step) {
    case "no matches: every endpoint is a candidate":
      return { taken: true, reason: "the service has no matches: every endpoint is a candidate" };
    case "source selector does not match":
      return { match: decision.match, reason: `is for clients with ${decision.label}` };
    case "taken":
      return {
        match: decision.match,
        route: decision.route,
        endpoint: decision.endpoint,
        taken: true,
        reason: "has the labels of the route",
      };
    case "destination selector does not match":
      return {
        match: decision.match,
        route: decision.route,
        endpoint: decision.endpoint,
        reason: `does not have ${decision.label}`,
      };
    case "no endpoint: falls through":
      return { match: decision.match, reason: "leads to no endpoint, and falls through to the next match" };
    case "match without routes: every endpoint is a candidate":
      return { match: decision.match, taken: true, reason: "has no routes: every endpoint is a candidate" };
    case "no endpoint: stops here":
      return { match: decision.match, reason: "leads to no endpoint, and stops the search" };
    case "no match is left":
    default:
      return { reason: "no match is for this client's labels" };
  }
}
