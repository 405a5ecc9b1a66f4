/* ranks.h - a thread per rank of a communicator, for tests of what ranks do together. */
#ifndef LLMINF_TESTS_RANKS_H
#define LLMINF_TESTS_RANKS_H

#include <stdint.h>

#include "base/alloc.h"
#include "parallel/comm.h"

enum { RANKS_MOST = 16 };

struct ranks {
    struct lli_heap heap;
    struct llminf_comm tables[RANKS_MOST];
    int32_t n, tp, pp;
    int64_t timeout_ns;
};

struct rank {
    struct ranks *ranks;
    struct lli_comm comm;
    void *arg;
    int32_t status;
    int64_t ns; /* that the function took */
};

/* What a rank does; its status lies in rank->status. */
typedef int32_t rank_fn(struct rank *rank);

/* In-process ranks of tp x pp. 0 or a status. */
int32_t ranks_init(struct ranks *ranks, int32_t tp, int32_t pp, int64_t timeout_ns);

/* Runs fn on every rank of `members` (a bit each; 0: all) at the same time, waits for all and closes every table: the ranks
 * are used up. rank[n] is what each has come to. */
void ranks_run(struct ranks *ranks, struct rank *rank, rank_fn *fn, void *arg, uint32_t members);

/* What ranks may do: 0, an error of the communicator, or a positive number that says where something else came than went.
 * exchange: everybody sends to everybody before it receives. gather: all_gather, group_gather and broadcast by turns. */
int32_t rank_exchange_all(struct rank *rank);
int32_t rank_gather_all(struct rank *rank);

/* Sums of ordinary and of special numbers (NaN, Inf, -0, subnormals), held against the tree as numerics.md writes it.
 * rank->arg: struct rank_lengths. */
struct rank_lengths {
    int ways;        /* of lli_comm_reserve; with LLI_COMM_ANY a window has to come */
    size_t room;     /* likewise */
    const size_t *n; /* the vectors' */
    size_t n_lengths;
};
int32_t rank_sum_all(struct rank *rank);

#endif
