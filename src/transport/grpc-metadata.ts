/** Converts the metadata beside a message between Netloom's form and gRPC's. */
import { Metadata } from "@grpc/grpc-js";
import { NetloomError } from "../errors/errors.ts";
import type { Metadata as Pairs } from "../world/hops.ts";

/** Limit on all keys and values: gRPC's recommendation (https://grpc.io/docs/guides/metadata/). */
const MAX_METADATA_BYTES = 8 * 1024;

/** INVALID_ARGUMENT for text that HTTP/2 cannot carry, RESOURCE_EXHAUSTED for more than 8 KiB. */
export function toMetadata(pairs: Pairs): Metadata {
  const metadata = new Metadata();
  let size = 0;
  for (const [key, value] of Object.entries(pairs)) {
    size += key.length + value.length;
    try {
      metadata.set(key, value);
    } catch (error) {
      throw new NetloomError("INVALID_ARGUMENT", `send metadata ${JSON.stringify(key)}: ${String(error)}`, {
        cause: error,
      });
    }
  }
  if (size > MAX_METADATA_BYTES) {
    throw new NetloomError(
      "RESOURCE_EXHAUSTED",
      `send metadata: ${size} bytes, and a message has at most ${MAX_METADATA_BYTES} beside it`,
    );
  }
  return metadata;
}

/** Of several values of a key the last counts. Binary keys and gRPC's own keys are dropped. */
export function fromMetadata(metadata: Metadata): Pairs {
  return Object.fromEntries(
    Object.keys(metadata.getMap()).flatMap((key) => {
      const value = metadata.get(key).at(-1);
      return typeof value === "string" && key !== "user-agent" ? [[key, value]] : [];
    }),
  );
}
