/** IP addresses and prefixes as values. Formatted text is always canonical: RFC 5952 for IPv6, dotted quad for IPv4. */

export interface IpAddress {
  readonly family: 4 | 6;
  /** 4 or 16 bytes in network order. */
  readonly bytes: Uint8Array;
}

export interface IpPrefix {
  readonly address: IpAddress;
  /** 0 to 32 for IPv4, 0 to 128 for IPv6. */
  readonly length: number;
}

/**
 * Parses an address without zone or brackets. `undefined` for any other text; IPv4 with leading zeros is refused (RFC 6943
 * section 3.1.1).
 */
export function parseIp(text: string): IpAddress | undefined {
  const bytes = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  return bytes && { family: bytes.length === 4 ? 4 : 6, bytes };
}

/** Parses `address/length`. Keeps host bits: see `network`. `undefined` for any other text. */
export function parsePrefix(text: string): IpPrefix | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const address = parseIp(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (!address || !/^(0|[1-9][0-9]{0,2})$/.test(digits)) return undefined;
  const length = Number(digits);
  return length <= address.bytes.length * 8 ? { address, length } : undefined;
}

export function formatIp(address: IpAddress): string {
  return address.family === 4 ? address.bytes.join(".") : formatIpv6(address.bytes);
}

export function formatPrefix(prefix: IpPrefix): string {
  return `${formatIp(prefix.address)}/${prefix.length}`;
}

/** The canonical text of an address that was validated before. Throws TypeError for any other text. */
export function canonicalIp(text: string): string {
  return formatIp(mustParseIp(text));
}

export function mustParseIp(text: string): IpAddress {
  const address = parseIp(text);
  if (!address) throw new TypeError(`not an IP address: ${JSON.stringify(text)}`);
  return address;
}

export function mustParsePrefix(text: string): IpPrefix {
  const prefix = parsePrefix(text);
  if (!prefix) throw new TypeError(`not an IP prefix: ${JSON.stringify(text)}`);
  return prefix;
}

/** The part before the slash, as written: `10.0.0.1` for `10.0.0.1/24`. */
export function addressOf(text: string): string {
  return text.split("/", 1)[0] ?? "";
}

/** The prefix with its host bits cleared. */
export function network(prefix: IpPrefix): IpPrefix {
  const bytes = prefix.address.bytes.map((byte, i) => byte & maskByte(prefix.length, i));
  return { address: { family: prefix.address.family, bytes }, length: prefix.length };
}

export function contains(prefix: IpPrefix, address: IpAddress): boolean {
  if (prefix.address.family !== address.family) return false;
  return address.bytes.every(
    (byte, i) => ((byte ^ (prefix.address.bytes[i] ?? 0)) & maskByte(prefix.length, i)) === 0,
  );
}

export function overlaps(a: IpPrefix, b: IpPrefix): boolean {
  return a.length <= b.length ? contains(a, b.address) : contains(b, a.address);
}

/** Returns a test: does one of `prefixes` cover the prefix in this text? False for text that is not a prefix. */
export function insideOf(prefixes: readonly string[]): (text: string) => boolean {
  const outer = prefixes.map(mustParsePrefix);
  return (text) => {
    const inner = parsePrefix(text);
    return (
      inner !== undefined &&
      outer.some((each) => each.length <= inner.length && contains(each, inner.address))
    );
  };
}

/** The family of a valid address or prefix text. */
export function familyOf(text: string): 4 | 6 {
  return text.includes(":") ? 6 : 4;
}

/** 32 for IPv4, 128 for IPv6. */
export function addressBits(family: 4 | 6): number {
  return family === 4 ? 32 : 128;
}

export function isFullLength(prefix: IpPrefix): boolean {
  return prefix.length === addressBits(prefix.address.family);
}

const ZERO = "0".charCodeAt(0);

function maskByte(length: number, index: number): number {
  const bits = Math.min(8, Math.max(0, length - index * 8));
  return (0xff00 >> bits) & 0xff;
}

function parseIpv4(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(4);
  let byte = 0;
  let digits = 0;
  let value = 0;
  for (let i = 0; i <= text.length; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit >= 0 && digit <= 9) {
      // No leading zeros.
      if (digits > 0 && value === 0) return undefined;
      digits += 1;
      value = value * 10 + digit;
      if (value > 255) return undefined;
      continue;
    }
    if (digits === 0 || byte === 4 || (i < text.length ? text[i] !== "." : byte !== 3)) return undefined;
    bytes[byte++] = value;
    [digits, value] = [0, 0];
  }
  return bytes;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? "", true) : [];
  if (!head || !tail) return undefined;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  return Uint8Array.from([...head, ...Array.from({ length: missing }, () => 0), ...tail]);
}

/** Bytes of colon-separated groups. With `quad` the last group may be a dotted quad. */
function parseGroups(text: string, quad: boolean): number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [i, group] of groups.entries()) {
    if (quad && i === groups.length - 1 && group.includes(".")) {
      const last = parseIpv4(group);
      if (!last) return undefined;
      bytes.push(...last);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}

function formatIpv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[i * 2] ?? 0) << 8) | (bytes[i * 2 + 1] ?? 0));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${bytes.slice(12).join(".")}`;
  }
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && groups[i + run] === 0) run++;
    if (run > length) [start, length] = [i, run];
  }
  const text = (part: number[]): string => part.map((group) => group.toString(16)).join(":");
  return start < 0 ? text(groups) : `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}
