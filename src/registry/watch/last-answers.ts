/** The last answers of a registry, kept on a host's disk for the time when the registry does not answer. */
import { fromBinary } from "@bufbuild/protobuf";
import { type Changes, ChangesSchema } from "../../api/gen/netloom/registry_pb.js";
import { seal, unseal } from "../../net/seal.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Disk } from "../../world/disk.ts";
import { bytesField } from "./answer-bytes.ts";
import type { Listed } from "../entry-kind.ts";

const FILE = "registry-answers";
const SEAL = { what: "registry-answers", version: 1 } as const;

/** Fields of netloom.registry.v1.Changes. */
const SERVICES = 2;
const ENDPOINTS = 3;

/**
 * Reads the kept answers. `undefined` if there are none; if they cannot be read, `onDamage` gets the reason, and the registry has
 * to be asked.
 */
export async function readAnswers(
  disk: Disk,
  onDamage: (problem: string) => void,
): Promise<Changes | undefined> {
  try {
    const bytes = await disk.read(FILE);
    if (!bytes) return undefined;
    const sealed = unseal(SEAL, bytes);
    if (sealed.ok) return fromBinary(ChangesSchema, sealed.content);
    onDamage(`${FILE}: ${sealed.problem}`);
  } catch (error) {
    onDamage(`${FILE}: ${(error as Error).message}`);
  }
  return undefined;
}

/** Replaces the kept answers. Returns the error if the disk refuses them. */
export async function writeAnswers(
  disk: Disk,
  services: Iterable<Listed>,
  endpoints: Iterable<Listed>,
): Promise<NetloomError | undefined> {
  const fields: Uint8Array[] = [];
  for (const { bytes } of services) fields.push(bytesField(SERVICES, bytes));
  for (const { bytes } of endpoints) fields.push(bytesField(ENDPOINTS, bytes));
  const whole = new Uint8Array(fields.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const field of fields) {
    whole.set(field, offset);
    offset += field.length;
  }
  try {
    await disk.replace(FILE, seal(SEAL, whole));
    await disk.sync(FILE);
    return undefined;
  } catch (error) {
    if (!(error instanceof NetloomError)) throw error;
    return error;
  }
}
