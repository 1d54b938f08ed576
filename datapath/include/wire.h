/*
 * The entry of a device: what becomes of what enters it, what may enter, and how much has. What comes out of a tunnel for the
 * device has an entry of its own.
 */
#pragma once

#include "headers.h"

enum verdict {
	VERDICT_DROP = 0,
	VERDICT_PASS = 1,
	VERDICT_REDIRECT = 2,      /* what is for `short_cut` to the far end of the target */
	VERDICT_REDIRECT_PEER = 3,
	VERDICT_ENCAPSULATE = 4, /* as `tunnels` says of the device */
	VERDICT_DECAPSULATE = 5, /* on the shared device; in the place of a target is its UDP port */
};

/* One cache line. The words of the configuration are the same on every CPU. */
struct wire {
	__u64 action;    /* target ifindex << 32 | verdict: one word, so that a change is atomic */
	__u64 guard;     /* GUARD_* << 48 | the MAC address that may send here: likewise */
	__u64 packets;   /* on the wire: an aggregate of n segments counts n */
	__u64 bytes;     /* of the frames as the kernel carries them: the headers of an aggregate count once */
	__u32 first6[4]; /* the first of its addresses of each family: most packets need no further look-up */
	__u32 first4;
	__u32 reserved;
	__u64 short_cut; /* a MAC address; 0 is none */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct wire);
} wires SEC(".maps");

/* The key of what comes out of the tunnel of a device: its index with the highest bit. */
#define ARRIVED (1U << 31)

static __always_inline void count(struct wire *wire, const struct __sk_buff *skb)
{
	wire->packets += segments(skb);
	wire->bytes += skb->len;
}
