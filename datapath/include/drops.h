/* Frames that do not get through are counted by reason. */
#pragma once

#include "headers.h"

/* Why a frame did not get through. */
enum drop {
	DROP_CLOSED = 0,      /* it entered a device without an entry */
	DROP_UNKNOWN = 1,     /* a tunnel packet of a source, for a destination, with a VNI, that nobody negotiated */
	DROP_CONGESTED = 2,   /* marked as congested on the way, and its sender knows no such marks (RFC 6040) */
	DROP_REFUSED = 3,     /* the kernel put no headers on, took none off, or wrote no mark */
	DROP_SOURCE = 4,      /* a side of a wire sent from an address that is not its own, or claimed one */
	DROP_MAC = 5,         /* it sent from another MAC */
	DROP_SERVER = 6,      /* it wanted to configure the other side, which has not asked for that */
	DROP_SOURCE_ROUTED = 7, /* the packet says by which way it goes */
	DROP_UNREADABLE = 8,  /* what it is cannot be told: too short, hidden behind tags or too many headers */
	DROP_REASONS = 16,
};

struct dropped {
	__u64 packets;
	__u64 last_ns; /* CLOCK_MONOTONIC */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DROP_REASONS);
	__type(key, __u32);
	__type(value, struct dropped);
} drops SEC(".maps");

static __always_inline int drop(const struct __sk_buff *skb, __u32 reason)
{
	struct dropped *count = bpf_map_lookup_elem(&drops, &reason);
	if (count) {
		count->packets += segments(skb);
		count->last_ns = bpf_ktime_get_ns();
	}
	return TCX_DROP;
}
