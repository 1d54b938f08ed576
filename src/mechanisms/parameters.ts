/** Parameters of mechanisms in messages: texts by name. Upstream: api/pkg/api/networkservice/mechanisms/common/constants.go */

export type ParameterMap = Readonly<Record<string, string>>;

/** A parsed value, or all its problems: `vni "0" is not from 1 to 16777215`. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Names of parameters that several of upstream's mechanisms share. */
export const COMMON = {
  inodeUrl: "inodeURL",
  name: "name",
  sourceIp: "src_ip",
  destinationIp: "dst_ip",
  sourcePort: "src_port",
  destinationPort: "dst_port",
  mtu: "MTU",
} as const;

/** Parses a whole number from 0 to `max` in decimal digits. */
export function readNumber(text: string | undefined, max: number): number | undefined {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}

/** The `MTU` of a mechanism in bytes; 0 means not set. */
export function mtuOf(parameters: ParameterMap): number {
  return readNumber(parameters[COMMON.mtu], 65_535) ?? 0;
}

/** The smaller MTU; 0 means not set. */
export function smallerMtu(a: number, b: number): number {
  return a && b ? Math.min(a, b) : a || b;
}

/** Whether a value is a valid MTU in messages. */
export function isMtu(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 65_535;
}
