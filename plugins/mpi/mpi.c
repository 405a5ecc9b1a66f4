/* mpi/mpi.c - the table over a link, and its way in and out of MPI.
 *
 * close waits for nobody for longer than FAREWELL_NS. Where ranks are missing then, MPI stays as it is: to finalise it, and to
 * release memory that it may still write, would wait or harm. */
#include "llminf/mpi.h"

#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/patience.h"
#include "plugins/mpi/link.h"
#include "plugins/mpi/window.h"

#define OPEN_NS 60000000000ll
#define FAREWELL_NS 2000000000ll

static llminf_status mpi_send(void *state, int32_t to, const void *data, size_t bytes, int64_t timeout_ns)
{
    return link_put(state, to, data, bytes, link_end(timeout_ns));
}

static llminf_status mpi_receive(void *state, int32_t from, void *data, size_t bytes, int64_t timeout_ns)
{
    return link_take(state, from, data, bytes, link_end(timeout_ns));
}

static llminf_status mpi_group_gather(void *state, int32_t first, int32_t count, const void *in, size_t bytes, void *out,
                                      int64_t timeout_ns)
{
    return link_gather(state, first, count, in, bytes, out, link_end(timeout_ns));
}

static llminf_status mpi_all_gather(void *state, const void *in, size_t bytes, void *out, int64_t timeout_ns)
{
    struct link *link = state;
    return link_gather(link, 0, link->n, in, bytes, out, link_end(timeout_ns));
}

static llminf_status mpi_broadcast(void *state, int32_t root, void *data, size_t bytes, int64_t timeout_ns)
{
    struct link *link = state;
    int64_t end_ns = link_end(timeout_ns);
    llminf_status status = LLMINF_OK;
    if (link->rank != root)
        return link_take(link, root, data, bytes, end_ns);
    for (int rank = 0; rank < link->n && status == LLMINF_OK; rank++)
        if (rank != root)
            status = link_put(link, rank, data, bytes, end_ns);
    return status;
}

static llminf_status mpi_window(void *state, int32_t first, int32_t count, size_t bytes, void **base_out, int64_t timeout_ns)
{
    return window_open(state, first, count, bytes, base_out, link_end(timeout_ns));
}

static void mpi_fail(void *state)
{
    link_fail(state);
}

static int32_t mpi_lost(void *state)
{
    struct link *link = state;
    return link->lost;
}

/* ---- in and out -------------------------------------------------------------------------------------------------- */

static void free_link(struct link *link)
{
    window_close_all(link);
    for (int i = 0; link->peers && i < link->n; i++) {
        lli_free(&link->heap, link->peers[i].out_data);
        lli_free(&link->heap, link->peers[i].in_data);
    }
    lli_free(&link->heap, link->peers);
    pthread_mutex_destroy(&link->lock);
    free(link);
}

/* All ranks have come to their close: MPI is through with all that was sent. */
static int is_over(struct link *link)
{
    char in = 0, *out = lli_alloc(&link->heap, (size_t)link->n);
    int64_t end_ns = link_end(FAREWELL_NS);
    int32_t status = !link->failed && out ? link_gather(link, 0, link->n, &in, 1, out, end_ns) : LLMINF_E_COMM;
    if (status == LLMINF_OK)
        status = link_drain(link, end_ns);
    lli_free(&link->heap, out);
    return status == LLMINF_OK;
}

static void mpi_close(void *state)
{
    struct link *link = state;
    if (!is_over(link)) {
        window_close_all(link);
        return; /* the rest is MPI's to write to */
    }
    MPI_Comm_free(&link->comm);
    if (link->owns_mpi)
        MPI_Finalize();
    free_link(link);
}

static int32_t start_mpi(struct link *link, int32_t communicator, struct llminf_error *err)
{
    int is_initialised = 0, is_finalised = 0, level = 0;
    if (MPI_Finalized(&is_finalised) != MPI_SUCCESS || is_finalised)
        return lli_fail(err, LLMINF_E_COMM, "mpi", "is finalised already; that cannot be undone");
    MPI_Initialized(&is_initialised);
    if (!is_initialised && communicator != -1)
        return lli_fail(err, LLMINF_E_INVALID, "communicator", "%d before MPI is initialised, want -1", communicator);
    int code = is_initialised ? MPI_Query_thread(&level) : MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level);
    if (code != MPI_SUCCESS)
        return lli_fail(err, LLMINF_E_COMM, "mpi", "cannot be initialised (code %d)", code);
    link->owns_mpi = !is_initialised;
    if (level < MPI_THREAD_SERIALIZED)
        return lli_fail(err, LLMINF_E_COMM, "mpi", "thread level is %d, want MPI_THREAD_SERIALIZED (%d) or more", level,
                        MPI_THREAD_SERIALIZED);
    return LLMINF_OK;
}

/* A duplicate, for which all ranks have to come; so it has a limit too. */
static int duplicate(MPI_Comm *out, MPI_Comm from)
{
    MPI_Request request;
    int is_done = 0;
    struct lli_patience patience = lli_patience_begin(OPEN_NS);
    int code = MPI_Comm_idup(from, out, &request);
    while (code == MPI_SUCCESS && !is_done) {
        code = MPI_Test(&request, &is_done, MPI_STATUS_IGNORE);
        if (code == MPI_SUCCESS && !is_done && lli_patience_is_over(&patience))
            return MPI_ERR_OTHER;
    }
    return code;
}

static int32_t take_communicator(struct link *link, int32_t communicator, struct llminf_error *err)
{
    MPI_Errhandler before;
    MPI_Comm from = communicator == -1 ? MPI_COMM_WORLD : MPI_Comm_f2c((MPI_Fint)communicator);
    if (!from || from == MPI_COMM_NULL)
        return lli_fail(err, LLMINF_E_INVALID, "communicator", "%d is no communicator", communicator);
    /* a wrong handle is reported to the world's handler, which by default ends the job */
    MPI_Comm_get_errhandler(MPI_COMM_WORLD, &before);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    int code = duplicate(&link->comm, from);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, before);
    MPI_Errhandler_free(&before);
    if (code != MPI_SUCCESS)
        return lli_fail(err, LLMINF_E_COMM, "communicator", "%d cannot be duplicated, or ranks are missing (code %d)",
                        communicator, code);
    MPI_Comm_set_errhandler(link->comm, MPI_ERRORS_RETURN);
    MPI_Comm_rank(link->comm, &link->rank);
    MPI_Comm_size(link->comm, &link->n);
    link->peers = lli_alloc_zero(&link->heap, (size_t)link->n, sizeof *link->peers);
    if (!link->peers)
        return lli_fail_memory(err, "communicator", (uint64_t)link->n * sizeof *link->peers);
    for (int i = 0; i < link->n; i++)
        link->peers[i].out = link->peers[i].in = MPI_REQUEST_NULL;
    return LLMINF_OK;
}

llminf_status llminf_mpi_comm(llminf_comm *out, int32_t communicator, llminf_error *error)
{
    if (!out)
        return lli_fail(error, LLMINF_E_INVALID, "out", "is NULL");
    memset(out, 0, sizeof *out);
    struct link *link = calloc(1, sizeof *link);
    if (!link)
        return lli_fail_memory(error, "communicator", sizeof *link);
    lli_heap_init(&link->heap, NULL, NULL, NULL);
    link->lost = -1;
    int failed = pthread_mutex_init(&link->lock, NULL);
    if (failed) {
        free(link);
        return lli_fail_os(error, failed, "communicator", "lock");
    }
    int32_t status = start_mpi(link, communicator, error);
    if (status == LLMINF_OK)
        status = take_communicator(link, communicator, error);
    if (status != LLMINF_OK) {
        free_link(link);
        return status;
    }
    *out = (llminf_comm){
        .size = sizeof *out,
        .abi = LLMINF_COMM_ABI,
        .rank = link->rank,
        .n_ranks = link->n,
        .state = link,
        .all_gather = mpi_all_gather,
        .broadcast = mpi_broadcast,
        .send = mpi_send,
        .receive = mpi_receive,
        .fail = mpi_fail,
        .close = mpi_close,
        .group_gather = mpi_group_gather,
        .window = mpi_window,
        .lost = mpi_lost,
    };
    return LLMINF_OK;
}
