/* How long an ordered sum takes between ranks, by each way: threads of one process, or, under mpirun, processes.
 *
 *   llminf-bench-ranks [N]            N threads (2)
 *   mpirun -n 2 llminf-bench-ranks    one process a rank
 *
 * Each row is the median of 101 rounds of so many sums as take about 2 ms, in microseconds, of rank 0. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "parallel/comm.h"
#include "parallel/local.h"
#ifdef HAS_MPI
#include "llminf/mpi.h"
#endif

enum { ROUNDS = 101, MOST = 8 };
#define TIMEOUT_NS 10000000000ll

static const size_t BYTES[] = {64, 1152, 4096, 8192, 16384, 65536, 262144};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Microseconds. */
static double time_sum(struct lli_comm *comm, float *x, size_t n)
{
    double rounds[ROUNDS];
    int n_sums = n < 4096 ? 500 : n < 32768 ? 100 : 20;
    for (int r = 0; r < ROUNDS; r++) {
        memset(x, 0, n * sizeof *x);
        lli_comm_barrier(comm);
        int64_t start_ns = lli_clock_ns();
        for (int i = 0; i < n_sums; i++)
            lli_comm_sum(comm, x, n);
        rounds[r] = (double)(lli_clock_ns() - start_ns) / 1000 / n_sums;
    }
    qsort(rounds, ROUNDS, sizeof *rounds, compare);
    return rounds[ROUNDS / 2];
}

static int measure(const struct llminf_comm *table, const char *what)
{
    static const struct {
        int way;
        const char *name;
    } WAYS[] = {{LLI_COMM_WINDOW, "window"}, {LLI_COMM_GATHER, "gather"}};
    struct lli_heap heap;
    struct llminf_error err = {0};
    float *x = malloc(BYTES[6]);
    lli_heap_init(&heap, NULL, NULL, NULL);
    for (int w = 0; w < 2 && x && err.status == 0; w++) {
        struct lli_comm comm;
        if (lli_comm_init(&comm, &heap, table, table->n_ranks, 1, TIMEOUT_NS, &err) == LLMINF_OK)
            lli_comm_reserve(&comm, BYTES[6] / sizeof *x, WAYS[w].way, &err);
        for (size_t i = 0; i < sizeof BYTES / sizeof *BYTES && comm.error.status == LLMINF_OK; i++) {
            double us = time_sum(&comm, x, BYTES[i] / sizeof *x);
            if (table->rank == 0)
                printf("%-9s %d ranks  %-6s %7zu bytes %9.2f us\n", what, table->n_ranks, WAYS[w].name, BYTES[i], us);
        }
        lli_comm_error(&comm, &err);
        lli_comm_finish(&comm);
    }
    free(x);
    if (err.status != LLMINF_OK)
        fprintf(stderr, "rank %d: %s\n", table->rank, err.text);
    return err.status != LLMINF_OK;
}

static void *run_thread(void *arg)
{
    measure(arg, "threads");
    return NULL;
}

static int measure_threads(int32_t n)
{
    struct llminf_comm tables[MOST];
    pthread_t threads[MOST];
    struct lli_heap heap;
    lli_heap_init(&heap, NULL, NULL, NULL);
    if (lli_local_new(tables, &heap, n, 1 << 20, NULL) != LLMINF_OK)
        return 1;
    for (int32_t i = 1; i < n; i++)
        if (pthread_create(&threads[i], NULL, run_thread, &tables[i]) != 0)
            return 1;
    int failed = measure(&tables[0], "threads");
    for (int32_t i = 1; i < n; i++)
        pthread_join(threads[i], NULL);
    for (int32_t i = 0; i < n; i++)
        tables[i].close(tables[i].state);
    return failed;
}

int main(int argc, char **argv)
{
    int32_t n = argc > 1 ? atoi(argv[1]) : 2;
    if (n != 2 && n != 4 && n != 8)
        return fprintf(stderr, "usage: llminf-bench-ranks [2|4|8]\n"), 2;
#ifdef HAS_MPI
    struct llminf_comm table;
    struct llminf_error err;
    if (getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMI_SIZE")) {
        if (llminf_mpi_comm(&table, -1, &err) != LLMINF_OK)
            return fprintf(stderr, "%s\n", err.text), 1;
        int failed = measure(&table, "processes");
        table.close(table.state);
        return failed;
    }
#endif
    return measure_threads(n);
}
