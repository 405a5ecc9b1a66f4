#include "support/ranks.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "parallel/local.h"
#include "support/support.h"

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

/* ---- what ranks do together */

/* What goes from a rank to another is a function of both and of its number. */
static void fill(uint8_t *data, size_t n, int32_t from, int32_t to, int number)
{
    uint64_t random = (uint64_t)from << 40 | (uint64_t)to << 20 | (uint64_t)number;
    for (size_t i = 0; i < n; i++)
        data[i] = (uint8_t)support_random(&random);
}

enum { N_MESSAGES = 200, MESSAGE_MOST = 3000 };

static size_t size_of(int number)
{
    return (size_t)(number * number * 7) % MESSAGE_MOST;
}

/* Everybody sends to everybody before it receives: a message is taken without its receiver. */
int32_t rank_exchange_all(struct rank *rank)
{
    struct lli_comm *comm = &rank->comm;
    uint8_t data[MESSAGE_MOST], want[MESSAGE_MOST];
    for (int number = 0; number < N_MESSAGES; number++) {
        size_t n = size_of(number);
        for (int32_t to = 0; to < comm->n_ranks; to++) {
            fill(data, n, comm->rank, to, number);
            if (to != comm->rank && lli_comm_send(comm, to, data, n) != LLMINF_OK)
                return comm->error.status;
        }
        for (int32_t from = 0; from < comm->n_ranks; from++) {
            fill(want, n, from, comm->rank, number);
            if (from != comm->rank && lli_comm_receive(comm, from, data, n) != LLMINF_OK)
                return comm->error.status;
            if (from != comm->rank && memcmp(data, want, n) != 0)
                return 100 + number;
        }
    }
    return lli_comm_barrier(comm);
}

int32_t rank_gather_all(struct rank *rank)
{
    struct lli_comm *comm = &rank->comm;
    static const size_t MOST = 100;
    uint8_t own[100], want[100], out[RANKS_MOST * 100];
    for (int number = 0; number < N_MESSAGES; number++) {
        size_t n = (size_t)number % MOST;
        int32_t root = number % comm->n_ranks;
        fill(own, n, comm->rank, 0, number);
        if (lli_comm_gather(comm, own, n, out) != LLMINF_OK)
            return comm->error.status;
        for (int32_t i = 0; i < comm->n_ranks; i++) {
            fill(want, n, i, 0, number);
            if (memcmp(out + (size_t)i * n, want, n) != 0)
                return 100 + number;
        }
        if (lli_comm_group_gather(comm, own, n, out) != LLMINF_OK)
            return comm->error.status;
        for (int32_t i = 0; i < comm->tp; i++) {
            fill(want, n, comm->stage * comm->tp + i, 0, number);
            if (memcmp(out + (size_t)i * n, want, n) != 0)
                return 300 + number;
        }
        if (lli_comm_broadcast(comm, root, own, n) != LLMINF_OK)
            return comm->error.status;
        fill(want, n, root, 0, number);
        if (memcmp(own, want, n) != 0)
            return 500 + number;
    }
    return LLMINF_OK;
}

/* A subtree's value at one place: ordinary numbers, and those whose sums are special. */
static float value_at(int32_t index, size_t i, size_t n)
{
    static const float SPECIAL[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-45f, -1e-45f, 3.4e38f, -3.4e38f, 1.0f};
    uint64_t random = (uint64_t)index << 48 | (uint64_t)n << 24 | i;
    uint64_t kind = support_random(&random);
    if (kind % 3 == 0)
        return SPECIAL[kind / 3 % (sizeof SPECIAL / sizeof *SPECIAL)];
    return support_random_float(&random) * (float)(1 << kind % 20);
}

/* The tree as numerics.md writes it, over leaves of which each rank brings its own sum. */
static float tree_at(int32_t first, int32_t count, size_t i, size_t n)
{
    if (count == 1)
        return value_at(first, i, n);
    float left = tree_at(first, count / 2, i, n), right = tree_at(first + count / 2, count / 2, i, n);
    return left + right;
}

static int same_bits(float a, float b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

int32_t rank_sum_all(struct rank *rank)
{
    struct lli_comm *comm = &rank->comm;
    const struct rank_lengths *lengths = rank->arg;
    int32_t status = lli_comm_reserve(comm, lengths->room, lengths->ways, NULL);
    if (status != LLMINF_OK)
        return status;
    if (comm->tp > 1 && (comm->parts[0] != NULL) != (lengths->ways != LLI_COMM_GATHER))
        return 1;
    for (size_t l = 0; l < lengths->n_lengths; l++) {
        size_t n = lengths->n[l];
        float *x = malloc((n + 1) * sizeof *x);
        for (size_t i = 0; x && i < n; i++)
            x[i] = value_at(comm->index, i, n);
        status = x ? lli_comm_sum(comm, x, n) : LLMINF_E_MEMORY;
        for (size_t i = 0; i < n && status == LLMINF_OK; i++)
            if (!same_bits(x[i], tree_at(0, comm->tp, i, n)))
                status = 100;
        free(x);
        if (status != LLMINF_OK)
            return status;
    }
    return lli_comm_barrier(comm);
}
