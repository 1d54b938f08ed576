/* In: the payload of a tunnel packet becomes a frame again. */
#pragma once

#include "guard.h"
#include "tunnel.h"

/* Flags of a VXLAN header: the VNI is valid, and nothing else is said (RFC 7348 section 5). */
#define VXLAN_FLAGS htonl(0x08000000)

/* Frames for this MAC take the short cut to the far end of a pair; all others are told apart by the device itself. */
static __always_inline int leave(struct __sk_buff *skb, __u32 ifindex, __u64 short_cut)
{
	__u64 mac = 0;
	if (short_cut && !bpf_skb_load_bytes(skb, 0, &mac, 6) && mac == short_cut)
		return bpf_redirect_peer(ifindex, 0);
	return bpf_redirect(ifindex, 0);
}

/* A packet whose outer headers are off. */
static __always_inline int arrive(struct __sk_buff *skb, const struct arrival *to)
{
	__u32 entry = to->ifindex | ARRIVED;
	struct wire *wire = bpf_map_lookup_elem(&wires, &entry);
	if (!wire)
		return drop(skb, DROP_CLOSED);
	int reason = guard(skb, wire, entry);
	if (reason != PASSES)
		return drop_offence(skb, entry, reason);
	count(wire, skb);
	return leave(skb, to->ifindex, wire->short_cut);
}

/* The answer for a packet whose outer headers are off. */
#define IS_OFF (-2)

/* `where` is set to where it goes, with IS_OFF. */
static __always_inline int decapsulate_as(struct __sk_buff *skb, const int is6, const struct arrival **where)
{
	const __u32 outer = (is6 ? IPV6_BYTES : IPV4_BYTES) + UDP_BYTES + VXLAN_BYTES;
	/* To the end of the shortest inner packet. */
	const __u32 linear = ETH_BYTES + outer + ETH_BYTES + IPV4_BYTES;
	void *data = (void *)(long)skb->data;
	if (data + linear > (void *)(long)skb->data_end) {
		/* Not for a packet that is too short for it. */
		if (skb->len < linear || bpf_skb_pull_data(skb, linear))
			return TCX_NEXT;
		data = (void *)(long)skb->data;
		if (data + linear > (void *)(long)skb->data_end)
			return TCX_NEXT;
	}
	void *ip = data + ETH_BYTES;
	void *udp = ip + (is6 ? IPV6_BYTES : IPV4_BYTES);
	const struct arrival *to;
	__u8 ecn;
	if (*(word32 *)(udp + UDP_BYTES) != VXLAN_FLAGS)
		return TCX_NEXT;
	if (is6) {
		if (*(__u8 *)ip >> 4 != 6 || *(__u8 *)(ip + 6) != IPPROTO_UDP)
			return TCX_NEXT;
		struct from6 from = {};
		for (int i = 0; i < 4; i++) {
			from.source[i] = *(word32 *)(ip + 8 + 4 * i);
			from.destination[i] = *(word32 *)(ip + 24 + 4 * i);
		}
		from.port = *(word16 *)(udp + 2);
		from.vni = *(word32 *)(udp + 12);
		to = bpf_map_lookup_elem(&arrivals6, &from);
		ecn = (*(__u8 *)(ip + 1) >> 4) & ECN_MASK;
	} else {
		/* No options; no fragment. */
		if (*(__u8 *)ip != 0x45 || *(__u8 *)(ip + 9) != IPPROTO_UDP || (*(word16 *)(ip + 6) & htons(0x3fff)))
			return TCX_NEXT;
		struct from4 from = {};
		from.source = *(word32 *)(ip + 12);
		from.destination = *(word32 *)(ip + 16);
		from.port = *(word16 *)(udp + 2);
		from.vni = *(word32 *)(udp + 12);
		to = bpf_map_lookup_elem(&arrivals4, &from);
		__u32 sum = 0;
#pragma unroll
		for (int i = 0; i < IPV4_BYTES; i += 2)
			sum += *(word16 *)(ip + i);
		sum = (sum & 0xffff) + (sum >> 16);
		if (((sum & 0xffff) + (sum >> 16)) != 0xffff)
			return TCX_NEXT;
		ecn = *(__u8 *)(ip + 1) & ECN_MASK;
	}
	/* A packet that nobody negotiated may be for another host. If not, it is dropped behind the shared device. */
	if (!to)
		return TCX_NEXT;
	/* The checksum of a packet that a virtual device carries may be yet to be written, at a place that is cut off here. */
	if (*(word16 *)(udp + 6) != 0 && !(to->flags & ARRIVAL_ALONE))
		return TCX_NEXT;
	/* Lengths that lie are the kernel's to judge. */
	__u32 total = skb->len - ETH_BYTES;
	__u16 said = is6 ? htons(*(word16 *)(ip + 4)) + IPV6_BYTES : htons(*(word16 *)(ip + 2));
	if (said != total || htons(*(word16 *)(udp + 4)) != total - (is6 ? IPV6_BYTES : IPV4_BYTES))
		return TCX_NEXT;
	/* A shrink leaves the marks of a tunnel on an aggregate, by which its segments of UDP would be lost. */
	if (skb->gso_size)
		return TCX_NEXT;

	void *inner = udp + UDP_BYTES + VXLAN_BYTES;
	__u16 protocol = *(word16 *)(inner + 12);
	if (protocol != ETH_P_IP && protocol != ETH_P_IPV6)
		return TCX_NEXT;
	/* Too short for its header: likewise. */
	if (protocol == ETH_P_IPV6 && skb->len < ETH_BYTES + outer + ETH_BYTES + IPV6_BYTES)
		return TCX_NEXT;
	__u8 traffic = *(__u8 *)(inner + ETH_BYTES + 1);
	__u8 inner_ecn = (protocol == ETH_P_IP ? traffic : traffic >> 4) & ECN_MASK;
	/* RFC 6040 figure 4. ECT(0) becomes ECT(1), which the kernel does. */
	if (ecn == ECN_ECT1 && inner_ecn == ECN_ECT0)
		return TCX_NEXT;
	if (ecn == ECN_CE && inner_ecn == ECN_NOT_ECT)
		return drop(skb, DROP_CONGESTED);
	__u64 inner0 = *(word64 *)inner;
	__u32 inner8 = *(word32 *)(inner + 8);

	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET;
	__s32 shrink = -(__s32)(outer + ETH_BYTES);
	long refused;
	if (is6 && protocol == ETH_P_IP)
		refused = bpf_skb_adjust_room(skb, shrink, BPF_ADJ_ROOM_MAC, flags | BPF_F_ADJ_ROOM_DECAP_L3_IPV4);
	else if (!is6 && protocol == ETH_P_IPV6)
		refused = bpf_skb_adjust_room(skb, shrink, BPF_ADJ_ROOM_MAC, flags | BPF_F_ADJ_ROOM_DECAP_L3_IPV6);
	else
		refused = bpf_skb_adjust_room(skb, shrink, BPF_ADJ_ROOM_MAC, flags);
	/* Nothing is changed yet. Before Linux 6.3 a packet cannot become one of the other family. */
	if (refused)
		return TCX_NEXT;
	data = (void *)(long)skb->data;
	if (data + ETH_BYTES > (void *)(long)skb->data_end)
		return drop(skb, DROP_REFUSED);
	*(word64 *)data = inner0;
	*(word32 *)(data + 8) = inner8;
	*(word16 *)(data + 12) = protocol;
	bpf_csum_level(skb, BPF_CSUM_LEVEL_DEC);
	if (ecn == ECN_CE) {
		/* It is marked only where the whole header is in one piece. */
		__u32 headers = ETH_BYTES + (protocol == ETH_P_IP ? IPV4_BYTES : IPV6_BYTES);
		if (bpf_skb_pull_data(skb, headers) || !bpf_skb_ecn_set_ce(skb))
			return drop(skb, DROP_REFUSED);
	}
	/* The queue that the packet came by is none of the workload's device. */
	skb->queue_mapping = 0;
	*where = to;
	return IS_OFF;
}

static __always_inline int decapsulate(struct __sk_buff *skb)
{
	/* A packet for this host in a frame for many may be refused by a setting of the host. */
	if (skb->pkt_type != PACKET_HOST || skb->vlan_present || is_slow())
		return TCX_NEXT;
	const struct arrival *to = 0;
	int verdict = TCX_NEXT;
	if (skb->protocol == ETH_P_IP)
		verdict = decapsulate_as(skb, 0, &to);
	else if (skb->protocol == ETH_P_IPV6)
		verdict = decapsulate_as(skb, 1, &to);
	return verdict == IS_OFF && to ? arrive(skb, to) : verdict;
}

/*
 * Out of the shared device: the kernel has taken the headers off, and remembers what they said. Where it goes; 0 if it goes nowhere,
 * and is counted.
 */
static __always_inline const struct arrival *from_device(struct __sk_buff *skb, __u16 port)
{
	struct bpf_tunnel_key key = {};
	struct from6 from = { .port = port };
	const struct arrival *to;
	if (bpf_skb_get_tunnel_key(skb, &key, sizeof(key), 0) == 0) {
		struct from4 from4 = { .source = htonl(key.remote_ipv4), .destination = htonl(key.local_ipv4) };
		from4.vni = htonl(key.tunnel_id << 8);
		from4.port = port;
		to = bpf_map_lookup_elem(&arrivals4, &from4);
		from.source[2] = from.destination[2] = htonl(0xffff);
		from.source[3] = from4.source;
		from.destination[3] = from4.destination;
		from.vni = from4.vni;
	} else {
		if (bpf_skb_get_tunnel_key(skb, &key, sizeof(key), BPF_F_TUNINFO_IPV6) < 0) {
			drop(skb, DROP_REFUSED);
			return 0;
		}
		for (int i = 0; i < 4; i++) {
			from.source[i] = key.remote_ipv6[i];
			from.destination[i] = key.local_ipv6[i];
		}
		from.vni = htonl(key.tunnel_id << 8);
		to = bpf_map_lookup_elem(&arrivals6, &from);
	}
	if (!to) {
		drop_of_stranger(skb, &from);
		return 0;
	}
	/* It was told apart by the MAC of the shared device, which is nobody's. */
	if (skb->pkt_type != PACKET_HOST)
		bpf_skb_change_type(skb, PACKET_HOST);
	return to;
}
