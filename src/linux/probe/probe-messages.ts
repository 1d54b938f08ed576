/** Netlink messages of probe-trials.ts for features that the rest of Netloom does not use. */
import * as k from "../netlink/constants.ts";
import { type NetlinkMessage, messages, readAck, readAttributes } from "../netlink/message-reader.ts";
import { batch, change, MessageWriter } from "../netlink/message-writer.ts";
import { close, receive, send, SOCK_RAW, socket } from "../libc/syscall.ts";

const IFINFOMSG_BYTES = 16;
const IFLA_VXLAN_COLLECT_METADATA = 25;

/** `ip link add NAME type KIND`, with the mandatory attributes of the kind. */
export function newLinkOfKind(kind: string, name: string, data?: (m: MessageWriter) => void): Uint8Array {
  const m = change(k.RTM_NEWLINK, k.NLM_F_CREATE | k.NLM_F_EXCL);
  m.u8(k.AF_UNSPEC).u8(0).u16(0).i32(0).u32(0).u32(0);
  // One name per kind: devices stay in the namespace between trials.
  m.attributeString(k.IFLA_IFNAME, `${name}-${kind}`.slice(0, k.IFNAMSIZ - 1));
  m.attribute(k.IFLA_LINKINFO, () => {
    m.attributeText(k.IFLA_INFO_KIND, kind);
    const fill = data ?? NEEDS[kind];
    if (fill !== undefined) {
      m.attribute(k.IFLA_INFO_DATA, () => fill(m));
    }
  });
  return m.finish();
}

/** Mandatory attributes of some kinds. The others are made without, or refuse for a reason that shows that they exist. */
const NEEDS: Readonly<Record<string, (m: MessageWriter) => void>> = {
  vxlan: (m) => m.attributeU32(k.IFLA_VXLAN_ID, 1),
  vrf: (m) => m.attributeU32(1, 100),
  geneve: (m) => m.attributeU32(1, 1).attributeIp(2, "192.0.2.1"),
};

/** Messages that make a VXLAN device with one more attribute, and query whether the kernel knows it. */
export function vxlanAttributes(option: { isExternal: boolean; attribute: number; value: number }): {
  readonly create: Uint8Array;
  readonly get: Uint8Array;
  readonly value: number;
  readonly decode: (message: NetlinkMessage) => number | undefined;
} {
  const name = `probe-${option.attribute}`;
  const create = newLinkOfKind("vxlan", name, (m) => {
    if (option.isExternal) {
      m.attributeU8(IFLA_VXLAN_COLLECT_METADATA, 1);
    } else {
      m.attributeU32(k.IFLA_VXLAN_ID, 2);
    }
    m.attribute(k.IFLA_VXLAN_PORT, () => m.be16(4000 + option.attribute));
    m.attributeU8(option.attribute, option.value);
  });
  const get = new MessageWriter(k.RTM_GETLINK, 0);
  get.u8(k.AF_UNSPEC).u8(0).u16(0).i32(0).u32(0).u32(0);
  get.attributeString(k.IFLA_IFNAME, `${name}-vxlan`);
  const decode = (message: NetlinkMessage): number | undefined =>
    readAttributes("link", message.body, IFINFOMSG_BYTES)
      .nested(k.IFLA_LINKINFO)
      ?.nested(k.IFLA_INFO_DATA)
      ?.u8(option.attribute);
  return { create, get: get.finish(), value: option.value, decode };
}

/** `tc qdisc replace dev lo root KIND`; clsact has its own parent and handle. */
export function newQdisc(kind: string): Uint8Array {
  const CLSACT = { parent: 0xfffffff1, handle: 0xffff0000 };
  const place = kind === "clsact" ? CLSACT : { parent: k.TC_H_ROOT, handle: 0 };
  const m = change(k.RTM_NEWQDISC, k.NLM_F_CREATE | k.NLM_F_REPLACE);
  m.u8(k.AF_UNSPEC).u8(0).u16(0).i32(k.LOOPBACK_IFINDEX).u32(place.handle).u32(place.parent).u32(0);
  m.attributeString(k.TCA_KIND, kind);
  return m.finish();
}

const RTA_ENCAP_TYPE = 21;
const RTA_ENCAP = 22;
const LWTUNNEL = { seg6: 5, seg6local: 7 };

/** `ip -6 route add 2001:db8::1 encap seg6 mode encap segs 2001:db8::2 dev lo`, or `encap seg6local action End`. */
export function encapsulatedRoute(encapsulation: "seg6" | "seg6local"): Uint8Array {
  const m = change(k.RTM_NEWROUTE, k.NLM_F_CREATE);
  const [PREFIX, STATIC] = [128, 4];
  m.u8(k.AF_INET6).u8(PREFIX).u8(0).u8(0);
  m.u8(k.RT_TABLE_MAIN).u8(STATIC).u8(k.RT_SCOPE_UNIVERSE).u8(k.RTN_UNICAST).u32(0);
  m.attributeIp(k.RTA_DST, encapsulation === "seg6" ? "2001:db8::1" : "2001:db8::3");
  m.attributeU32(k.RTA_OIF, k.LOOPBACK_IFINDEX);
  m.attribute(RTA_ENCAP_TYPE, () => m.u16(LWTUNNEL[encapsulation]));
  m.attribute(RTA_ENCAP | k.NLA_F_NESTED, () => {
    if (encapsulation === "seg6local") {
      const [SEG6_LOCAL_ACTION, END] = [1, 1];
      m.attributeU32(SEG6_LOCAL_ACTION, END);
      return;
    }
    // SEG6_IPTUNNEL_SRH: u32 mode (1 = encap), then a segment routing header with one segment, RFC 8754 section 2.
    m.attribute(1, () => {
      m.u32(1).u8(0).u8(2).u8(4).u8(0).u8(0).u8(0).u16(0);
      m.bytes(Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2));
    });
  });
  return m.finish();
}

const NETLINK_NETFILTER = 12;
const NFT_MSG_GETGEN = (10 << 8) | 16;

/** Does nf_tables answer? Equivalent to: `nft list ruleset` without the rules. */
export function isNftablesThere(): boolean {
  const fd = socket(k.AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
  try {
    const request = new MessageWriter(NFT_MSG_GETGEN, 0).u8(k.AF_UNSPEC).u8(0).be16(0).finish();
    send(fd, batch([request], 1));
    const answer = receive(fd, new Uint8Array(4096));
    return answer !== undefined && messages(answer).some((message) => readAck(message) === undefined);
  } finally {
    close(fd);
  }
}
