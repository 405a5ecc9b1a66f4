/* parallel/comm.h - a rank's communicator: the users of the table of llminf/comm.h, and the ordered sum.
 *
 * Ranks stand in pp stages of tp: rank = stage * tp + index. The ranks of a stage are a group, whose sums are the top of the
 * eight-leaf tree (docs/numerics.md): each brings the vector of its subtree, each gets the same bits, whatever way they went.
 *
 * Invariant: after the first error nothing is sent any more: each later call returns that status at once. So a caller may
 * look once, behind its last call. No wait is longer than the time limit in force.
 *
 * One thread at a time uses a communicator; sums happen in the arithmetic that it has set (base/fenv.h). */
#ifndef LLI_PARALLEL_COMM_H
#define LLI_PARALLEL_COMM_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "llminf/comm.h"
#include "llminf/status.h"

enum { LLI_COMM_GROUP_MAX = 8, LLI_COMM_RANKS_MAX = 512 }; /* ranks that sum together; in all */

/* Ways by which vectors travel. */
enum { LLI_COMM_GATHER = 1, LLI_COMM_WINDOW = 2, LLI_COMM_ANY = 3 };

struct lli_comm {
    struct lli_heap *heap;
    struct llminf_comm table; /* a copy, whole: slots that the transport does not know are NULL */
    int32_t rank, n_ranks;
    int32_t tp, pp, stage, index; /* rank = stage * tp + index */
    int64_t timeout_ns;           /* of each wait */
    uint64_t step;                /* named by errors; 0: none */
    struct llminf_error error;    /* the first; status 0: none */
    int32_t lost;                 /* rank that it is about; -1: not known */

    size_t piece;                    /* floats of the longest vector that travels at once; longer ones go in pieces */
    float *gathered;                 /* [tp, piece] owned; where there is no window */
    void *parts[LLI_COMM_GROUP_MAX]; /* of the window, by index; [0] NULL: none */
    uint64_t n_posts;                /* into it, by this rank */
    size_t turn;                     /* 0 or 1: the buffer that is next */
};

/* Takes a copy of the table; calls nothing. COMM with the numbers if the table cannot serve: its size, its abi, its rank, a
 * missing slot, or ranks other than tp * pp. tp: 1, 2, 4 or 8. */
int32_t lli_comm_init(struct lli_comm *comm, struct lli_heap *heap, const struct llminf_comm *table, int32_t tp, int32_t pp,
                      int64_t timeout_ns, struct llminf_error *err);

/* Other stages of as many ranks, before reserve. The errors of init. */
int32_t lli_comm_split(struct lli_comm *comm, int32_t tp, int32_t pp, struct llminf_error *err);

/* Frees what init and reserve took; does not call the table's close. Accepts a zeroed struct. */
void lli_comm_finish(struct lli_comm *comm);

/* Before the first sum, by each rank of the group together: room for vectors of n floats at once, by one of `ways`. The window
 * is taken if every rank has it. COMM; MEMORY. */
int32_t lli_comm_reserve(struct lli_comm *comm, size_t n, int ways, struct llminf_error *err);

/* Bytes of heap that reserve takes at most. */
size_t lli_comm_bytes(int32_t tp, size_t n);

/* x[n] holds the sums of this rank's subtrees, and then those of the whole trees. Any n; the same on each rank of the group.
 * 0 or the status of comm->error. With tp = 1 nothing is done. */
int32_t lli_comm_sum(struct lli_comm *comm, float *x, size_t n);

/* Among all ranks, as the slots of the table; a barrier is a gather of one byte. */
int32_t lli_comm_gather(struct lli_comm *comm, const void *in, size_t bytes, void *out);
int32_t lli_comm_broadcast(struct lli_comm *comm, int32_t root, void *data, size_t bytes);
int32_t lli_comm_send(struct lli_comm *comm, int32_t to, const void *data, size_t bytes);
int32_t lli_comm_receive(struct lli_comm *comm, int32_t from, void *data, size_t bytes);
int32_t lli_comm_barrier(struct lli_comm *comm);

/* Among the ranks of the own stage; out: [tp, bytes]. */
int32_t lli_comm_group_gather(struct lli_comm *comm, const void *in, size_t bytes, void *out);

/* The first error, copied to *err (may be NULL); LLMINF_OK if there is none. */
int32_t lli_comm_error(const struct lli_comm *comm, struct llminf_error *err);

/* Gives the communicator up with this error, if it has none yet, and wakes the other ranks. Returns the first error's
 * status. */
int32_t lli_comm_fail(struct lli_comm *comm, int32_t rank, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
