/**
 * The path of a connection: one segment for each process that a request passes. Every role enters the path before its
 * `begin`, because there the connection gets its id of this process. Upstream:
 * sdk/pkg/networkservice/common/updatepath/common.go at 9ac672c
 */
import { create } from "@bufbuild/protobuf";
import {
  PathSchema,
  PathSegmentSchema,
  type Connection,
  type Path,
} from "../../api/gen/nsm/connection_pb.js";
import { NetloomError } from "../../errors/errors.ts";

/**
 * Moves `connection` to the segment of the process `name`, and returns the caller's index, for `leavePath`. A process
 * that is both server and client uses one segment. Afterwards `connection.id` is this process's id of the connection.
 * INVALID_ARGUMENT if the id and the path do not match.
 */
export function enterPath(connection: Connection, name: string, uuid: () => string): number {
  const path = (connection.path ??= create(PathSchema));
  const segments = path.pathSegments;
  if (segments.length === 0) {
    connection.id ||= uuid();
    segments.push(create(PathSegmentSchema, { name, id: connection.id }));
    path.index = 0;
    return 0;
  }
  const current = segments[path.index];
  if (current?.name === name) {
    connection.id = current.id;
    return path.index;
  }
  const next = path.index + 1;
  if (!current || next > segments.length) {
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `enter path of connection ${connection.id}: index ${path.index} is beyond its ${segments.length} segments`,
    );
  }
  if (current.id !== connection.id) {
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `enter path of connection ${connection.id}: segment ${path.index} has the id ${current.id}`,
    );
  }
  const own = segments[next];
  if (!own) segments.push(create(PathSegmentSchema, { name, id: uuid() }));
  else if (own.name !== name) Object.assign(own, { name, id: uuid() });
  path.index = next;
  connection.id = segments[next]?.id ?? "";
  return next - 1;
}

/** Gives `connection` back to the caller at `callerIndex`, which `enterPath` returned. */
export function leavePath(connection: Connection, callerIndex: number): void {
  const caller = connection.path?.pathSegments[callerIndex];
  if (!connection.path || !caller) return;
  connection.path.index = callerIndex;
  connection.id = caller.id;
}

/** Drops the segments behind the current one: the tail of an earlier, longer path. */
export function cutPath(path: Path): void {
  path.pathSegments.splice(path.index + 1);
}
