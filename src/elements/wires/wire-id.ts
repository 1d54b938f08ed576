/** The wire that a station of a path belongs to. */
import type { Connection, PathSegment } from "../../api/gen/nsm/connection_pb.js";
import { CONNECTION_ID_BYTES } from "../../mechanisms/naming.ts";
import { byteLength } from "../../net/byte-length.ts";
import { hash64 } from "../../net/hash.ts";
import { ownSegment } from "../connection.ts";

/**
 * Key of the metrics of a station that ends one wire and requests the next. The mark is in the metrics because a
 * station's name, id and token have other meanings, and all other stations pass its metrics on unchanged.
 */
const WIRE_BEGINS = "wire_begins";

const STARTER_DIGITS = 8;

/** A shortened id for display. */
const HEAD_CHARACTERS = 32;

/**
 * Owner of all objects made for the connection, on every host. A path is one wire, or in a service chain several, each
 * from one workload to the next:
 *
 *   nsc  manager  forwarder  firewall  manager  forwarder  nse
 *   └───────── first ────────────┘└───────── second ────────┘
 *
 * Guarantees
 * - It depends only on the path up to the current segment. It is the same for all stations of a wire, after restarts
 *   and with any stations between them. The first wire has the id of segment 0, which the client chooses. A further
 *   wire adds its number and a hash of the requesting station's name: `<id>.2.<hash>`.
 * - It is the owner in the alias of devices. An id that does not fit an alias (more than 242 bytes, control characters)
 *   is replaced by its beginning and a hash: `<beginning>~<hash>`.
 * - A service function that answers for the first wire and requests the second is a station of the first.
 */
export function wireIdOf(connection: Connection): string {
  const { number, start } = wireAt(connection);
  return idOf(connection, number, start);
}

function idOf({ id, path }: Connection, number: number, start: number): string {
  const segments = path?.pathSegments ?? [];
  const first = segments[0]?.id ?? id;
  if (number === 1) return ownerOf(first);
  const hash = hash64(segments[start]?.name ?? "") % 36n ** BigInt(STARTER_DIGITS);
  return ownerOf(`${first}.${number}.${hash.toString(36).padStart(STARTER_DIGITS, "0")}`);
}

function ownerOf(id: string): string {
  if (byteLength(id) <= CONNECTION_ID_BYTES && !/\p{Cc}/u.test(id)) return id;
  const head = Array.from(id.replaceAll(/\p{Cc}/gu, "")).slice(0, HEAD_CHARACTERS);
  return `${head.join("")}~${hash64(id).toString(36)}`;
}

/** The known stations of the wire: from the one that requests it to the one that answers. */
export function stationsOf(connection: Connection): PathSegment[] {
  const { start, end } = wireAt(connection);
  return connection.path?.pathSegments.slice(start, end) ?? [];
}

/** A wire of a path, with its stations. */
export interface FurtherWire {
  readonly id: string;
  /** From the station that requests the wire to the one that answers. */
  readonly stations: readonly PathSegment[];
}

/** The wires of a service chain that follow the current station's wire on the path, in order. */
export function wiresBehind(connection: Connection): FurtherWire[] {
  const segments = connection.path?.pathSegments ?? [];
  const starts = startsOf(segments);
  const { number } = wireAt(connection);
  return starts.slice(number).map((start, i) => ({
    id: idOf(connection, number + 1 + i, start),
    stations: segments.slice(start, (starts[number + 1 + i] ?? segments.length) + 1),
  }));
}

/** For a service function, before its own request: marks that its client's wire ends here and another wire begins. */
export function beginWire(connection: Connection): void {
  const own = ownSegment(connection);
  if (own) own.metrics[WIRE_BEGINS] = "true";
}

/** The last wire that begins before the current segment; at the first segment the wire that begins there. */
function wireAt({ path }: Connection): {
  readonly number: number;
  readonly start: number;
  readonly end: number;
} {
  const segments = path?.pathSegments ?? [];
  const starts = startsOf(segments);
  const number = Math.max(1, starts.filter((start) => start < (path?.index ?? 0)).length);
  return { number, start: starts[number - 1] ?? 0, end: (starts[number] ?? segments.length) + 1 };
}

/**
 * Index of the first segment of each wire. Netloom's service functions mark it. Other service functions do not. Their
 * manager is a station of the wire to them and of the next wire, so its name repeats. The segment before a repeated
 * name begins a wire.
 */
function startsOf(segments: readonly PathSegment[]): number[] {
  const starts = [0];
  let passed = new Set<string>();
  for (const [i, { name, metrics }] of segments.entries()) {
    if (i > 0 && metrics[WIRE_BEGINS] !== undefined) {
      starts.push(i);
      passed = new Set();
      continue;
    }
    if (passed.has(name)) {
      starts.push(i - 1);
      passed = new Set();
    }
    passed.add(name);
  }
  return starts;
}
