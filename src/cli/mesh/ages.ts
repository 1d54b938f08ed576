/** Times in a form for people. */
import type { PutRightView } from "../../view/wire-view.ts";
import { count } from "../output.ts";

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1000],
] as const;

/** `5 s`, `3 min`, `2 h`, `4 d`: the largest unit that fits at least once. */
export function formatDuration(durationMs: number): string {
  const [name, size] = units.find(([, size]) => durationMs >= size) ?? ["s", 1000];
  return `${Math.max(0, Math.floor(durationMs / size))} ${name}`;
}

/** The age of a time for a column: `12m`. `-` without a time. */
export function formatShortAge(since: string | undefined, nowMs: number): string {
  return formatAge(since, nowMs).replace(" min", "m").replace(" ", "");
}

/** The repairs of a wire in words: `3 times, last 5 s ago on alpha: …`. */
export function putRightText(putRight: PutRightView, nowMs: number): string {
  const { count: times, lastAt, last } = putRight;
  return `${count(times, "time")}, last ${formatAge(lastAt, nowMs)} ago on ${last}`;
}

/** The age of a time. `-` without a time. */
export function formatAge(since: string | undefined, nowMs: number): string {
  return since === undefined ? "-" : formatDuration(nowMs - Date.parse(since));
}
