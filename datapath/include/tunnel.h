/*
 * Tunnels: what leaves a device of this host in outer headers, and what comes in them.
 *
 *   workload ==veth== host's end --encapsulate--> uplink           plain IP: the headers are built from a template
 *                                 \-----------> shared device      all else: the kernel's own tunnel device builds them
 *   workload <--peer-- host's end <--decapsulate-- uplink          plain IP
 *                       \<------------------------ shared device   all else
 *
 * Both ways in ask the same map for (outer source, outer destination, port, VNI): what is not there is nobody's.
 */
#pragma once

#include "drops.h"

/* The largest: IPv6, UDP, VXLAN. */
#define TEMPLATE_BYTES 56

/* Its peer does not take UDP checksums of zero (RFC 6935): the template writes none, the device does. */
#define TUNNEL_CHECKSUM 2

/* By index of the device whose frames go into it. */
struct tunnel {
	__u8 header[TEMPLATE_BYTES]; /* IP, UDP and VXLAN, ready but for lengths, id, checksum, ECN and source port */
	__u32 sum;   /* of the 16-bit words of the IPv4 header, not folded */
	__u8 family; /* AF_* */
	__u8 flags;  /* TUNNEL_* */
	__u16 port;  /* UDP port, in the order of the host */
};

/* Indexes of the shared devices, by the low byte of their UDP port; 0: there is none. */
#define DEVICES 256

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEVICES);
	__type(key, __u32);
	__type(value, __u32);
} devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct tunnel);
} tunnels SEC(".maps");

/* The first word: 1 if every packet has to pass by the kernel's own stack, because a rule of this host may be about it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} slow SEC(".maps");

static __always_inline int is_slow(void)
{
	__u32 key = 0;
	__u32 *word = bpf_map_lookup_elem(&slow, &key);
	return !word || *word;
}

static __always_inline __u32 device_of(const struct tunnel *tunnel)
{
	__u32 slot = tunnel->port % DEVICES;
	__u32 *device = bpf_map_lookup_elem(&devices, &slot);
	return device ? *device : 0;
}

/* All as it stands in the packet. */
struct from4 {
	__u32 source;
	__u32 destination;
	__u32 vni; /* the second word of the VXLAN header */
	__u16 port;
	__u16 zero;
};

struct from6 {
	__u32 source[4];
	__u32 destination[4];
	__u32 vni;
	__u16 port;
	__u16 zero;
};

/* There is no shared device that would take what this program leaves: packets with a UDP checksum are taken, too. */
#define ARRIVAL_ALONE 1

/* The device whose entry for what arrives says the rest. */
struct arrival {
	__u32 ifindex;
	__u32 flags;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct from4);
	__type(value, struct arrival);
} arrivals4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct from6);
	__type(value, struct arrival);
} arrivals6 SEC(".maps");

/*
 * The senders of tunnel packets that nobody negotiated, with the number of their packets. An IPv4 address is written as an IPv4-mapped
 * IPv6 address (RFC 4291 section 2.5.5.2). Only the latest ones are kept, so that a sweep of all VNIs takes no memory. Only the path of
 * packets that are dropped anyway writes it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, struct from6);
	__type(value, __u64);
} strangers SEC(".maps");

static __always_inline int drop_of_stranger(const struct __sk_buff *skb, const struct from6 *from)
{
	__u64 packets = segments(skb);
	__u64 *known = bpf_map_lookup_elem(&strangers, from);
	if (known)
		__sync_fetch_and_add(known, packets);
	else
		bpf_map_update_elem(&strangers, from, &packets, BPF_ANY);
	return drop(skb, DROP_UNKNOWN);
}
