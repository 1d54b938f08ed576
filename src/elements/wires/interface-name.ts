/** Names for devices that no document names. Upstream: sdk/pkg/tools/nanoid/utils.go */
import type { Random } from "../../world/world.ts";

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const MAX_BYTES = 15;
const MAX_PREFIX = 10;

/**
 * `service-xxxx`: at most ten characters of the service's name and at least four random ones, fifteen in all. The same
 * connection gets the same name for the same `n`.
 */
export function interfaceName(
  random: Random,
  service: string,
  draw: { readonly connectionId: string; readonly n: number },
): string {
  const prefix = service.replaceAll(/[^A-Za-z0-9_.-]/g, "").slice(0, MAX_PREFIX);
  const length = MAX_BYTES - prefix.length - 1;
  const bytes = random.bytes(`interface name ${draw.connectionId}`, draw.n, length);
  return `${prefix}-${Array.from(bytes, (byte) => ALPHABET[byte % ALPHABET.length]).join("")}`;
}
