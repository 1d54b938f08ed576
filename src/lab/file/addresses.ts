/** Free addresses for the links and wires of a lab. */
import { hash64 } from "../../net/hash.ts";
import { addressBits, type IpAddress, type IpPrefix, mustParsePrefix, overlaps } from "../../net/ip.ts";

/** The first two addresses of a subnet that an interface may have. */
export function firstTwo(subnet: IpPrefix): readonly [IpAddress, IpAddress] | undefined {
  const room = addressBits(subnet.address.family) - subnet.length;
  if (room === 0) return undefined;
  const first = room === 1 ? 0 : 1;
  return [plus(subnet.address, first), plus(subnet.address, first + 1)];
}

const wireRoom = { 4: mustParsePrefix("172.16.0.0/12"), 6: mustParsePrefix("fd4e:4c01::/32") };
const linkRoom = { 4: mustParsePrefix("10.0.0.0/8"), 6: mustParsePrefix("fd4e:4c00::/32") };

/**
 * Hands out subnets by the hash of a name, so that adding or removing one wire or link renumbers no other. Taken subnets
 * are skipped.
 */
export class SubnetPool {
  readonly #taken: IpPrefix[];

  constructor(taken: readonly IpPrefix[]) {
    this.#taken = [...taken];
  }

  /** A /30 or /64 for the link `name`. */
  takeLinkSubnet(name: string, family: 4 | 6): IpPrefix {
    return this.#take(linkRoom[family], family === 4 ? 30 : 64, name);
  }

  /** Two addresses for the wire `name`. */
  takeWirePair(name: string, family: 4 | 6): readonly [IpAddress, IpAddress] {
    const pair = firstTwo(this.#take(wireRoom[family], family === 4 ? 31 : 64, name));
    if (!pair) throw new TypeError("a pair has room for two");
    return pair;
  }

  #take(room: IpPrefix, length: number, name: string): IpPrefix {
    const slots = 2 ** (length - room.length);
    const start = Number(hash64(name) % BigInt(slots));
    for (let n = 0; n < slots; n++) {
      const offset = BigInt((start + n) % slots) << BigInt(addressBits(room.address.family) - length);
      const subnet = { address: plus(room.address, offset), length };
      // The first subnet of a range looks like a default: leave it to users.
      if ((start + n) % slots === 0 || this.#taken.some((other) => overlaps(other, subnet))) continue;
      this.#taken.push(subnet);
      return subnet;
    }
    throw new RangeError("no free subnet: a lab file cannot hold that many");
  }
}

function plus(address: IpAddress, offset: number | bigint): IpAddress {
  let value = address.bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) + BigInt(offset);
  const bytes = new Uint8Array(address.bytes.length);
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(value & 0xffn);
    value >>= 8n;
  }
  return { family: address.family, bytes };
}
