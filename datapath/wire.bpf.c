/*
 * One end of a wire: what enters a device is counted and goes where the map says: to another device, into a tunnel, or, from
 * the shared device of the tunnels, where its outer headers say.
 *
 * The map is keyed by the index of the device, its value lives once per CPU: the packet path needs one look-up and no
 * atomic operation, and sums are made by the reader. A device that is not in the map is closed.
 */
#include "headers.h"

enum verdict {
	VERDICT_DROP = 0,
	VERDICT_PASS = 1,
	VERDICT_REDIRECT = 2,
	VERDICT_REDIRECT_PEER = 3,
	VERDICT_ENCAPSULATE = 4, /* as `tunnels` says of the device */
	VERDICT_DECAPSULATE = 5, /* on the shared device; in the place of a target is its UDP port */
};

/* One cache line. The words of the configuration are the same on every CPU. */
struct wire {
	__u64 action;   /* target ifindex << 32 | flags << 8 | verdict: one word, so that a change is atomic */
	__u64 source;   /* reserved: the MAC address that may send here, and flags of the check */
	__u64 packets;  /* on the wire: an aggregate of n segments counts n */
	__u64 bytes;    /* of the frames as the kernel carries them: the headers of an aggregate count once */
	__u64 reserved[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct wire);
} wires SEC(".maps");

/* What comes out of a tunnel for a device is counted beside what enters it, under its index with the highest bit. */
#define ARRIVED (1U << 31)

static __always_inline void count_arrival(struct __sk_buff *skb, __u32 ifindex)
{
	__u32 key = ifindex | ARRIVED;
	struct wire *wire = bpf_map_lookup_elem(&wires, &key);
	if (!wire)
		return;
	wire->packets += segments(skb);
	wire->bytes += skb->len;
}

#include "encapsulate.h"
#include "decapsulate.h"

SEC("tcx/wire")
int wire(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	struct wire *wire = bpf_map_lookup_elem(&wires, &ifindex);
	if (!wire)
		return drop(skb, DROP_CLOSED);
	wire->packets += segments(skb);
	wire->bytes += skb->len;

	__u64 action = *(volatile __u64 *)&wire->action;
	__u32 target = action >> 32;
	switch ((__u8)action) {
	case VERDICT_PASS:
		return TCX_NEXT;
	case VERDICT_REDIRECT:
		return bpf_redirect(target, 0);
	case VERDICT_REDIRECT_PEER:
		return bpf_redirect_peer(target, 0);
	case VERDICT_ENCAPSULATE:
		return encapsulate(skb, ifindex);
	case VERDICT_DECAPSULATE:
		return from_device(skb, htons(target));
	}
	return drop(skb, DROP_CLOSED);
}

/* On the way in of an uplink: tunnel packets that this host has negotiated; all else goes on. */
SEC("tcx/uplink")
int uplink(struct __sk_buff *skb)
{
	return decapsulate(skb);
}

/* CPUs per run of `retarget`. A longer loop costs the verifier milliseconds at every load. */
#define CPUS_PER_RUN 64

struct retarget {
	__u32 ifindex;
	__u32 cpu; /* the first one */
	__u64 action;
};

/*
 * Run by the control plane: writes the action of one wire on up to 64 CPUs and leaves the counters alone, which an
 * update of the whole value would overwrite. Returns the number of CPUs; 0 when the wire is unknown.
 */
SEC("syscall")
int retarget(struct retarget *request)
{
	__u32 ifindex = request->ifindex;
	__u32 n;
	for (n = 0; n < CPUS_PER_RUN; n++) {
		struct wire *wire = bpf_map_lookup_percpu_elem(&wires, &ifindex, request->cpu + n);
		if (!wire)
			break;
		*(volatile __u64 *)&wire->action = request->action;
	}
	return n;
}

/* The text that the kernel accepts as GPL compatible; helpers of later programs need that. */
char _license[] SEC("license") = "Dual MIT/GPL";
