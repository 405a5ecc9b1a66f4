#include "support/ranks.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "parallel/local.h"

int32_t ranks_init(struct ranks *ranks, int32_t tp, int32_t pp, int64_t timeout_ns)
{
    memset(ranks, 0, sizeof *ranks);
    ranks->n = tp * pp;
    ranks->tp = tp;
    ranks->pp = pp;
    ranks->timeout_ns = timeout_ns;
    lli_heap_init(&ranks->heap, NULL, NULL, NULL);
    return lli_local_new(ranks->tables, &ranks->heap, ranks->n, 64, NULL);
}

struct start {
    struct rank *rank;
    rank_fn *fn;
};

static void *run_rank(void *arg)
{
    struct start *start = arg;
    struct rank *rank = start->rank;
    int64_t start_ns = lli_clock_ns();
    rank->status = start->fn(rank);
    rank->ns = lli_clock_ns() - start_ns;
    return NULL;
}

void ranks_run(struct ranks *ranks, struct rank *rank, rank_fn *fn, void *arg, uint32_t members)
{
    pthread_t threads[RANKS_MOST];
    struct start starts[RANKS_MOST];
    int has_started[RANKS_MOST] = {0};
    for (int32_t i = 0; i < ranks->n; i++) {
        memset(&rank[i], 0, sizeof rank[i]);
        rank[i].ranks = ranks;
        rank[i].arg = arg;
        rank[i].status =
            lli_comm_init(&rank[i].comm, &ranks->heap, &ranks->tables[i], ranks->tp, ranks->pp, ranks->timeout_ns, NULL);
    }
    for (int32_t i = 0; i < ranks->n; i++) {
        starts[i] = (struct start){&rank[i], fn};
        if (members == 0 || members >> i & 1)
            has_started[i] = rank[i].status == 0 && pthread_create(&threads[i], NULL, run_rank, &starts[i]) == 0;
    }
    for (int32_t i = 0; i < ranks->n; i++)
        if (has_started[i])
            pthread_join(threads[i], NULL);
    for (int32_t i = 0; i < ranks->n; i++) {
        ranks->tables[i].close(ranks->tables[i].state);
        lli_free(&ranks->heap, rank[i].comm.gathered);
        rank[i].comm.gathered = NULL; /* the rest stays for the test to look at */
    }
}
