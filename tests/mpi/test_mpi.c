/* Ranks over MPI, under mpirun; one process is one rank.
 *
 *   test-mpi TP sums                  messages, and sums by both ways against the tree
 *   test-mpi TP handles               handles that are none; a communicator of the host's
 *   test-mpi TP kill|stop|exit CALL   the last rank goes before its CALL-th call: each other one has to say COMM in time */
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "llminf/mpi.h"
#include "support/ranks.h"

#define MS 1000000ll
#define TIMEOUT_NS (500 * MS)

static int complain(const struct lli_comm *comm, const char *what, int32_t status)
{
    fprintf(stderr, "rank %d: %s: %d %s\n", comm->rank, what, status, comm->error.text);
    return 1;
}

static int sums(struct rank *rank)
{
    static const size_t LONG[] = {0, 16383, 16384, 16385, 65535, 65536, 65537, 16384, 200001, 3, 131072};
    size_t all[257];
    for (size_t i = 0; i < 257; i++)
        all[i] = i + 1;
    struct rank_lengths lengths[] = {
        {LLI_COMM_GATHER, 257, all, 257},
        {LLI_COMM_GATHER, 1 << 20, LONG, 11},
        {LLI_COMM_WINDOW, 257, all, 257},
        {LLI_COMM_ANY, 1 << 20, LONG, 11},
    };
    int32_t status = rank_exchange_all(rank);
    if (status == 0)
        status = rank_gather_all(rank);
    for (int i = 0; i < 4 && status == 0; i++) {
        rank->arg = &lengths[i];
        status = rank_sum_all(rank);
        lli_free(rank->comm.heap, rank->comm.gathered);
        rank->comm.gathered = NULL;
        rank->comm.n_posts = rank->comm.turn = 0; /* each room is a new one */
    }
    return status == 0 ? 0 : complain(&rank->comm, "sums", status);
}

/* MPI is the host's here. */
static int handles(int32_t tp)
{
    struct llminf_comm table;
    struct llminf_error err;
    MPI_Comm half;
    int level, rank, n, failed = 0;
    if (llminf_mpi_comm(&table, 0, &err) != LLMINF_E_INVALID)
        return fprintf(stderr, "before MPI_Init: %s\n", err.text), 1;
    MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &n);
    int32_t status = llminf_mpi_comm(&table, MPI_Comm_c2f(MPI_COMM_NULL), &err);
    if (status != LLMINF_E_INVALID || table.size != 0)
        failed = fprintf(stderr, "rank %d: null handle: %d\n", rank, status);
    MPI_Comm_split(MPI_COMM_WORLD, rank % 2, rank, &half);
    status = llminf_mpi_comm(&table, MPI_Comm_c2f(half), &err);
    if (status != LLMINF_OK || table.n_ranks != n / 2 || n != tp)
        failed = fprintf(stderr, "rank %d: half: %d, %d ranks of %d\n", rank, status, table.n_ranks, n);
    if (status == LLMINF_OK)
        table.close(table.state);
    MPI_Comm_free(&half);
    if (MPI_Barrier(MPI_COMM_WORLD) != MPI_SUCCESS) /* close left the host's MPI alone */
        failed = 1;
    MPI_Finalize();
    return failed != 0;
}

static void leave(const char *how)
{
    if (strcmp(how, "kill") == 0)
        kill(getpid(), SIGKILL);
    else if (strcmp(how, "stop") == 0)
        kill(getpid(), SIGSTOP);
    _exit(0);
}

static int32_t call(struct lli_comm *comm, int i)
{
    float x[4096] = {0};
    char data[8192] = {0}, all[8 * RANKS_MOST];
    int32_t next = (comm->rank + 1) % comm->n_ranks, previous = (comm->rank + comm->n_ranks - 1) % comm->n_ranks;
    switch (i % 6) {
    case 0:
        return i == 0 ? lli_comm_reserve(comm, 4096, LLI_COMM_ANY, NULL) : lli_comm_barrier(comm);
    case 1:
        return lli_comm_broadcast(comm, 0, data, sizeof data);
    case 2:
        return lli_comm_sum(comm, x, 4096);
    case 3:
        return lli_comm_send(comm, next, data, sizeof data);
    case 4:
        return lli_comm_receive(comm, previous, data, sizeof data);
    default:
        return lli_comm_gather(comm, data, 8, all);
    }
}

/* Oracle R5, for processes. */
static int lose(struct lli_comm *comm, const char *how, int at)
{
    int64_t pids[RANKS_MOST], own = getpid(), start_ns = 0, ns;
    int32_t status = lli_comm_gather(comm, &own, sizeof own, pids), last = comm->n_ranks - 1;
    for (int i = 0; status == 0; i++) {
        if (comm->rank == last && i == at)
            leave(how);
        comm->step = (uint64_t)i + 1;
        start_ns = lli_clock_ns();
        status = call(comm, i);
        if (i > at + 12)
            return complain(comm, "still going", status);
    }
    ns = lli_clock_ns() - start_ns;
    if (comm->rank == 0 && strcmp(how, "stop") == 0)
        kill((pid_t)pids[last], SIGKILL);
    if (status != LLMINF_E_COMM || ns > TIMEOUT_NS + 1000 * MS || !strstr(comm->error.text, "in step "))
        return complain(comm, "wrong end", status);
    printf("rank %d: %s after %lld ms\n", comm->rank, comm->error.text, (long long)(ns / MS));
    return 0;
}

int main(int argc, char **argv)
{
    struct rank rank = {0};
    struct lli_heap heap;
    struct llminf_comm table;
    struct llminf_error err;
    if (argc < 3)
        return fprintf(stderr, "usage: test-mpi TP sums|handles|kill|stop|exit [CALL]\n"), 2;
    int32_t tp = atoi(argv[1]);
    if (strcmp(argv[2], "handles") == 0)
        return handles(tp);
    if (llminf_mpi_comm(&table, -1, &err) != LLMINF_OK)
        return fprintf(stderr, "%s\n", err.text), 1;
    lli_heap_init(&heap, NULL, NULL, NULL);
    int64_t timeout_ns = strcmp(argv[2], "sums") == 0 ? 60000 * MS : TIMEOUT_NS;
    if (lli_comm_init(&rank.comm, &heap, &table, tp, table.n_ranks / tp, timeout_ns, &err) != LLMINF_OK)
        return fprintf(stderr, "%s\n", err.text), 1;
    int failed = strcmp(argv[2], "sums") == 0 ? sums(&rank) : lose(&rank.comm, argv[2], argc > 3 ? atoi(argv[3]) : 0);
    lli_comm_finish(&rank.comm);
    table.close(table.state);
    return failed;
}
