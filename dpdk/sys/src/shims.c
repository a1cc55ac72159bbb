/*
 * The shims of shims.h. None calls back into Rust but the log's, which does not unwind. One call
 * moves a burst, never a packet.
 */
#define _GNU_SOURCE /* fopencookie */
#include <stdio.h>
#include <sys/types.h>

#include "shims.h"

#ifndef RTE_MBUF_REFCNT_ATOMIC
#error "buffers are shared between threads: DPDK must count their holders atomically"
#endif

/* Rust reads and writes these fields by offset, with the types it believes they have. */
#define FIELD_IS(field, type) \
	_Static_assert(__builtin_types_compatible_p(__typeof__(((struct rte_mbuf *)0)->field), type), \
		       #field)
FIELD_IS(buf_addr, void *);
FIELD_IS(data_off, uint16_t);
FIELD_IS(ol_flags, uint64_t);
FIELD_IS(pkt_len, uint32_t);
FIELD_IS(data_len, uint16_t);
FIELD_IS(vlan_tci, uint16_t);
FIELD_IS(vlan_tci_outer, uint16_t);
FIELD_IS(buf_len, uint16_t);
FIELD_IS(tx_offload, uint64_t);

static dpdk_log_fn log_sink;

static ssize_t log_write(void *cookie, const char *text, size_t length)
{
	(void)cookie;
	log_sink((uint32_t)rte_log_cur_msg_loglevel(), text, length);
	return (ssize_t)length;
}

int dpdk_log_to(dpdk_log_fn sink)
{
	const cookie_io_functions_t io = {.write = log_write};
	FILE *stream;

	log_sink = sink;
	stream = fopencookie(NULL, "w", io);
	return stream == NULL ? -1 : rte_openlog_stream(stream);
}

int dpdk_errno(void)
{
	return rte_errno;
}

uint32_t dpdk_lcore_id(void)
{
	return rte_lcore_id();
}

/* Whether Rust may own `m`; if not, `m` is counted and given back. */
static inline bool admit(struct rte_mbuf *m, struct dpdk_rx_dropped *dropped)
{
	const uint32_t end = (uint32_t)m->data_off + m->data_len;

	if (likely(m->nb_segs == 1 && RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1 &&
		   end <= m->buf_len && m->pkt_len == m->data_len))
		return true;
	if (m->nb_segs != 1)
		dropped->segmented++;
	else if (!RTE_MBUF_DIRECT(m) || rte_mbuf_refcnt_read(m) != 1)
		dropped->shared++;
	else
		dropped->malformed++;
	rte_pktmbuf_free(m);
	return false;
}

uint16_t dpdk_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **burst, uint16_t room,
		       struct dpdk_rx_dropped *dropped)
{
	const uint16_t received = rte_eth_rx_burst(port, queue, burst, room);
	uint16_t kept = 0;

	for (uint16_t i = 0; i < received; i++) {
		struct rte_mbuf *m = burst[i];

		rte_prefetch0(rte_pktmbuf_mtod(m, void *));
		if (admit(m, dropped))
			burst[kept++] = m;
	}
	/* A count of one read above may be another thread's last release of the buffer. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return kept;
}

uint16_t dpdk_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **burst, uint16_t count)
{
	return rte_eth_tx_burst(port, queue, burst, count);
}

uint16_t dpdk_tx_prepare(uint16_t port, uint16_t queue, struct rte_mbuf **burst, uint16_t count)
{
	return rte_eth_tx_prepare(port, queue, burst, count);
}

int dpdk_link_state(uint16_t port, struct dpdk_link *link)
{
	struct rte_eth_link state = {0};
	const int result = rte_eth_link_get_nowait(port, &state);

	link->mbps = state.link_speed;
	link->up = state.link_status == RTE_ETH_LINK_UP;
	link->full_duplex = state.link_duplex == RTE_ETH_LINK_FULL_DUPLEX;
	return result;
}

int dpdk_mbuf_alloc(struct rte_mempool *pool, struct rte_mbuf **burst, uint32_t count)
{
	return rte_pktmbuf_alloc_bulk(pool, burst, count);
}

void dpdk_mbuf_free(struct rte_mbuf *mbuf)
{
	rte_pktmbuf_free(mbuf);
}

void dpdk_mbuf_free_bulk(struct rte_mbuf **burst, uint32_t count)
{
	rte_pktmbuf_free_bulk(burst, count);
}

void dpdk_mbuf_share(struct rte_mbuf *mbuf)
{
	rte_mbuf_refcnt_update(mbuf, 1);
}

uint16_t dpdk_mbuf_references(struct rte_mbuf *mbuf)
{
	const uint16_t references = rte_mbuf_refcnt_read(mbuf);

	/* Whoever finds itself alone must see all that the others did before they let go. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return references;
}

uint32_t dpdk_ring_enqueue(struct rte_ring *ring, struct rte_mbuf **burst, uint32_t count)
{
	return rte_ring_enqueue_burst(ring, (void *const *)burst, count, NULL);
}

uint32_t dpdk_ring_dequeue(struct rte_ring *ring, struct rte_mbuf **burst, uint32_t room)
{
	return rte_ring_dequeue_burst(ring, (void **)burst, room, NULL);
}

uint32_t dpdk_ring_count(const struct rte_ring *ring)
{
	return rte_ring_count(ring);
}
