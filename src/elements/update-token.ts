/** Who vouches for the segments of a path, and until when. Upstream: sdk/pkg/networkservice/common/updatetoken */
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Connection, PathSegment } from "../api/gen/nsm/connection_pb.js";
import { memoryKey, type Call } from "../chain/call.ts";
import type { Identity, Token } from "../identity/identity.ts";
import { ownSegment, previousSegment, type ConnectionElement } from "./connection.ts";

/** No promise is taken for longer, whatever it says. */
const MAX_LIFETIME_MS = 24 * 3_600_000;

/** Of the caller's segment, as this process has last told it. */
const TOLD_EXPIRY = memoryKey<number>("update-token: the caller's expiry");

/**
 * For a role that has a caller.
 *
 * Guarantees
 * - Behind it the caller's segment and the own one have a token and an expiry, on request and close.
 * - A caller's token that came beside the message wins over what is in the path.
 * - A caller without a token may say how long it means to stay (`expires` of its segment); one that only repeats what it
 *   was told before, or says nothing, gets as long as this process's own token.
 */
export function updateToken(identity: Identity): ConnectionElement {
  const stamp = (call: Call, connection: Connection): void => {
    const previous = previousSegment(connection);
    const token = identity.token(call.peer);
    if (previous) stampCaller(call, previous, { sent: identity.tokenOf(call.metadata ?? {}), own: token });
    const own = ownSegment(connection);
    if (own) setToken(own, token);
  };
  return {
    name: "update-token",
    request(call, request, next) {
      if (request.connection) stamp(call, request.connection);
      return next(request, { ...call, outgoing: identity.outgoing() });
    },
    close(call, connection, next) {
      stamp(call, connection);
      return next(connection, { ...call, outgoing: identity.outgoing() });
    },
  };
}

/** For a role that begins the path: its own segment, and what goes beside the message. */
export function updateOwnToken(identity: Identity): ConnectionElement {
  return {
    name: "update-token",
    request(call, request, next) {
      const own = request.connection && ownSegment(request.connection);
      if (own) setToken(own, identity.token());
      return next(request, { ...call, outgoing: identity.outgoing() });
    },
    close(call, connection, next) {
      const own = ownSegment(connection);
      if (own) setToken(own, identity.token());
      return next(connection, { ...call, outgoing: identity.outgoing() });
    },
  };
}

function stampCaller(
  call: Call,
  caller: PathSegment,
  { sent, own }: { readonly sent: Token | undefined; readonly own: Token },
): void {
  if (sent) {
    setToken(caller, sent);
    return;
  }
  const nowMs = call.world.clock.wallMs();
  const said = caller.expires ? timestampMs(caller.expires) : 0;
  const isNews = said > nowMs && said !== call.memory.get(TOLD_EXPIRY);
  const expiresAtMs = isNews ? Math.min(said, nowMs + MAX_LIFETIME_MS) : own.expiresAtMs;
  call.memory.set(TOLD_EXPIRY, expiresAtMs);
  caller.expires = timestampFromMs(expiresAtMs);
}

function setToken(segment: PathSegment, { text, expiresAtMs }: Token): void {
  segment.token = text;
  segment.expires = timestampFromMs(expiresAtMs);
}
