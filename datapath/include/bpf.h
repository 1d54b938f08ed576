/*
 * The part of the kernel's BPF interface that the programs of this folder use, written down here so that an object
 * depends on this folder and the compiler alone. Source: include/uapi/linux/bpf.h, scripts/bpf_doc.py.
 */
#pragma once

typedef unsigned char __u8;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;

#define SEC(name) __attribute__((section(name), used))
#define __always_inline inline __attribute__((always_inline))

/* BTF-defined maps: the loader reads the definition from the types of the members. */
#define __uint(name, val) int(*name)[val]
#define __type(name, val) __typeof__(val) *name

enum { BPF_MAP_TYPE_PERCPU_HASH = 5 };
enum { BPF_F_NO_PREALLOC = 1 };
enum { TCX_NEXT = -1, TCX_PASS = 0, TCX_DROP = 2 };

/* The context of a tc program. Only the loads that the verifier knows are allowed; the kernel rewrites each. */
struct __sk_buff {
	__u32 len;
	__u32 pkt_type;
	__u32 mark;
	__u32 queue_mapping;
	__u32 protocol;
	__u32 vlan_present;
	__u32 vlan_tci;
	__u32 vlan_proto;
	__u32 priority;
	__u32 ingress_ifindex;
	__u32 ifindex;
	__u32 tc_index;
	__u32 cb[5];
	__u32 hash;
	__u32 tc_classid;
	__u32 data;
	__u32 data_end;
	__u32 napi_id;
	__u32 family;
	__u32 remote_ip4;
	__u32 local_ip4;
	__u32 remote_ip6[4];
	__u32 local_ip6[4];
	__u32 remote_port;
	__u32 local_port;
	__u32 data_meta;
	__u64 flow_keys;
	__u64 tstamp;
	__u32 wire_len;
	__u32 gso_segs;
	__u64 sk;
	__u32 gso_size;
};

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_redirect)(__u32 ifindex, __u64 flags) = (void *)23;
static long (*bpf_redirect_peer)(__u32 ifindex, __u64 flags) = (void *)155;
static void *(*bpf_map_lookup_percpu_elem)(void *map, const void *key, __u32 cpu) = (void *)195;
