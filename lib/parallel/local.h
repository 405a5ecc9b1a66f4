/* parallel/local.h - ranks in one process: a communicator per thread, over memory that all see.
 *
 * Each ordered pair of ranks has a box for one message. A rank's part of a window is allocated and first written by its own
 * thread, so it lies where that thread runs. */
#ifndef LLI_PARALLEL_LOCAL_H
#define LLI_PARALLEL_LOCAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "llminf/comm.h"

struct llminf_error;

/* Fills tables[n], n >= 1. Messages of up to message_bytes from and to rank 0 allocate nothing, longer ones once. The close of
 * the last of the tables frees all. MEMORY; IO for a lock. */
int32_t lli_local_new(struct llminf_comm *tables, struct lli_heap *heap, int32_t n, size_t message_bytes,
                      struct llminf_error *err);

#endif
