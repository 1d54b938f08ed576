import { byteLength } from "./byte-length.ts";

/** What is wrong with a device's name, to go on after it; the kernel's `dev_valid_name` and two words of sysctl. */
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
