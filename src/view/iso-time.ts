import { toJson } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";

/** The limits of a Timestamp: the first second of the year 1, and the last second of the year 9999. */
const [FIRST, LAST] = [-62_135_596_800n, 253_402_300_799n];

/** The time in its JSON form: `2026-01-31T12:00:00.500Z`. `undefined` if it is missing or invalid. */
export function isoTime(timestamp: Timestamp | undefined): string | undefined {
  if (!timestamp) return undefined;
  const { seconds, nanos } = timestamp;
  const isTime = seconds >= FIRST && seconds <= LAST && nanos >= 0 && nanos < 1e9;
  return isTime ? toJson(TimestampSchema, timestamp) : undefined;
}
