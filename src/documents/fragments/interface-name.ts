/** Names of devices. */
import { byteLength } from "../../net/byte-length.ts";
import { interfaceNameProblem } from "../../net/interface-name.ts";
import { type FilePath, type Finding, quote } from "../../text/problem.ts";

/** Leaves room for a hyphen and four more characters within a device name's 15 bytes. */
const MAX_PREFIX_BYTES = 10;

/** Checks the full name of a device. */
export function checkInterface(name: string | undefined, path: FilePath): Finding[] {
  const problem = name === undefined ? undefined : interfaceNameProblem(name);
  return problem === undefined
    ? []
    : [{ path, message: `the interface name ${quote(name ?? "")} ${problem}` }];
}

/** Checks the prefix of device names. */
export function checkInterfacePrefix(name: string | undefined, path: FilePath): Finding[] {
  const problems = checkInterface(name, path);
  const bytes = byteLength(name ?? "");
  if (problems.length > 0 || name === undefined || bytes <= MAX_PREFIX_BYTES) return problems;
  const message = `${quote(name)} has ${bytes} bytes; a prefix of device names has at most ${MAX_PREFIX_BYTES}`;
  return [{ path, message }];
}
