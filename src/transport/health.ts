/** grpc.health.v1 for every listener: each service that it has is SERVING, and so is the listener as a whole. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { status, type Server, type ServerWritableStream } from "@grpc/grpc-js";
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponseSchema,
  type HealthCheckRequest,
  type HealthCheckResponse,
} from "../api/gen/grpc/health/v1/health_pb.js";
import { methodPath } from "../api/rpc.ts";
import type { Handler } from "../world/world.ts";

/** NOT_FOUND from Check, and SERVICE_UNKNOWN from Watch, for a service that the listener has not, as the protocol wants. */
export function addHealth(server: Server, handler: Handler): void {
  const names = new Set([
    "",
    Health.typeName,
    ...handler.methods.map(({ path }) => path.split("/")[1] ?? ""),
  ]);
  const answerOf = ({ service }: HealthCheckRequest): HealthCheckResponse =>
    create(HealthCheckResponseSchema, {
      status: names.has(service) ? ServingStatus.SERVING : ServingStatus.SERVICE_UNKNOWN,
    });
  const serialize = (answer: HealthCheckResponse): Buffer =>
    Buffer.from(toBinary(HealthCheckResponseSchema, answer));
  const deserialize = (bytes: Buffer): HealthCheckRequest => fromBinary(HealthCheckRequestSchema, bytes);
  server.register<HealthCheckRequest, HealthCheckResponse>(
    methodPath(Health.method.check),
    (call, reply) => {
      if (names.has(call.request.service)) reply(null, answerOf(call.request));
      else reply({ code: status.NOT_FOUND, details: `there is no service ${call.request.service} here` });
    },
    serialize,
    deserialize,
    "unary",
  );
  server.register<HealthCheckRequest, HealthCheckResponse>(
    methodPath(Health.method.watch),
    // The stream stays open: what a listener serves does not change while it lives.
    (call: ServerWritableStream<HealthCheckRequest, HealthCheckResponse>) =>
      void call.write(answerOf(call.request)),
    serialize,
    deserialize,
    "serverStream",
  );
}
