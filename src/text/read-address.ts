/** Parses addresses and prefixes that people write: returns the value, or a sentence that explains the fault. */
import {
  addressBits,
  formatIp,
  formatPrefix,
  type IpAddress,
  type IpPrefix,
  network,
  parseIp,
  parsePrefix,
} from "../net/ip.ts";
import { whyUnusableInFile } from "../net/unusable.ts";
import { quote } from "./problem.ts";

export type Read<T> = { readonly value: T } | { readonly error: string };

/** Parses `10.0.0.0/24`, with no bit set after the prefix. */
export function readSubnet(text: string): Read<IpPrefix> {
  const prefix = parsePrefix(text);
  if (!prefix) {
    const hint = parseIp(text) ? "; the prefix length is missing" : "";
    return { error: `${quote(text)} is not a prefix such as 10.0.0.0/24 or fd00::/64${hint}` };
  }
  const canonical = formatPrefix(network(prefix));
  if (canonical !== formatPrefix(prefix)) {
    return { error: `${quote(text)} has host bits; did you mean "${canonical}"?` };
  }
  return { value: prefix };
}

/**
 * Parses `10.0.0.0/24`, a range of addresses for the ends of wires, assigned from the lowest up. Refuses a range whose
 * first address is unusable; unusable addresses further on are skipped at assignment.
 */
export function readPool(text: string): Read<IpPrefix> {
  const read = readSubnet(text);
  if ("error" in read) return read;
  const what = whyUnusableInFile(read.value.address);
  if (what === undefined) return read;
  return {
    error: `${quote(text)} begins with ${formatIp(read.value.address)}, ${what}, which no interface can have; take a range such as 10.0.0.0/24 or fd00::/64`,
  };
}

/** Parses `10.0.0.1/24`: the address of one end, with the length of its subnet. */
export function readInterfaceAddress(text: string): Read<IpPrefix> {
  const prefix = parsePrefix(text);
  if (!prefix) {
    const hint = parseIp(text) ? "; the prefix length is missing" : "";
    return {
      error: `${quote(text)} is not an address with prefix length such as 10.0.0.1/24 or fd00::1/64${hint}`,
    };
  }
  const error = unusable(prefix.address, text) ?? whySubnetsOwn(prefix, text);
  return error === undefined ? { value: prefix } : { error };
}

/** Parses `10.0.0.1`, or the same with full prefix length. */
export function readPointToPointAddress(text: string): Read<IpAddress> {
  const prefix = parsePrefix(text);
  if (prefix && prefix.length !== addressBits(prefix.address.family)) {
    return { error: `${quote(text)}: a wire is point to point; write the address without a prefix length` };
  }
  const address = prefix?.address ?? parseIp(text);
  if (!address) return { error: `${quote(text)} is not an address such as 10.0.0.1 or fd00::1` };
  const error = unusable(address, text);
  return error === undefined ? { value: address } : { error };
}

function unusable(address: IpAddress, text: string): string | undefined {
  const what = whyUnusableInFile(address);
  return what && `${quote(text)} is ${what}, which no interface can have here`;
}

function whySubnetsOwn(prefix: IpPrefix, text: string): string | undefined {
  const { address, length } = prefix;
  const bits = addressBits(address.family);
  if (length >= bits - 1) return undefined;
  if (formatIp(network(prefix).address) === formatIp(address)) {
    return `${quote(text)} is the address of the subnet itself; take the next one`;
  }
  if (address.family === 4 && formatIp(lastOf(prefix)) === formatIp(address)) {
    return `${quote(text)} is the broadcast address of its subnet`;
  }
  return undefined;
}

function lastOf({ address, length }: IpPrefix): IpAddress {
  const bytes = address.bytes.map((byte, i) => byte | (0xff >> Math.min(8, Math.max(0, length - 8 * i))));
  return { family: address.family, bytes };
}
