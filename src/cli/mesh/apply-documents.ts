/** Applies documents at an agent and reports the outcome: for apply, connect and expose. */
import { create } from "@bufbuild/protobuf";
import { Agent, Applied_Change, ApplyRequestSchema } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import type { Output } from "../output.ts";
import type { AgentClient } from "./agent-access.ts";
import { attachmentView, type AttachmentView } from "../../view/attachment-view.ts";
import type { DocumentFile } from "./document-files.ts";

/** The agent answers after its own wait; this is the extra time for the call itself. */
const answerMs = 20_000;

export interface AppliedView {
  readonly kind: string;
  readonly name: string;
  readonly change: "added" | "changed" | "unchanged";
  readonly differences: readonly string[];
}

/** The shape of `netloom apply -o json`. */
export interface ApplyReport {
  readonly applied: readonly AppliedView[];
  /** The attachments that the command waited for. */
  readonly attachments: readonly AttachmentView[];
}

export const changeNames: Readonly<Record<Applied_Change, AppliedView["change"]>> = {
  [Applied_Change.UNCHANGED]: "unchanged",
  [Applied_Change.ADDED]: "added",
  [Applied_Change.CHANGED]: "changed",
};

/** Applies one file after the other; each is applied completely or not at all. */
export async function applyDocuments(
  agent: AgentClient,
  files: readonly DocumentFile[],
  { waitMs }: { readonly waitMs: number },
): Promise<ApplyReport> {
  const applied: AppliedView[] = [];
  const attachments: AttachmentView[] = [];
  for (const { name: fileName, text: documents } of files) {
    const request = create(ApplyRequestSchema, { documents, fileName, waitMs });
    const answer = await agent.call(Agent.method.apply, request, waitMs + answerMs);
    applied.push(
      ...answer.applied.map(({ ref, change, differences }) => ({
        kind: ref?.kind ?? "",
        name: ref?.name ?? "",
        change: changeNames[change],
        differences: [...differences],
      })),
    );
    attachments.push(...answer.attachments.map((each) => attachmentView("", each)));
  }
  return { applied, attachments };
}

const marks = { added: "+", changed: "~", unchanged: "=" } as const;

export function printApplied(out: Output, { applied }: ApplyReport): void {
  for (const { kind, name, change, differences } of applied) {
    const what = differences.length === 0 ? "" : `: ${differences.join(", ")}`;
    out.line(`${marks[change]} ${kind} ${name}${what}`);
  }
}

/** Prints why attachments are not up after the wait. */
export function printFailures(out: Output, { attachments }: ApplyReport): void {
  for (const { kind, name, state, reason, hint, topic } of attachments) {
    if (state === "up") continue;
    const why = reason === undefined ? "" : `: ${reason}`;
    out.line(`${out.style("red", "!")} ${kind} ${name} is not up yet (${state})${why}`);
    if (hint !== undefined) out.line(`  hint: ${hint}`);
    if (topic !== undefined) out.line(`  more: netloom explain ${topic}`);
  }
}
