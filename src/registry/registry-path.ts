/**
 * The path of a registration, sent beside the message: the tokens of all stations that it passed. Find has none.
 *
 * ```
 *  path: {"Index":1,"PathSegments":[{"token":"…"},{"token":"…"}]}
 * ```
 * Upstream: sdk/pkg/registry/common/{grpcmetadata,updatepath} at 9ac672c
 */
import { create } from "@bufbuild/protobuf";
import { type Path, PathSchema, PathSegmentSchema } from "../api/gen/nsm/connection_pb.js";
import { type Call, memoryKey } from "../chain/call.ts";
import type { Element } from "../chain/element.ts";
import type { Identity } from "../identity/identity.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Metadata } from "../world/hops.ts";

const KEY = "path";
const MAX_SEGMENTS = 64;

const PATH = memoryKey<Path>("registry-path: path");

/** The path of a call behind `updatePath`, up to this process. Empty if the caller sent none. */
export function pathOfCall(call: Call): Path {
  return call.memory.get(PATH) ?? create(PathSchema);
}

/**
 * Adds this process to the path beside a registration, and sends it on. A call without a path stays without one, as upstream.
 * INVALID_ARGUMENT if the path cannot be read.
 */
export function updatePath<T>(identity: Pick<Identity, "token" | "tokenOf" | "vouch">): Element<T, T> {
  const enter = (call: Call): Call => {
    const path = registrationWay(call.metadata, identity);
    call.memory.delete(PATH);
    const vouching = { ...call, vouch: identity.vouch };
    if (!path) return vouching;
    setToken(path, path.index, identity.token(call.peer).text);
    call.memory.set(PATH, path);
    return { ...vouching, outgoing: { ...call.outgoing, [KEY]: writePath(path) } };
  };
  return {
    name: "update-path",
    request: (call, entry, next) => next(entry, enter(call)),
    close: (call, entry, next) => next(entry, enter(call)),
  };
}

/**
 * The path beside a registration, up to this process, with its caller's token; the token of this process is still empty.
 * INVALID_ARGUMENT if the path cannot be read.
 */
export function registrationWay(
  metadata: Metadata | undefined,
  { tokenOf }: Pick<Identity, "tokenOf">,
): Path | undefined {
  const path = readPath(metadata);
  if (!path) return undefined;
  path.index = path.pathSegments.length > 0 ? path.index + 1 : 1;
  setToken(path, path.index - 1, tokenOf(metadata ?? {})?.text ?? "");
  setToken(path, path.index, "");
  path.pathSegments.splice(path.index + 1);
  return path;
}

function setToken(path: Path, index: number, token: string): void {
  const segment = (path.pathSegments[index] ??= create(PathSegmentSchema));
  if (token !== "" || segment.token === "") segment.token = token;
}

function writePath({ index, pathSegments }: Path): string {
  return JSON.stringify({ Index: index, PathSegments: pathSegments.map(({ token }) => ({ token })) });
}

/** Parses and checks the path: it may have any shape. */
export function readPath(metadata: Metadata | undefined): Path | undefined {
  const text = metadata?.[KEY];
  if (text === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw unreadable("it is not JSON");
  }
  const { Index: index = 0, PathSegments: segments } = isObject(parsed) ? parsed : { Index: undefined };
  const list: unknown = segments ?? [];
  if (!isObject(parsed) || !Array.isArray(list)) throw unreadable("it has no list of segments");
  if (list.length > MAX_SEGMENTS) throw unreadable(`it has more than ${MAX_SEGMENTS} segments`);
  const isInside =
    typeof index === "number" && Number.isInteger(index) && index >= 0 && index < Math.max(1, list.length);
  if (!isInside) throw unreadable("its index is not that of a segment");
  const pathSegments = list.map((segment: unknown) => {
    const token = isObject(segment) ? segment["token"] : undefined;
    return create(PathSegmentSchema, { token: typeof token === "string" ? token : "" });
  });
  return create(PathSchema, { index, pathSegments });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function unreadable(why: string): NetloomError {
  return new NetloomError("INVALID_ARGUMENT", `read the path beside a registration: ${why}`);
}
