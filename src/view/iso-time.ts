import { toJson } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";

/** The first second of the year 1, and the last one of the year 9999: what a Timestamp may hold. */
const [FIRST, LAST] = [-62_135_596_800n, 253_402_300_799n];

/** As in JSON: `2026-01-31T12:00:00.500Z`. `undefined` if the message has none, or none that is a time. */
export function isoTime(timestamp: Timestamp | undefined): string | undefined {
  if (!timestamp) return undefined;
  const { seconds, nanos } = timestamp;
  const isTime = seconds >= FIRST && seconds <= LAST && nanos >= 0 && nanos < 1e9;
  return isTime ? toJson(TimestampSchema, timestamp) : undefined;
}
