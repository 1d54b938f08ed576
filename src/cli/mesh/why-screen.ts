/** The answer to `netloom why` for people: what would happen now, then what has happened. Pure. */
import { printable } from "../../text/printable.ts";
import { table } from "../output.ts";
import type { WhyDocument } from "./why-document.ts";
import { formatAge } from "./ages.ts";
import type { ScreenLine } from "./status-screen.ts";

export function whyScreen(client: string, why: WhyDocument, nowMs: number): ScreenLine[] {
  const labels = labelText(why.labels);
  const payload = why.payload === "" ? "" : ` (payload ${why.payload})`;
  const who = client === "-" ? "" : ` for ${client}`;
  return [
    { text: printable(`${why.service}${payload}${who}, labels: ${labels}`), style: "bold" },
    { text: "" },
    { text: "what would happen now:" },
    ...judgementLines(why.judgements),
    ...orderLines(why),
    ...lastLines(why.last, nowMs),
    ...(why.path === undefined
      ? []
      : [{ text: "" }, { text: printable(`the path of its wire: ${why.path}`) }]),
    ...attachmentLines(why.attachment),
  ];
}

function orderLines({ candidates, problem }: WhyDocument): ScreenLine[] {
  if (candidates.length === 0) {
    return [{ text: printable(`  no endpoint: ${problem ?? "none is for this client"}`), style: "red" }];
  }
  const rows = candidates.map(({ endpoint, host, url, weight, labels }, index) => [
    `  ${index + 1}. ${endpoint}`,
    host === "" ? url : `on ${host}`,
    weight === 0 ? "" : `weight ${weight}`,
    labelText(labels),
  ]);
  return [
    { text: "" },
    { text: candidates.length === 1 ? "it would get:" : "they would be tried in this order:" },
    ...table(rows).map((text) => ({ text: printable(text) })),
  ];
}

function lastLines(last: WhyDocument["last"], nowMs: number): ScreenLine[] {
  if (!last) return [{ text: "" }, { text: "no request for it on this host yet" }];
  const failed = last.failed.map(({ endpoint, reason }): ScreenLine => {
    return { text: printable(`  ✗ ${endpoint} failed: ${reason}`), style: "red" };
  });
  const age = last.at === "" ? "" : `, ${formatAge(last.at, nowMs)} ago`;
  // A hypothetical client has no wire, and a service function has one for each of its clients.
  const what = last.wireId === "" ? "such a client" : `wire ${last.wireId}`;
  return [
    { text: "" },
    { text: printable(`the last request for ${what}${age}:`) },
    ...judgementLines(last.judgements),
    ...failed,
    ...(last.asking === undefined ? [] : [{ text: printable(`  … waiting for ${last.asking}`) }]),
    ...outcomeLines(last),
  ];
}

function outcomeLines({ taken, asking, problem }: NonNullable<WhyDocument["last"]>): ScreenLine[] {
  if (asking !== undefined) return [];
  if (problem !== undefined) return [{ text: printable(`  ✗ ${problem}`), style: "red" }];
  return [
    taken === ""
      ? { text: "  no endpoint has answered", style: "red" }
      : { text: printable(`  ✓ ${taken} was taken`), style: "green" },
  ];
}

/** The state of the attachment, unless it is up. */
function attachmentLines(attachment: WhyDocument["attachment"]): ScreenLine[] {
  if (!attachment || attachment.state === "up") return [];
  const { kind, name, state, reason, hint, topic } = attachment;
  const page = topic === undefined ? "" : ` [${topic}]`;
  return [
    { text: "" },
    {
      text: printable(`${kind} ${name} is ${state}${reason === undefined ? "" : `: ${reason}${page}`}`),
      style: "yellow",
    },
    ...(hint === undefined ? [] : [{ text: printable(`  hint: ${hint}`) }]),
  ];
}

function judgementLines(judgements: WhyDocument["judgements"]): ScreenLine[] {
  const rows = judgements.map(({ match, route, endpoint, taken, reason }) => [
    `  ${taken ? "✓" : "✗"} ${place(match, route)}`,
    endpoint ?? "",
    reason,
  ]);
  return table(rows).map((text, index) => ({
    text: printable(text),
    ...(judgements[index]?.taken !== true && { style: "dim" as const }),
  }));
}

/** Matches and routes are counted from 0, as in the service's document. */
function place(match: number | undefined, route: number | undefined): string {
  if (match === undefined) return "";
  return route === undefined ? `matches[${match}]` : `matches[${match}].routes[${route}]`;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return pairs.sort().join(", ") || "none";
}
