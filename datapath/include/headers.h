/* The parts of packets that the programs of this folder read or write. */
#pragma once

#include "bpf.h"

/* Words of a packet: they may lie anywhere, and be anything. */
typedef __u64 __attribute__((__may_alias__)) word64;
typedef __u32 __attribute__((__may_alias__)) word32;
typedef __u16 __attribute__((__may_alias__)) word16;

#define htons(x) ((__u16)__builtin_bswap16(x))
#define htonl(x) ((__u32)__builtin_bswap32(x))

#define ETH_BYTES 14
#define IPV4_BYTES 20
#define IPV6_BYTES 40
#define UDP_BYTES 8
#define VXLAN_BYTES 8

#define ETH_P_IP htons(0x0800)
#define ETH_P_IPV6 htons(0x86dd)
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define AF_INET 2
#define AF_INET6 10

/* RFC 3168 */
#define ECN_MASK 3
enum { ECN_NOT_ECT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3 };

enum { PACKET_HOST = 0 };

/*
 * The number of packets that `skb` is on the wire. An aggregate from a virtual machine says how long its segments are,
 * but not how many: that is worked out, and may be one too many as the headers are counted as payload.
 */
static __always_inline __u32 segments(const struct __sk_buff *skb)
{
	if (skb->gso_segs)
		return skb->gso_segs;
	if (skb->gso_size)
		return (skb->len + skb->gso_size - 1) / skb->gso_size;
	return 1;
}
