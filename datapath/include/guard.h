/*
 * Checks the frames that a side of a wire sends. It may send frames from its MAC, and packets from its addresses and from the
 * networks that are routed to it. It may not configure the other side unasked, nor choose the route of a packet.
 */
#pragma once

#include "drops.h"
#include "wire.h"

#define GUARD_MAC 1      /* frames come from one MAC */
#define GUARD_SOURCES 2  /* packets come from what `sources` has for the entry */
#define GUARD_DHCP 4     /* no answers of DHCP servers */
#define GUARD_ROUTERS 8  /* no router advertisements and redirects (RFC 792, 1256, 4861) */
#define GUARD_FIRST4 16  /* `first4` is an address */
#define GUARD_FIRST6 32  /* `first6` is */
#define GUARD_ON 64      /* there is a guard, whatever else it says: no source routes, nothing that hides */

#define MAC_MASK 0xffffffffffffULL

/* The prefixes that an entry of `wires` may send from. */
struct source {
	__u32 bits;       /* of what follows */
	__u32 entry;      /* its key there */
	__u32 family;     /* AF_* */
	__u32 address[4]; /* an IPv4 address is in the first word */
};

#define SOURCE_BITS(address) (64 + (address))

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 524288);
	__type(key, struct source);
	__type(value, __u32);
} sources SEC(".maps");

/* The same as a list, in the order in which it was given: no program reads it. */
#define GRANTS 8

struct grant {
	__u8 family; /* 4 or 6; 0 ends the list */
	__u8 bits;
	__u8 address[16];
};

struct grants_key {
	__u32 entry;
	__u32 part; /* 0, 1 … */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 131072);
	__type(key, struct grants_key);
	__type(value, struct grant[GRANTS]);
} grants SEC(".maps");

/* The wires whose frames were dropped, by entry of `wires` and reason: the latest ones. */
struct offence {
	__u32 entry;
	__u32 reason;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct offence);
	__type(value, __u64);
} offences SEC(".maps");

/* The answer for a frame that may pass; else it is a reason. */
#define PASSES (-1)

struct guarded {
	const struct wire *wire;
	__u32 entry;
	__u32 may;
};

static __always_inline int is_granted4(const struct guarded *by, __u32 address)
{
	if ((by->may & GUARD_FIRST4) && address == by->wire->first4)
		return 1;
	struct source from = { SOURCE_BITS(32), by->entry, AF_INET, { address } };
	return bpf_map_lookup_elem(&sources, &from) != 0;
}

static __always_inline int is_granted6(const struct guarded *by, const __u32 *address)
{
	const __u32 *first = by->wire->first6;
	if ((by->may & GUARD_FIRST6) && address[0] == first[0] && address[1] == first[1] && address[2] == first[2] &&
	    address[3] == first[3])
		return 1;
	struct source from = { SOURCE_BITS(128), by->entry, AF_INET6, {} };
	for (int i = 0; i < 4; i++)
		from.address[i] = address[i];
	return bpf_map_lookup_elem(&sources, &from) != 0;
}

/* fe80::/10: of the link, which has two ends. */
static __always_inline int is_link_local(const __u32 *address)
{
	return (address[0] & htonl(0xffc00000)) == htonl(0xfe800000);
}

static __always_inline int may_claim6(const struct guarded *by, const __u32 *address)
{
	return is_link_local(address) || is_granted6(by, address);
}

#define ARP_BYTES 28

/* RFC 826. Whoever claims an address has it. */
static __always_inline int guard_arp(struct __sk_buff *skb, const struct guarded *by)
{
	struct {
		__u16 hardware, protocol;
		__u8 hardware_bytes, protocol_bytes;
		__u16 operation;
		__u16 mac[3], ip[2];
	} arp;
	if (skb->len < ETH_BYTES + ARP_BYTES || bpf_skb_load_bytes(skb, ETH_BYTES, &arp, sizeof(arp)))
		return DROP_UNREADABLE;
	if (arp.protocol != ETH_P_IP || arp.hardware_bytes != 6 || arp.protocol_bytes != 4)
		return DROP_UNREADABLE;
	__u64 mac = arp.mac[0] | (__u64)arp.mac[1] << 16 | (__u64)arp.mac[2] << 32;
	if ((by->may & GUARD_MAC) && mac != (by->wire->guard & MAC_MASK))
		return DROP_MAC;
	__u32 ip = arp.ip[0] | (__u32)arp.ip[1] << 16;
	/* A host without an address asks whether somebody has it (RFC 5227). */
	return ip == 0 || !(by->may & GUARD_SOURCES) || is_granted4(by, ip) ? PASSES : DROP_SOURCE;
}

/* Loose and strict source routes (RFC 791 section 3.1). */
#define OPTION_END 0
#define OPTION_NONE 1
#define OPTION_LOOSE 131
#define OPTION_STRICT 137
#define OPTIONS_BYTES 40

static __always_inline int guard_options(struct __sk_buff *skb, __u32 bytes)
{
	__u8 options[64] = {};
	/* It is 4 to 40, which the compiler knows. The verifier wants to see that it is 1 to 64. */
	__u32 size = bytes - 1;
	asm volatile("" : "+r"(size));
	if (bpf_skb_load_bytes(skb, ETH_BYTES + IPV4_BYTES, options, (size & 63) + 1))
		return DROP_UNREADABLE;
	__u32 at = 0;
	for (int i = 0; i < OPTIONS_BYTES; i++) {
		if (at >= bytes || at >= OPTIONS_BYTES)
			break;
		__u8 type = options[at];
		if (type == OPTION_END)
			break;
		if (type == OPTION_LOOSE || type == OPTION_STRICT)
			return DROP_SOURCE_ROUTED;
		if (type == OPTION_NONE) {
			at++;
			continue;
		}
		if (at + 1 >= OPTIONS_BYTES)
			return DROP_UNREADABLE;
		__u8 length = options[at + 1];
		if (length < 2)
			return DROP_UNREADABLE;
		at += length;
	}
	return PASSES;
}

#define IPPROTO_ICMP 1
#define DHCP_CLIENT htons(68)
#define DHCP6_CLIENT htons(546)

static __always_inline int is_to_port(struct __sk_buff *skb, __u32 at, __u16 port)
{
	__u16 to = 0;
	return !bpf_skb_load_bytes(skb, at + 2, &to, 2) && to == port;
}

enum {
	ICMP_UNREACHABLE = 3,
	ICMP_REDIRECT = 5,
	ICMP_ROUTER_ADVERTISEMENT = 9,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
};

/*
 * `may_come`: by its source. Any router on the way says why a packet cannot go on: by the packet, which is quoted, it is told who was
 * meant (RFC 792).
 */
static __always_inline int guard_icmp(struct __sk_buff *skb, const struct guarded *by, __u32 at, int may_come)
{
	__u8 type = 0;
	__u32 to = 0;
	if (bpf_skb_load_bytes(skb, at, &type, 1))
		return DROP_UNREADABLE;
	if ((by->may & GUARD_ROUTERS) && (type == ICMP_REDIRECT || type == ICMP_ROUTER_ADVERTISEMENT))
		return DROP_SERVER;
	if (may_come)
		return PASSES;
	if (type != ICMP_UNREACHABLE && type != ICMP_TIME_EXCEEDED && type != ICMP_PARAMETER_PROBLEM)
		return DROP_SOURCE;
	return !bpf_skb_load_bytes(skb, at + 8 + 16, &to, 4) && is_granted4(by, to) ? PASSES : DROP_SOURCE;
}

static __always_inline int guard4(struct __sk_buff *skb, const struct guarded *by)
{
	__u32 words[5];
	if (bpf_skb_load_bytes(skb, ETH_BYTES, words, sizeof(words)))
		return DROP_UNREADABLE;
	const __u8 *ip = (const void *)words;
	__u32 bytes = (ip[0] & 15) * 4;
	if (ip[0] >> 4 != 4 || bytes < IPV4_BYTES)
		return DROP_UNREADABLE;
	if (bytes != IPV4_BYTES) {
		int reason = guard_options(skb, bytes - IPV4_BYTES);
		if (reason != PASSES)
			return reason;
	}
	/* The offset of a fragment. */
	int is_first = ((words[1] >> 16) & htons(0x1fff)) == 0;
	if ((by->may & GUARD_DHCP) && ip[9] == IPPROTO_UDP && is_first && is_to_port(skb, ETH_BYTES + bytes, DHCP_CLIENT))
		return DROP_SERVER;
	/* A host without an address sends to everybody or to a group. */
	int is_question = words[3] == 0 && (words[4] & htonl(0xe0000000)) == htonl(0xe0000000);
	int may_come = !(by->may & GUARD_SOURCES) || is_question || is_granted4(by, words[3]);
	if (ip[9] == IPPROTO_ICMP && is_first)
		return guard_icmp(skb, by, ETH_BYTES + bytes, may_come);
	return may_come ? PASSES : DROP_SOURCE;
}

#define IPPROTO_HOPOPTS 0
#define IPPROTO_ROUTING 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_AH 51
#define IPPROTO_ICMPV6 58
#define IPPROTO_NONE 59
#define IPPROTO_DSTOPTS 60
/* More of them hide something. */
#define EXTENSIONS 6

enum {
	ICMP6_ROUTER_ADVERTISEMENT = 134,
	ICMP6_NEIGHBOR_SOLICITATION = 135,
	ICMP6_NEIGHBOR_ADVERTISEMENT = 136,
	ICMP6_REDIRECT = 137,
};

/* Errors are as above (RFC 4443). An address is claimed by who answers for it, and by who asks for it without having one. */
static __always_inline int guard_icmp6(struct __sk_buff *skb, const struct guarded *by, __u32 at, int has_source,
				       int *is_answer)
{
	__u8 type = 0;
	__u32 about[4] = {};
	if (bpf_skb_load_bytes(skb, at, &type, 1))
		return DROP_UNREADABLE;
	if (type == ICMP6_ROUTER_ADVERTISEMENT || type == ICMP6_REDIRECT)
		return by->may & GUARD_ROUTERS ? DROP_SERVER : PASSES;
	if (!(by->may & GUARD_SOURCES))
		return PASSES;
	if (type == ICMP6_NEIGHBOR_ADVERTISEMENT || (type == ICMP6_NEIGHBOR_SOLICITATION && !has_source)) {
		if (bpf_skb_load_bytes(skb, at + 8, about, sizeof(about)))
			return DROP_UNREADABLE;
		return may_claim6(by, about) ? PASSES : DROP_SOURCE;
	}
	if (type >= 1 && type <= 4 && !bpf_skb_load_bytes(skb, at + 8 + 24, about, sizeof(about)))
		*is_answer = is_granted6(by, about);
	return PASSES;
}

static __always_inline int guard6(struct __sk_buff *skb, const struct guarded *by)
{
	__u32 words[10];
	if (bpf_skb_load_bytes(skb, ETH_BYTES, words, sizeof(words)))
		return DROP_UNREADABLE;
	const __u8 *ip = (const void *)words;
	if (ip[0] >> 4 != 6)
		return DROP_UNREADABLE;
	const __u32 *from = words + 2;
	int has_source = (from[0] | from[1] | from[2] | from[3]) != 0;
	__u8 next = ip[6];
	__u32 at = ETH_BYTES + IPV6_BYTES;
	int i;
	for (i = 0; i < EXTENSIONS; i++) {
		__u8 header[4];
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_FRAGMENT && next != IPPROTO_AH &&
		    next != IPPROTO_DSTOPTS)
			break;
		if (bpf_skb_load_bytes(skb, at, header, sizeof(header)))
			return DROP_UNREADABLE;
		if (next == IPPROTO_ROUTING && header[3] != 0)
			return DROP_SOURCE_ROUTED;
		if (next == IPPROTO_FRAGMENT)
			at += 8;
		else if (next == IPPROTO_AH)
			at += (header[1] + 2) * 4;
		else
			at += (header[1] + 1) * 8;
		/* A later fragment goes on with data, not with a header. */
		if (next == IPPROTO_FRAGMENT && (header[2] || (header[3] & 0xf8))) {
			next = IPPROTO_NONE;
			break;
		}
		next = header[0];
	}
	if (i == EXTENSIONS)
		return DROP_UNREADABLE;

	int is_answer = 0;
	if ((by->may & GUARD_DHCP) && next == IPPROTO_UDP && is_to_port(skb, at, DHCP6_CLIENT))
		return DROP_SERVER;
	if (next == IPPROTO_ICMPV6) {
		int reason = guard_icmp6(skb, by, at, has_source, &is_answer);
		if (reason != PASSES)
			return reason;
	}
	if (!(by->may & GUARD_SOURCES) || is_answer || may_claim6(by, from))
		return PASSES;
	/* A host without an address sends to a group. */
	return !has_source && ip[24] == 0xff ? PASSES : DROP_SOURCE;
}

#define ETH_P_ARP htons(0x0806)
#define ETH_P_8021Q htons(0x8100)
#define ETH_P_8021AD htons(0x88a8)

/* Of a frame that entered as `entry`. */
static __always_inline int guard(struct __sk_buff *skb, const struct wire *wire, __u32 entry)
{
	__u64 word = *(volatile const __u64 *)&wire->guard;
	struct guarded by = { .wire = wire, .entry = entry, .may = word >> 48 };
	if (by.may == 0)
		return PASSES;
	if (by.may & GUARD_MAC) {
		__u64 mac = 0;
		if (bpf_skb_load_bytes(skb, 6, &mac, 6))
			return DROP_UNREADABLE;
		if (mac != (word & MAC_MASK))
			return DROP_MAC;
	}
	/* A tag of VLAN 0 is none (802.1p): what has two may hide what it is. Other VLANs are networks of their own. */
	if (skb->vlan_present && (skb->vlan_tci & 0xfff))
		return PASSES;
	__u16 protocol = skb->protocol;
	if (protocol == ETH_P_IP)
		return guard4(skb, &by);
	if (protocol == ETH_P_IPV6)
		return guard6(skb, &by);
	if (protocol == ETH_P_ARP)
		return guard_arp(skb, &by);
	return protocol == ETH_P_8021Q || protocol == ETH_P_8021AD ? DROP_UNREADABLE : PASSES;
}

static __always_inline int drop_offence(const struct __sk_buff *skb, __u32 entry, __u32 reason)
{
	struct offence offence = { .entry = entry, .reason = reason };
	__u64 packets = segments(skb);
	__u64 *known = bpf_map_lookup_elem(&offences, &offence);
	if (known)
		__sync_fetch_and_add(known, packets);
	else
		bpf_map_update_elem(&offences, &offence, &packets, BPF_ANY);
	return drop(skb, reason);
}
