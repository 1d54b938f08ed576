/** grpc.health.v1 for every listener: each of its services is SERVING, and so is the listener as a whole. */
import { create } from "@bufbuild/protobuf";
import {
  Health,
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponseSchema,
} from "../api/gen/grpc/health/v1/health_pb.js";
import { serve, type Served } from "../api/rpc.ts";
import { NetloomError } from "../errors/errors.ts";
import { type Watch, watchOf } from "../async/watch.ts";

/**
 * For a service that is not in `names`, Check answers NOT_FOUND and Watch SERVICE_UNKNOWN, as the protocol requires.
 */
export function healthOf(names: ReadonlySet<string>): Served {
  const isServed = ({ service }: HealthCheckRequest): boolean => service === "" || names.has(service);
  const answerOf = (request: HealthCheckRequest): HealthCheckResponse =>
    create(HealthCheckResponseSchema, {
      status: isServed(request) ? ServingStatus.SERVING : ServingStatus.SERVICE_UNKNOWN,
    });
  return serve(Health, {
    check: async (request) => {
      if (isServed(request)) return answerOf(request);
      throw new NetloomError("NOT_FOUND", `check ${request.service}: there is no such service here`);
    },
    watch: (request) => onceAndOpen(answerOf(request)),
  });
}

/** A watch with one answer that stays open: the services of a listener never change. */
function onceAndOpen<T>(answer: T): Watch<T> {
  const left = [answer];
  let close = (): void => undefined;
  const closed = new Promise<undefined>((resolve) => (close = () => resolve(undefined)));
  return watchOf({ take: async () => left.shift() ?? (await closed), close });
}
