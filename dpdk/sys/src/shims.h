/*
 * What Rust cannot take from DPDK's headers: `static inline` functions, macros, thread-local
 * variables, and fields whose place differs between releases.
 */
#ifndef DPDK_SHIMS_H
#define DPDK_SHIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>
#include <rte_version.h>

/* Where the fields of a buffer's header are. 24.03 moved some into unnamed unions. */
static const size_t DPDK_MBUF_BUF_ADDR = offsetof(struct rte_mbuf, buf_addr);
static const size_t DPDK_MBUF_DATA_OFF = offsetof(struct rte_mbuf, data_off);
static const size_t DPDK_MBUF_OL_FLAGS = offsetof(struct rte_mbuf, ol_flags);
static const size_t DPDK_MBUF_PKT_LEN = offsetof(struct rte_mbuf, pkt_len);
static const size_t DPDK_MBUF_DATA_LEN = offsetof(struct rte_mbuf, data_len);
static const size_t DPDK_MBUF_VLAN_TCI = offsetof(struct rte_mbuf, vlan_tci);
static const size_t DPDK_MBUF_VLAN_TCI_OUTER = offsetof(struct rte_mbuf, vlan_tci_outer);
static const size_t DPDK_MBUF_BUF_LEN = offsetof(struct rte_mbuf, buf_len);
static const size_t DPDK_MBUF_TX_OFFLOAD = offsetof(struct rte_mbuf, tx_offload);

static const uint64_t DPDK_RX_VLAN_STRIPPED = RTE_MBUF_F_RX_VLAN_STRIPPED;
static const uint64_t DPDK_RX_QINQ_STRIPPED = RTE_MBUF_F_RX_QINQ_STRIPPED;
static const uint64_t DPDK_RX_IP_CKSUM_MASK = RTE_MBUF_F_RX_IP_CKSUM_MASK;
static const uint64_t DPDK_RX_IP_CKSUM_BAD = RTE_MBUF_F_RX_IP_CKSUM_BAD;
static const uint64_t DPDK_RX_IP_CKSUM_GOOD = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
static const uint64_t DPDK_RX_IP_CKSUM_NONE = RTE_MBUF_F_RX_IP_CKSUM_NONE;
static const uint64_t DPDK_RX_L4_CKSUM_MASK = RTE_MBUF_F_RX_L4_CKSUM_MASK;
static const uint64_t DPDK_RX_L4_CKSUM_BAD = RTE_MBUF_F_RX_L4_CKSUM_BAD;
static const uint64_t DPDK_RX_L4_CKSUM_GOOD = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
static const uint64_t DPDK_RX_L4_CKSUM_NONE = RTE_MBUF_F_RX_L4_CKSUM_NONE;

static const uint64_t DPDK_TX_OFFLOAD_MASK = RTE_MBUF_F_TX_OFFLOAD_MASK;
static const uint64_t DPDK_TX_IPV4 = RTE_MBUF_F_TX_IPV4;
static const uint64_t DPDK_TX_IP_CKSUM = RTE_MBUF_F_TX_IP_CKSUM;
static const uint64_t DPDK_TX_UDP_CKSUM = RTE_MBUF_F_TX_UDP_CKSUM;
static const uint64_t DPDK_TX_VLAN = RTE_MBUF_F_TX_VLAN;
static const uint32_t DPDK_L2_LEN_SHIFT = RTE_MBUF_L2_LEN_OFS;
static const uint32_t DPDK_L2_LEN_BITS = RTE_MBUF_L2_LEN_BITS;
static const uint32_t DPDK_L3_LEN_SHIFT = RTE_MBUF_L3_LEN_OFS;
static const uint32_t DPDK_L3_LEN_BITS = RTE_MBUF_L3_LEN_BITS;

static const uint64_t DPDK_PORT_RX_IP_CKSUM = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
static const uint64_t DPDK_PORT_RX_UDP_CKSUM = RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
static const uint64_t DPDK_PORT_RX_VLAN_STRIP = RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
static const uint64_t DPDK_PORT_RX_QINQ_STRIP = RTE_ETH_RX_OFFLOAD_QINQ_STRIP;
static const uint64_t DPDK_PORT_TX_IP_CKSUM = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
static const uint64_t DPDK_PORT_TX_UDP_CKSUM = RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
static const uint64_t DPDK_PORT_TX_VLAN = RTE_ETH_TX_OFFLOAD_VLAN_INSERT;
static const uint64_t DPDK_RSS_IP = RTE_ETH_RSS_IP;
static const uint64_t DPDK_RSS_UDP = RTE_ETH_RSS_UDP;
static const uint32_t DPDK_MQ_RSS = RTE_ETH_MQ_RX_RSS;

static const uint16_t DPDK_HEADROOM = RTE_PKTMBUF_HEADROOM;
static const uint32_t DPDK_MEMPOOL_CACHE_MAX = RTE_MEMPOOL_CACHE_MAX_SIZE;
static const uint32_t DPDK_RING_SPSC = RING_F_SP_ENQ | RING_F_SC_DEQ;

/* Buffers that receive did not hand over, by reason. */
struct dpdk_rx_dropped {
	uint64_t segmented; /* more than one segment */
	uint64_t shared;    /* not ours alone: referenced elsewhere, or not in its own buffer */
	uint64_t malformed; /* its lengths contradict each other */
};

struct dpdk_link {
	uint32_t mbps; /* UINT32_MAX if unknown */
	bool up;
	bool full_duplex;
};

typedef void (*dpdk_log_fn)(uint32_t level, const char *text, size_t length);

int dpdk_log_to(dpdk_log_fn sink);
int dpdk_errno(void);
uint32_t dpdk_lcore_id(void);

uint16_t dpdk_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **burst, uint16_t room,
		       struct dpdk_rx_dropped *dropped);
uint16_t dpdk_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **burst, uint16_t count);
uint16_t dpdk_tx_prepare(uint16_t port, uint16_t queue, struct rte_mbuf **burst, uint16_t count);
int dpdk_link_state(uint16_t port, struct dpdk_link *link);

int dpdk_mbuf_alloc(struct rte_mempool *pool, struct rte_mbuf **burst, uint32_t count);
void dpdk_mbuf_free(struct rte_mbuf *mbuf);
void dpdk_mbuf_free_bulk(struct rte_mbuf **burst, uint32_t count);
void dpdk_mbuf_share(struct rte_mbuf *mbuf);
uint16_t dpdk_mbuf_references(struct rte_mbuf *mbuf);

uint32_t dpdk_ring_enqueue(struct rte_ring *ring, struct rte_mbuf **burst, uint32_t count);
uint32_t dpdk_ring_dequeue(struct rte_ring *ring, struct rte_mbuf **burst, uint32_t room);
uint32_t dpdk_ring_count(const struct rte_ring *ring);

#endif
