/* Out: a frame becomes the payload of a tunnel packet. */
#pragma once

#include "tunnel.h"

/* The longest frame whose outer packet has a length of 16 bits. */
#define MAX_FRAME_BYTES (65535 - TEMPLATE_BYTES)

/* Source ports of tunnels, by flow, so that the network spreads them (RFC 7348 section 4): 49152 to 65535 */
#define SOURCE_PORT(hash) htons(0xc000 | (((hash) ^ ((hash) >> 16)) & 0x3fff))

#define GROW_FLAGS                                                                                                     \
	(BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L4_UDP | BPF_F_ADJ_ROOM_ENCAP_L2_ETH |                        \
	 BPF_F_ADJ_ROOM_NO_CSUM_RESET | BPF_F_ADJ_ROOM_ENCAP_L2(ETH_BYTES))

/* By the shared device: the kernel does what no template can. Nothing of the frame is changed yet. */
static __always_inline int by_device(struct __sk_buff *skb, const struct tunnel *tunnel)
{
	struct bpf_tunnel_key key = {};
	const word32 *header = (const void *)tunnel->header;
	int is6 = tunnel->family == AF_INET6;
	key.tunnel_ttl = 64;
	if (is6) {
		key.tunnel_id = htonl(header[13]) >> 8;
		for (int i = 0; i < 4; i++) {
			key.local_ipv6[i] = header[2 + i];
			key.remote_ipv6[i] = header[6 + i];
		}
	} else {
		key.tunnel_id = htonl(header[8]) >> 8;
		key.local_ipv4 = htonl(header[3]);
		key.remote_ipv4 = htonl(header[4]);
	}
	__u64 flags = (is6 ? BPF_F_TUNINFO_IPV6 : 0) | (tunnel->flags & TUNNEL_CHECKSUM ? 0 : BPF_F_ZERO_CSUM_TX);
	if (bpf_skb_set_tunnel_key(skb, &key, sizeof(key), flags) < 0)
		return drop(skb, DROP_REFUSED);
	return bpf_redirect(device_of(tunnel), 0);
}

/* Bytes of the inner IP packet, or of each segment that an aggregate becomes; 0 where that is not known. */
static __always_inline __u32 packet_bytes(struct __sk_buff *skb)
{
	if (!skb->gso_size)
		return skb->len - ETH_BYTES;
	__u8 first, protocol, offset = 0;
	__u32 headers;
	if (skb->protocol == ETH_P_IP) {
		if (bpf_skb_load_bytes(skb, ETH_BYTES, &first, 1) || bpf_skb_load_bytes(skb, ETH_BYTES + 9, &protocol, 1))
			return 0;
		headers = (first & 15) * 4;
	} else {
		/* Aggregates with extension headers are rare: they take the long way. */
		if (bpf_skb_load_bytes(skb, ETH_BYTES + 6, &protocol, 1))
			return 0;
		headers = IPV6_BYTES;
	}
	if (protocol == IPPROTO_UDP)
		return headers + UDP_BYTES + skb->gso_size;
	if (protocol != IPPROTO_TCP || bpf_skb_load_bytes(skb, ETH_BYTES + headers + 12, &offset, 1))
		return 0;
	return headers + (offset >> 4) * 4 + skb->gso_size;
}

/* The answer for a frame that is not plain, of which nothing has been changed yet. */
#define EXCEPTION (-2)

/* `is6`: the outer header; a constant, so that the compiler makes two programs of it. */
static __always_inline int encapsulate_as(struct __sk_buff *skb, const struct tunnel *tunnel, const int is6)
{
	const __u32 room = (is6 ? IPV6_BYTES : IPV4_BYTES) + UDP_BYTES + VXLAN_BYTES + ETH_BYTES;
	const word32 *template = (const void *)tunnel->header;
	__u32 bytes = packet_bytes(skb);
	void *data = (void *)(long)skb->data;
	if (bytes == 0 || data + ETH_BYTES + 2 > (void *)(long)skb->data_end)
		return EXCEPTION;
	__u64 inner0 = *(word64 *)data;
	__u32 inner8 = *(word32 *)(data + 8);
	__u16 inner12 = *(word16 *)(data + 12);
	__u8 *traffic = data + ETH_BYTES;
	__u8 ecn = (skb->protocol == ETH_P_IP ? traffic[1] : traffic[1] >> 4) & ECN_MASK;
	__u16 source_port = SOURCE_PORT(bpf_get_hash_recalc(skb));

	struct bpf_fib_lookup way = {
		.family = is6 ? AF_INET6 : AF_INET,
		.l4_protocol = IPPROTO_UDP,
		.sport = source_port,
		.dport = htons(tunnel->port),
		.tot_len = bytes + room,
		.ifindex = device_of(tunnel),
	};
	if (is6) {
		for (int i = 0; i < 4; i++) {
			way.ipv6_src[i] = template[2 + i];
			way.ipv6_dst[i] = template[6 + i];
		}
	} else {
		way.ipv4_src = template[3];
		way.ipv4_dst = template[4];
	}
	long found = bpf_fib_lookup(skb, &way, sizeof(way), 0);
	if (found != BPF_FIB_LKUP_RET_SUCCESS && found != BPF_FIB_LKUP_RET_NO_NEIGH)
		return EXCEPTION;

	if (bpf_skb_adjust_room(skb, room, BPF_ADJ_ROOM_MAC,
				GROW_FLAGS | (is6 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV4)))
		return EXCEPTION;

	data = (void *)(long)skb->data;
	if (data + ETH_BYTES + room > (void *)(long)skb->data_end)
		return drop(skb, DROP_REFUSED);
	/* The device writes its own Ethernet header. Until then this one must be no multicast. */
	*(word64 *)data = 0;
	*(word32 *)(data + 8) = 0;
	*(word16 *)(data + 12) = is6 ? ETH_P_IPV6 : ETH_P_IP;
	void *ip = data + ETH_BYTES;
#pragma unroll
	for (int i = 0; i < (is6 ? 14 : 9); i++)
		*(word32 *)(ip + 4 * i) = template[i];
	void *udp = ip + (is6 ? IPV6_BYTES : IPV4_BYTES);
	void *inner = udp + UDP_BYTES + VXLAN_BYTES;
	*(word64 *)inner = inner0;
	*(word32 *)(inner + 8) = inner8;
	*(word16 *)(inner + 12) = inner12;

	__u32 total = skb->len - ETH_BYTES;
	if (is6) {
		*(word16 *)(ip + 4) = htons(total - IPV6_BYTES);
		*(__u8 *)(ip + 1) |= ecn << 4;
		*(word16 *)(udp + 4) = htons(total - IPV6_BYTES);
	} else {
		__u16 id = bpf_get_prandom_u32();
		__u32 sum = tunnel->sum + htons(total) + id + htons(ecn);
		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		*(__u8 *)(ip + 1) |= ecn;
		*(word16 *)(ip + 2) = htons(total);
		*(word16 *)(ip + 4) = id;
		*(word16 *)(ip + 10) = ~sum;
		*(word16 *)(udp + 4) = htons(total - IPV4_BYTES);
	}
	*(word16 *)udp = source_port;
	/* If a device has summed up the frame, the new headers belong to the sum, too. */
	if (bpf_csum_update(skb, 0) >= 0)
		bpf_csum_update(skb, bpf_csum_diff(0, 0, ip, room - 2, inner12));

	struct bpf_redir_neigh hop = { .nh_family = way.family };
	for (int i = 0; i < 4; i++)
		hop.ipv6_nh[i] = way.ipv6_dst[i];
	return bpf_redirect_neigh(way.ifindex, &hop, sizeof(hop), 0);
}

static __always_inline int encapsulate(struct __sk_buff *skb, __u32 ifindex)
{
	const struct tunnel *tunnel = bpf_map_lookup_elem(&tunnels, &ifindex);
	if (!tunnel)
		return drop(skb, DROP_CLOSED);
	int verdict = EXCEPTION;
	int is_plain = skb->protocol == ETH_P_IP || skb->protocol == ETH_P_IPV6;
	/* A tag is beside the packet, and would end up before the outer header. */
	if (is_plain && !skb->vlan_present && skb->len <= MAX_FRAME_BYTES && !(tunnel->flags & TUNNEL_CHECKSUM) &&
	    !is_slow())
		verdict = tunnel->family == AF_INET6 ? encapsulate_as(skb, tunnel, 1) : encapsulate_as(skb, tunnel, 0);
	return verdict == EXCEPTION ? by_device(skb, tunnel) : verdict;
}
