/** The admin service of an agent, method by method. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { stringify } from "yaml";
import type { Applied } from "../attachments.ts";
import type { Kinds } from "../../attachments/kind.ts";
import { type Document, type Ref, refText, type Spec } from "../../attachments/spec.ts";
import {
  Agent as AgentApi,
  Applied_Change,
  AppliedSchema,
  ApplyResponseSchema,
  AttachmentSchema,
  DeleteResponseSchema,
  EventSchema,
  EventsResponseSchema,
  GetResponseSchema,
  ProblemSchema,
  type ApplyRequest,
  type ApplyResponse,
  type Ref as RefMessage,
} from "../../api/gen/netloom/admin/v1/admin_pb.js";
import type { Incoming } from "../../world/hops.ts";
import { serve, type Implementation, type Served } from "../../api/rpc.ts";
import { mustAllow, question } from "../../policy/authorize.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { JournalEvent } from "../journal.ts";
import type { AdminParts } from "./admin-parts.ts";
import { capture } from "./capture.ts";
import { graph } from "./graph.ts";
import { ping } from "./ping.ts";
import { attachmentStatus, hostStatus } from "./status.ts";
import { watchStatus } from "./watch-status.ts";
import { why } from "./why.ts";
import { refMessage } from "./wires.ts";

const MAX_WAIT_MS = 600_000;

type Api = Implementation<typeof AgentApi>;

/** The permission that each call needs. Reading the frames of workloads needs `own`, as changes do. */
const NEEDS: Readonly<Record<keyof Api, "read" | "operate" | "own">> = {
  apply: "own",
  delete: "own",
  get: "read",
  status: "read",
  watch: "read",
  ping: "operate",
  capture: "own",
  why: "read",
  graph: "read",
  events: "read",
};

/** The service for `serveAll`. `identity` authorizes each call. */
export function adminService(parts: AdminParts): Served {
  const { attachments, identity, world } = parts;
  const implementation: Api = {
    apply: (request, context) => apply(parts, request, context),
    delete: async ({ refs }) => {
      const wires = refs.filter(({ kind }) => kind === "Wire");
      const asked = refs.filter(({ kind }) => kind !== "Wire").map((ref) => readRef(attachments.kinds, ref));
      const gone = new Set((await attachments.delete(asked)).map(refText));
      for (const wire of wires) if (await attachments.closeWire(wire.name)) gone.add(refText(wire));
      const isGone = (ref: Ref): boolean => gone.has(refText(ref));
      const all = [...asked, ...wires];
      return create(DeleteResponseSchema, {
        deleted: all.filter(isGone).map(refMessage),
        absent: all.filter((ref) => !isGone(ref)).map(refMessage),
      });
    },
    get: ({ kind, name }) => {
      const found = attachments.documents({
        ...(kind !== "" && { kind: readKind(attachments.kinds, kind) }),
        ...(name !== "" && { name }),
      });
      const documents = found.map((document) =>
        create(AttachmentSchema, {
          ref: refMessage({ kind: document.kind, name: document.metadata.name }),
          document: documentText(document),
        }),
      );
      return Promise.resolve(create(GetResponseSchema, { attachments: documents }));
    },
    status: ({ counters }) => hostStatus(parts, counters),
    watch: ({ minIntervalMs, counters }, { scope }) => watchStatus(parts, scope, { minIntervalMs, counters }),
    ping: (request, { scope }) => ping(parts, scope, request),
    capture: (request, { scope }) => capture(parts, scope, request),
    why: (request, context) => why(parts, context, request),
    graph: (_request, context) => graph(parts, context),
    events: ({ kind, name }) =>
      Promise.resolve(
        create(EventsResponseSchema, {
          events: attachments.journal
            .list({
              ...(kind !== "" && { kind: readKind(attachments.kinds, kind) }),
              ...(name !== "" && { name }),
            })
            .map(eventMessage),
        }),
      ),
  };
  return serve(AgentApi, implementation, (call, request, { peer }) => {
    // A dry run changes nothing.
    const action = call === "apply" && "dryRun" in request && request.dryRun ? "read" : NEEDS[call];
    mustAllow(identity.authorize, question(peer, action, { kind: "host", name: world.host, call }));
  });
}

/** The text of one YAML document. */
function documentText(document: Document): string {
  return stringify(document, { lineWidth: 0 });
}

async function apply(
  { attachments }: AdminParts,
  { documents, fileName, dryRun, waitMs }: ApplyRequest,
  { scope }: Incoming,
): Promise<ApplyResponse> {
  const file = fileName || "documents";
  if (dryRun) {
    const result = attachments.kinds.parse(documents, file);
    if (!result.ok)
      return create(ApplyResponseSchema, {
        problems: result.problems.map((problem) => create(ProblemSchema, problem)),
      });
    const compared = await attachments.compare(result.specs);
    return create(ApplyResponseSchema, {
      applied: compared.map((each, i) =>
        appliedMessage(each, { before: attachments.spec(each.ref), after: result.specs[i] }),
      ),
    });
  }
  if (waitMs > MAX_WAIT_MS)
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `apply ${file}: a wait of ${waitMs} ms is too long; ${MAX_WAIT_MS} are allowed`,
    );
  const specs = attachments.kinds.mustParse(documents, file);
  const applied = await attachments.apply(specs);
  const refs = applied.map(({ ref }) => ref);
  if (waitMs > 0) await attachments.settled(refs, waitMs, scope);
  return create(ApplyResponseSchema, {
    applied: applied.map((each) => appliedMessage(each)),
    attachments:
      waitMs > 0
        ? refs.flatMap((ref) => {
            const told = attachments.toldOf(ref);
            return told ? [attachmentStatus(told)] : [];
          })
        : [],
  });
}

function appliedMessage(
  { ref, change, differences }: Applied,
  documents: { readonly before?: Spec | undefined; readonly after?: Spec | undefined } = {},
) {
  const changes = {
    unchanged: Applied_Change.UNCHANGED,
    added: Applied_Change.ADDED,
    changed: Applied_Change.CHANGED,
  } as const;
  const text = (spec: Spec | undefined): string => (spec ? documentText(spec.document) : "");
  return create(AppliedSchema, {
    ref: refMessage(ref),
    change: changes[change],
    differences: [...differences],
    before: text(documents.before),
    after: text(documents.after),
  });
}

function eventMessage({ ref, firstMs, lastMs, ...event }: JournalEvent) {
  return create(EventSchema, {
    ...event,
    ref: refMessage(ref),
    first: timestampFromMs(firstMs),
    last: timestampFromMs(lastMs),
  });
}

function readRef(kinds: Kinds, { kind, name }: RefMessage): Ref {
  return { kind: readKind(kinds, kind), name };
}

/** Finds a kind by its name in any case, such as `networkserviceclient`. */
function readKind({ all }: Kinds, text: string): string {
  const found = all.find(({ kind }) => kind.toLowerCase() === text.toLowerCase());
  if (found) return found.kind;
  throw new NetloomError("INVALID_ARGUMENT", `read kind ${JSON.stringify(text.slice(0, 40))}: no such kind`, {
    hint: `kinds are ${all.map(({ kind }) => kind).join(", ")}`,
  });
}
