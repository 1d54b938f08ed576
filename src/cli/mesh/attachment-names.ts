/** Names of attachments in commands: `web`, `NetworkServiceClient/web`, `client/web`. */
import { create } from "@bufbuild/protobuf";
import {
  Agent,
  type Attachment,
  GetRequestSchema,
  type Ref,
  RefSchema,
} from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { didYouMean, quote } from "../../text/problem.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { AgentClient } from "./agent-access.ts";
import { kindNamed } from "../../documents/kinds.ts";

export interface WrittenName {
  /** Canonical kind; absent if only a name was given. */
  readonly kind?: string;
  readonly name: string;
}

/** Reads `name` or `kind/name`. Text before the slash that is not a kind belongs to the name: `alpha/web/nsm-1`. */
export function parseName(text: string): WrittenName {
  const slash = text.indexOf("/");
  const kind = slash < 0 ? undefined : kindNamed(text.slice(0, slash))?.kind;
  return kind === undefined ? { name: text } : { kind, name: text.slice(slash + 1) };
}

/** The attachments of that name; of any kind if none was given. */
export async function getAttachments(
  agent: AgentClient,
  written: Partial<WrittenName>,
): Promise<Attachment[]> {
  const { kind = "", name = "" } = written;
  return (await agent.call(Agent.method.get, create(GetRequestSchema, { kind, name }))).attachments;
}

/** The one attachment of that name. NL-203 if none has it, NL-202 if several have it. */
export async function findRef(agent: AgentClient, text: string): Promise<Ref> {
  const found = (await getAttachments(agent, parseName(text))).flatMap(({ ref }) => ref ?? []);
  const [first, ...others] = found;
  if (!first) throw await noSuchAttachment(agent, text);
  if (others.length === 0) return create(RefSchema, first);
  throw ambiguousName(text, found);
}

export function ambiguousName(text: string, found: readonly Pick<Ref, "kind" | "name">[]): NetloomError {
  const names = found.map(({ kind, name }) => `${kind}/${name}`);
  return new NetloomError(
    "INVALID_ARGUMENT",
    `choose an attachment: ${quote(text)} is the name of ${names.length}`,
    {
      topic: "NL-202",
      hint: `write ${names.join(" or ")}`,
    },
  );
}

export async function noSuchAttachment(agent: AgentClient, text: string): Promise<NetloomError> {
  const names = (await getAttachments(agent, {})).flatMap(({ ref }) => ref?.name ?? []);
  const near = didYouMean(parseName(text).name, names);
  return new NetloomError("NOT_FOUND", `find attachment ${quote(text)}: it is not on this host${near}`, {
    topic: "NL-203",
    hint: "netloom get lists those of this host; --host or --agent selects another one",
  });
}
