/** Which wire a station of a path has to do with. */
import type { Connection, PathSegment } from "../../api/gen/nsm/connection_pb.js";
import { CONNECTION_ID_BYTES } from "../../mechanisms/naming.ts";
import { byteLength } from "../../net/byte-length.ts";
import { hash64 } from "../../net/hash.ts";
import { ownSegment } from "../connection.ts";

/**
 * Key of the metrics of a station that ends one wire and asks for the next. Of all that a path has, a station's metrics are its
 * own, and every other station hands them on as they are: its name, id and token mean something already.
 */
const WIRE_BEGINS = "wire_begins";

const STARTER_DIGITS = 8;

/** What people see of an id that is too long. */
const HEAD_CHARACTERS = 32;

/**
 * Owner of all that is made for the connection, on every host. A path is one wire, or in a service chain several, each
 * from one workload to the next:
 *
 *   nsc  manager  forwarder  firewall  manager  forwarder  nse
 *   └───────── first ────────────┘└───────── second ────────┘
 *
 * Guarantees
 * - It follows from the path up to the present segment, and is the same for all stations of a wire, in every life of theirs
 *   and whichever way the wire takes: the id of segment 0, which the client chooses; for the second wire and further ones
 *   with its number and a hash of the name of who asks for it: `<id>.2.<hash>`.
 * - It is the owner that devices name in their alias. What an alias cannot hold (more than 242 bytes, control characters) is
 *   its beginning with a hash of it: `<beginning>~<hash>`.
 * - A network function that answers for the first wire and asks for the second is a station of the first.
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

/** The stations of the wire, as far as the path is known: from who asks for it to who answers. */
export function stationsOf(connection: Connection): PathSegment[] {
  const { start, end } = wireAt(connection);
  return connection.path?.pathSegments.slice(start, end) ?? [];
}

/** A wire of a path, with its stations. */
export interface FurtherWire {
  readonly id: string;
  /** From who asks for it to who answers. */
  readonly stations: readonly PathSegment[];
}

/** The wires that the path goes on with behind that of the present station, in their order: those of a service chain. */
export function wiresBehind(connection: Connection): FurtherWire[] {
  const segments = connection.path?.pathSegments ?? [];
  const starts = startsOf(segments);
  const { number } = wireAt(connection);
  return starts.slice(number).map((start, i) => ({
    id: idOf(connection, number + 1 + i, start),
    stations: segments.slice(start, (starts[number + 1 + i] ?? segments.length) + 1),
  }));
}

/** For a network function, before it asks on: says that the wire that it answers for ends here, and that another one begins. */
export function beginWire(connection: Connection): void {
  const own = ownSegment(connection);
  if (own) own.metrics[WIRE_BEGINS] = "true";
}

/** The last wire that begins before the present segment; at the first one the one that begins there. */
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
 * Index of the first segment of each wire: the one that says so. Network functions of others say nothing; what leads a wire to
 * one is the manager of its host, and that one leads the next wire on: where a station comes again, the one before it has asked.
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
