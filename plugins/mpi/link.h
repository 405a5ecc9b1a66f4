/* mpi/link.h - a rank's messages over MPI: point to point, non-blocking, with a limit on each wait.
 *
 * Measured with Open MPI 4.1: as fast as its blocking collectives, which have no limit; its non-blocking ones take up to twice
 * as long. A message goes out of a buffer of its own, one for each receiver, so that nobody waits for who receives later. One
 * that comes in may be written by MPI until it is complete: a long one gets a buffer too, which stays where a wait was given
 * up.
 *
 * Between two looks at a request the lock is free, so `fail` may come from another thread. */
#ifndef LLI_MPI_LINK_H
#define LLI_MPI_LINK_H

#include <mpi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "llminf/status.h"

struct peer {
    MPI_Request out, in;         /* MPI_REQUEST_NULL: none underway */
    uint8_t *out_data, *in_data; /* owned */
    size_t out_cap, in_cap;
};

struct window; /* of mpi/window.c */

struct link {
    struct lli_heap heap;
    MPI_Comm comm; /* owned */
    int rank, n;
    int owns_mpi;           /* it was initialised here */
    struct peer *peers;     /* [n] owned */
    struct window *windows; /* owned */
    pthread_mutex_t lock;   /* around each call of MPI */
    _Atomic int failed, lost;
};

/* The message is taken when this returns. */
int32_t link_put(struct link *link, int to, const void *data, size_t bytes, int64_t end_ns);

/* take = expect, then await. Between the two `data` belongs to MPI; several may be expected, from different ranks. */
int32_t link_expect(struct link *link, int from, void *data, size_t bytes);
int32_t link_await(struct link *link, int from, void *data, size_t bytes, int64_t end_ns);
int32_t link_take(struct link *link, int from, void *data, size_t bytes, int64_t end_ns);

int32_t link_gather(struct link *link, int first, int count, const void *in, size_t bytes, void *out, int64_t end_ns);

/* Tells all others, as far as MPI can, and returns. */
void link_fail(struct link *link);

/* Until all that was put is under way to its receivers, and MPI is through with all memory. 0, or COMM: it is not. */
int32_t link_drain(struct link *link, int64_t end_ns);

/* INT64_MAX: for ever. */
int64_t link_end(int64_t timeout_ns);

#endif
