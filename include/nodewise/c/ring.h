/* A ring hands batches from process to process without copying them (docs/shared-memory.md). A producer
 * borrows a free slot (a loan), fills it and publishes it. A consumer then gets the batch (a lease); when the
 * lease is freed, the slot is free again. Any of these processes may be killed at any moment.
 *
 * A time is in seconds; a negative time means: without a limit. A program that has signals to handle waits
 * for short times, again and again.
 *
 * Thread class: a ring: any thread. A producer and its loans count as one object, which one thread at a time
 * may use; so do a consumer and its leases. */
#ifndef NODEWISE_C_RING_H
#define NODEWISE_C_RING_H

#include <nodewise/c/loader.h>

typedef int32_t nw_ring_ends;
enum {
  NW_RING_MANY = 0, /* up to 256 producers and consumers at one time */
  NW_RING_ONE = 1   /* one producer (or consumer) at one time, which is faster */
};

typedef struct nw_ring_options {
  size_t size;    /* set by the caller: sizeof(nw_ring_options) */
  uint64_t slots; /* at most 65536; rounded up to a power of two; 0: 8 */
  uint64_t rows;  /* the most rows of a batch; 0 with cols 0: a slot holds a tag only */
  uint64_t cols;  /* the columns of every batch */
  nw_dtype dtype; /* NW_DTYPE_NONE: f32 */
  nw_ring_ends producers;
  nw_ring_ends consumers;
  nw_page_kind pages;
  int32_t on_node; /* 1: the slots lie on `node`; 0: on the node of the thread that makes the ring */
  uint32_t node;   /* logical index */
  nw_topology
      topology; /* describes this machine; used only with `on_node`; NULL: the library asks the system */
} nw_ring_options;

/* Makes a ring in the segment `name`; "" makes a memfd. Errors: NW_INVALID_ARGUMENT (bad sizes or name),
 * NW_SYSTEM (EEXIST: the name is taken), NW_PLACEMENT (no room), NW_OUT_OF_RANGE (no such node). */
NW_API nw_error nw_ring_create(const char* name, const nw_ring_options* options, nw_ring* out);
/* Errors: those of nw_segment_open(), NW_INVALID_ARGUMENT (the segment holds something else). */
NW_API nw_error nw_ring_open(const char* name, double patience, nw_ring* out);
NW_API nw_error nw_ring_open_descriptor(int32_t descriptor, nw_ring* out);

typedef struct nw_ring_info {
  size_t size;      /* set by the caller: sizeof(nw_ring_info) */
  const char* name; /* "" for a memfd; valid until the ring is freed */
  uint64_t slots;
  uint64_t rows;
  uint64_t cols;
  nw_dtype dtype;
  int32_t descriptor; /* of a memfd, which the ring owns; else -1 */
  int32_t closed;
  int32_t reserved; /* 0 */
} nw_ring_info;
NW_API nw_error nw_ring_describe(nw_ring ring, nw_ring_info* out);

/* Sums over all producers and consumers since the ring was made. */
typedef struct nw_ring_counts {
  size_t size; /* set by the caller: sizeof(nw_ring_counts) */
  uint64_t published;
  uint64_t returned;
  uint64_t redelivered; /* delivered again because their consumer had died */
  uint64_t recovered;   /* slots taken back from dead processes */
  uint64_t producer_waits;
  uint64_t consumer_waits;
  uint64_t producer_waited_ns;
  uint64_t consumer_waited_ns;
} nw_ring_counts;
NW_API nw_error nw_ring_count(nw_ring ring, nw_ring_counts* out);

/* A producer (or consumer), which takes part until it and its loans (or leases) are freed. To wait, it first
 * polls for `spin` seconds and then sleeps; negative: the default, 20 microseconds. Errors: NW_SYSTEM (EBUSY:
 * too many take part). */
NW_API nw_error nw_ring_make_producer(nw_ring ring, double spin, nw_ring_producer* out);
NW_API nw_error nw_ring_make_consumer(nw_ring ring, double spin, nw_ring_consumer* out);

/* Waits for a free slot. Writes NULL if the time ends first, or if the ring is closed (nw_ring_describe()).
 * With a timeout of 0 the call does not wait. Errors: NW_FORMAT (the ring is damaged). */
NW_API nw_error nw_ring_borrow(nw_ring_producer producer, double timeout, nw_ring_loan* out);
/* All rows of the slot, which the producer may write until the loan is published or freed. */
NW_API nw_error nw_ring_loan_view(nw_ring_loan loan, nw_view* out);
/* Publishes the first `rows` rows with two numbers that the library does not interpret. The loan is then used
 * up, and is still to be freed. A loan that is freed before gives its slot back. Errors: NW_INVALID_ARGUMENT
 * (the slot has fewer rows; the loan is still valid). */
NW_API nw_error nw_ring_publish(nw_ring_loan loan, uint64_t rows, uint64_t batch, uint64_t user);

/* Waits for a batch. Writes NULL if the time ends first, or if no batch comes any more
 * (nw_ring_consumer_ended()). With a timeout of 0 the call does not wait. Errors: NW_FORMAT. */
NW_API nw_error nw_ring_take(nw_ring_consumer consumer, double timeout, nw_ring_lease* out);
/* Writes 1 if the ring is closed and no batch comes any more for this consumer. */
NW_API nw_error nw_ring_consumer_ended(nw_ring_consumer consumer, int32_t* out);
/* The published rows, which are read-only. */
NW_API nw_error nw_ring_lease_view(nw_ring_lease lease, nw_view* out);
/* The numbers that were published with the batch. Writes 1 to `redelivered` if another consumer had the batch
 * before, and died. Each pointer may be null. */
NW_API nw_error nw_ring_lease_tag(nw_ring_lease lease, uint64_t* batch, uint64_t* user, int32_t* redelivered);

/* Closes the ring: nothing more is borrowed; what is on loan may be published, and what is published is
 * delivered. */
NW_API nw_error nw_ring_close(nw_ring ring);
/* Waits until the ring is closed and all slots are free. Writes 1, or 0 if the time ended first. */
NW_API nw_error nw_ring_drain(nw_ring ring, double timeout, int32_t* out);
/* Takes back the slots of dead processes, and writes their number. Callers that wait do the same. */
NW_API nw_error nw_ring_recover(nw_ring ring, uint32_t* out);
/* The owner of the memory of all slots. */
NW_API nw_error nw_ring_pages(nw_ring ring, nw_pages* out);

#endif
