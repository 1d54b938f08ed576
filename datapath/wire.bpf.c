/*
 * One end of a wire: what enters a device is counted and goes where the map says: to another device, into a tunnel, or, from
 * the shared device of the tunnels, where its outer headers say.
 *
 * The map is keyed by the index of the device, its value lives once per CPU: the packet path needs one look-up and no
 * atomic operation, and sums are made by the reader. A device that is not in the map is closed.
 */
#include "wire.h"
#include "encapsulate.h"
#include "decapsulate.h"

SEC("tcx/wire")
int wire(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	__u32 entry = ifindex;
	const struct arrival *to = 0;
	struct wire *wire = bpf_map_lookup_elem(&wires, &entry);
	if (!wire)
		return drop(skb, DROP_CLOSED);
	if ((__u8)wire->action == VERDICT_DECAPSULATE) {
		count(wire, skb);
		to = from_device(skb, htons(wire->action >> 32));
		if (!to)
			return TCX_DROP;
		entry = to->ifindex | ARRIVED;
		wire = bpf_map_lookup_elem(&wires, &entry);
		if (!wire)
			return drop(skb, DROP_CLOSED);
	}
	int reason = guard(skb, wire, entry);
	if (reason != PASSES)
		return drop_offence(skb, entry, reason);
	count(wire, skb);
	if (to)
		return leave(skb, to->ifindex, wire->short_cut);

	__u64 action = *(volatile __u64 *)&wire->action;
	__u32 target = action >> 32;
	switch ((__u8)action) {
	case VERDICT_PASS:
		return TCX_NEXT;
	case VERDICT_REDIRECT:
		return leave(skb, target, wire->short_cut);
	case VERDICT_REDIRECT_PEER:
		return bpf_redirect_peer(target, 0);
	case VERDICT_ENCAPSULATE:
		return encapsulate(skb, ifindex);
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
	__u32 entry;
	__u32 cpu; /* the first one */
	struct wire wire;
};

/*
 * Run by the control plane: writes the configuration of one entry on up to 64 CPUs and leaves the counters alone, which an
 * update of the whole value would overwrite. Returns the number of CPUs; 0 when the entry is unknown.
 */
SEC("syscall")
int retarget(struct retarget *request)
{
	__u32 entry = request->entry;
	__u32 n;
	for (n = 0; n < CPUS_PER_RUN; n++) {
		struct wire *wire = bpf_map_lookup_percpu_elem(&wires, &entry, request->cpu + n);
		if (!wire)
			break;
		/* The words written last refer to these, so these come first. */
		for (int i = 0; i < 4; i++)
			wire->first6[i] = request->wire.first6[i];
		wire->first4 = request->wire.first4;
		wire->short_cut = request->wire.short_cut;
		*(volatile __u64 *)&wire->guard = request->wire.guard;
		*(volatile __u64 *)&wire->action = request->wire.action;
	}
	return n;
}

/* The text that the kernel accepts as GPL compatible; helpers of later programs need that. */
char _license[] SEC("license") = "Dual MIT/GPL";
