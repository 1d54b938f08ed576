import { byteLength } from "./byte-length.ts";

/**
 * The reason why a device name is invalid, worded to follow the name; `undefined` if it is valid. Checks the kernel's
 * `dev_valid_name`, the sysctl names `all` and `default`, and `lo`.
 */
export function interfaceNameProblem(name: string): string | undefined {
  const bytes = byteLength(name);
  if (bytes === 0) return "is empty";
  if (bytes > 15) return `has ${bytes} bytes; Linux takes 15`;
  if (/[\s/:%]/.test(name) || /\p{Cc}/u.test(name)) {
    return "holds a character that Linux does not take (white space, '/', ':' or '%')";
  }
  if ([".", "..", "all", "default", "lo"].includes(name)) return "is a word that Linux keeps for itself";
  return undefined;
}
