/* mpi/window.h - memory that processes of one host share.
 *
 * Not an MPI window: making one is a blocking collective, which a dead rank would hold for ever. Each rank makes a file
 * without a name (memfd_create), tells the others its number, and they open it through /proc; a mark in its first page says that
 * it is the one meant, which on another host it is not. The system releases it with the last process, however that ends. */
#ifndef LLI_MPI_WINDOW_H
#define LLI_MPI_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "plugins/mpi/link.h"

/* As the slot of llminf/comm.h. UNSUPPORTED where the ranks do not share memory. */
int32_t window_open(struct link *link, int first, int count, size_t bytes, void **base_out, int64_t end_ns);

void window_close_all(struct link *link);

#endif
