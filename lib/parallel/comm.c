/* parallel/comm.c - checks of the table, errors that name a rank, and the ordered sum.
 *
 * The window is a part per rank of the group; each writes its own part only, and reads all:
 *
 *     posted | failed | floats [piece] | floats [piece]
 *
 * `posted` counts what its rank has written, in one order for all ranks. A vector goes into the two buffers by turns: who has
 * seen the posts of all ranks for one vector knows that all are through with the one before it, whose buffer is next. */
#include "parallel/comm.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/format.h"
#include "base/patience.h"
#include "base/size.h"

/* A piece stays in the cache of a core, where it is read after it was written. From SPLIT_BYTES on a rank sums its slice only,
 * and the others copy it. */
enum { PIECE_FLOATS = 64 << 10, SPLIT_BYTES = 64 << 10 };

struct part {
    _Alignas(128) _Atomic uint64_t posted;
    _Atomic uint32_t failed;
    _Alignas(128) float buffers[];
};

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static void wake_others(struct lli_comm *comm)
{
    struct part *own = comm->parts[0] ? comm->parts[comm->index] : NULL;
    if (own)
        atomic_store_explicit(&own->failed, 1, memory_order_release);
    comm->table.fail(comm->table.state);
}

int32_t lli_comm_fail(struct lli_comm *comm, int32_t rank, const char *format, ...)
{
    char subject[32], step[40] = "", text[sizeof comm->error.text];
    va_list args;
    if (comm->error.status != LLMINF_OK)
        return comm->error.status;
    va_start(args, format);
    lli_format_list(text, sizeof text, format, args);
    va_end(args);
    if (rank < 0)
        lli_format(subject, sizeof subject, "a rank of 0 to %d", comm->n_ranks - 1);
    else
        lli_format(subject, sizeof subject, "rank %d", rank);
    if (comm->step > 0)
        lli_format(step, sizeof step, " in step %llu", (unsigned long long)comm->step);
    comm->lost = rank;
    lli_fail(&comm->error, LLMINF_E_COMM, subject, "%s%s", text, step);
    wake_others(comm);
    return LLMINF_E_COMM;
}

int32_t lli_comm_error(const struct lli_comm *comm, struct llminf_error *err)
{
    if (comm->error.status != LLMINF_OK && err)
        *err = comm->error;
    return comm->error.status;
}

static int32_t fail_silent(struct lli_comm *comm, int32_t rank)
{
    return lli_comm_fail(comm, rank, "no answer within %lld ms", (long long)(comm->timeout_ns / 1000000));
}

/* What a slot returned. peer: whom it spoke with; -1: several. */
static int32_t judge(struct lli_comm *comm, int32_t peer, llminf_status status, int64_t start_ns)
{
    if (status == LLMINF_OK)
        return LLMINF_OK;
    int32_t lost = comm->table.lost ? comm->table.lost(comm->table.state) : -1;
    if (lost < 0 || lost >= comm->n_ranks)
        lost = peer;
    if (lli_clock_ns() - start_ns >= comm->timeout_ns)
        return fail_silent(comm, lost);
    return lli_comm_fail(comm, lost, "failed, or cannot be reached (the transport's status is %d)", status);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static int32_t refuse(struct llminf_error *err, const char *what, int64_t is, int64_t want)
{
    return lli_fail(err, LLMINF_E_COMM, "communicator", "%s is %lld, want %lld", what, (long long)is, (long long)want);
}

static const char *find_missing(const struct llminf_comm *table, int32_t pp)
{
    return !table->all_gather               ? "all_gather"
           : !table->broadcast              ? "broadcast"
           : !table->send                   ? "send"
           : !table->receive                ? "receive"
           : !table->fail                   ? "fail"
           : !table->close                  ? "close"
           : pp > 1 && !table->group_gather ? "group_gather"
                                            : NULL;
}

static int32_t check_table(const struct llminf_comm *table, int32_t tp, int32_t pp, struct llminf_error *err)
{
    if (table->abi != LLMINF_COMM_ABI)
        return refuse(err, "abi", table->abi, LLMINF_COMM_ABI);
    if (table->n_ranks < 1 || table->n_ranks > LLI_COMM_RANKS_MAX)
        return lli_fail(err, LLMINF_E_COMM, "communicator", "n_ranks is %d, want 1 to %d", table->n_ranks, LLI_COMM_RANKS_MAX);
    if (tp < 1 || pp < 1 || table->n_ranks != tp * pp)
        return lli_fail(err, LLMINF_E_COMM, "communicator", "n_ranks is %d, want tensor_parallel %d x pipeline_parallel %d",
                        table->n_ranks, tp, pp);
    if (table->rank < 0 || table->rank >= table->n_ranks)
        return lli_fail(err, LLMINF_E_COMM, "communicator", "rank is %d, want 0 to %d", table->rank, table->n_ranks - 1);
    const char *missing = find_missing(table, pp);
    if (missing)
        return lli_fail(err, LLMINF_E_COMM, "communicator", "slot %s is NULL, wanted for %d ranks in %d stages", missing,
                        table->n_ranks, pp);
    return LLMINF_OK;
}

int32_t lli_comm_init(struct lli_comm *comm, struct lli_heap *heap, const struct llminf_comm *table, int32_t tp, int32_t pp,
                      int64_t timeout_ns, struct llminf_error *err)
{
    *comm = (struct lli_comm){.heap = heap, .timeout_ns = timeout_ns, .lost = -1};
    if (table->size < sizeof comm->table)
        return refuse(err, "size", (int64_t)table->size, (int64_t)sizeof comm->table);
    int32_t status = check_table(table, tp, pp, err);
    if (status != LLMINF_OK)
        return status;
    memcpy(&comm->table, table, sizeof comm->table);
    comm->rank = table->rank;
    comm->n_ranks = table->n_ranks;
    return lli_comm_split(comm, tp, pp, err);
}

int32_t lli_comm_split(struct lli_comm *comm, int32_t tp, int32_t pp, struct llminf_error *err)
{
    int32_t status = check_table(&comm->table, tp, pp, err);
    if (status != LLMINF_OK)
        return status;
    comm->tp = tp;
    comm->pp = pp;
    comm->stage = comm->rank / tp;
    comm->index = comm->rank % tp;
    return LLMINF_OK;
}

void lli_comm_finish(struct lli_comm *comm)
{
    if (comm->heap)
        lli_free(comm->heap, comm->gathered);
    *comm = (struct lli_comm){0};
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

int32_t lli_comm_gather(struct lli_comm *comm, const void *in, size_t bytes, void *out)
{
    if (comm->error.status != LLMINF_OK)
        return comm->error.status;
    int64_t start_ns = lli_clock_ns();
    return judge(comm, -1, comm->table.all_gather(comm->table.state, in, bytes, out, comm->timeout_ns), start_ns);
}

int32_t lli_comm_broadcast(struct lli_comm *comm, int32_t root, void *data, size_t bytes)
{
    if (comm->error.status != LLMINF_OK)
        return comm->error.status;
    int64_t start_ns = lli_clock_ns();
    llminf_status status = comm->table.broadcast(comm->table.state, root, data, bytes, comm->timeout_ns);
    return judge(comm, comm->rank == root ? -1 : root, status, start_ns);
}

int32_t lli_comm_send(struct lli_comm *comm, int32_t to, const void *data, size_t bytes)
{
    if (comm->error.status != LLMINF_OK)
        return comm->error.status;
    int64_t start_ns = lli_clock_ns();
    return judge(comm, to, comm->table.send(comm->table.state, to, data, bytes, comm->timeout_ns), start_ns);
}

int32_t lli_comm_receive(struct lli_comm *comm, int32_t from, void *data, size_t bytes)
{
    if (comm->error.status != LLMINF_OK)
        return comm->error.status;
    int64_t start_ns = lli_clock_ns();
    return judge(comm, from, comm->table.receive(comm->table.state, from, data, bytes, comm->timeout_ns), start_ns);
}

int32_t lli_comm_group_gather(struct lli_comm *comm, const void *in, size_t bytes, void *out)
{
    if (comm->pp == 1)
        return lli_comm_gather(comm, in, bytes, out);
    if (comm->error.status != LLMINF_OK)
        return comm->error.status;
    int64_t start_ns = lli_clock_ns();
    llminf_status status =
        comm->table.group_gather(comm->table.state, comm->stage * comm->tp, comm->tp, in, bytes, out, comm->timeout_ns);
    return judge(comm, -1, status, start_ns);
}

int32_t lli_comm_barrier(struct lli_comm *comm)
{
    char in = 0, out[LLI_COMM_RANKS_MAX];
    return lli_comm_gather(comm, &in, 1, out);
}

/* ---- room for vectors -------------------------------------------------------------------------------------------- */

size_t lli_comm_bytes(int32_t tp, size_t n)
{
    return tp == 1 ? 0 : (size_t)tp * (n < PIECE_FLOATS ? n : PIECE_FLOATS) * sizeof(float);
}

/* The first rank of the group whose answer is not 0, by index; -1: all are. */
static int32_t find_refusal(struct lli_comm *comm, char own, int32_t *out)
{
    char answers[LLI_COMM_GROUP_MAX] = {0};
    int32_t status = lli_comm_group_gather(comm, &own, 1, answers);
    *out = -1;
    for (int32_t i = 0; i < comm->tp && *out < 0; i++)
        if (answers[i] != 0)
            *out = i;
    return status;
}

static int32_t take_window(struct lli_comm *comm, int ways)
{
    int32_t refusal;
    char refused = !(ways & LLI_COMM_WINDOW) || !comm->table.window;
    if (!refused) {
        int64_t start_ns = lli_clock_ns();
        size_t bytes = sizeof(struct part) + 2 * comm->piece * sizeof(float);
        llminf_status got =
            comm->table.window(comm->table.state, comm->stage * comm->tp, comm->tp, bytes, comm->parts, comm->timeout_ns);
        refused = got != LLMINF_OK;
        if (got == LLMINF_E_COMM)
            return judge(comm, -1, got, start_ns);
    }
    int32_t status = find_refusal(comm, refused, &refusal);
    if (status != LLMINF_OK || refusal >= 0)
        comm->parts[0] = NULL;
    if (status == LLMINF_OK && refusal >= 0 && !(ways & LLI_COMM_GATHER))
        return lli_comm_fail(comm, comm->stage * comm->tp + refusal, "has no memory shared with the others of its group");
    return status;
}

int32_t lli_comm_reserve(struct lli_comm *comm, size_t n, int ways, struct llminf_error *err)
{
    int32_t refusal;
    if (comm->tp == 1)
        return LLMINF_OK;
    comm->piece = n < PIECE_FLOATS ? n : PIECE_FLOATS;
    if (take_window(comm, ways) != LLMINF_OK)
        return lli_comm_error(comm, err);
    if (comm->parts[0])
        return LLMINF_OK;
    comm->gathered = lli_alloc_array(comm->heap, (size_t)comm->tp * comm->piece, sizeof *comm->gathered);
    if (find_refusal(comm, !comm->gathered, &refusal) != LLMINF_OK)
        return lli_comm_error(comm, err);
    if (!comm->gathered)
        return lli_fail_memory(err, "communicator", lli_comm_bytes(comm->tp, n));
    if (refusal >= 0)
        lli_comm_fail(comm, comm->stage * comm->tp + refusal, "no memory for the vectors of its group");
    return lli_comm_error(comm, err);
}

/* ---- the ordered sum --------------------------------------------------------------------------------------------- */

/* The top of the tree: out[i] = ((in0 + in1) + (in2 + in3)) + ((in4 + in5) + (in6 + in7)), as many as there are ranks. out is
 * none of the vectors that come in. */
static void add_tree(float *restrict out, const float *const *in, int32_t tp, size_t n)
{
    const float *a = in[0], *b = in[1], *c = in[2], *d = in[3], *e = in[4], *f = in[5], *g = in[6], *h = in[7];
    if (tp == 2)
        for (size_t i = 0; i < n; i++)
            out[i] = a[i] + b[i];
    else if (tp == 4)
        for (size_t i = 0; i < n; i++)
            out[i] = (a[i] + b[i]) + (c[i] + d[i]);
    else
        for (size_t i = 0; i < n; i++)
            out[i] = ((a[i] + b[i]) + (c[i] + d[i])) + ((e[i] + f[i]) + (g[i] + h[i]));
}

/* Until every rank has posted as often as this one. */
static int32_t await_posts(struct lli_comm *comm)
{
    for (int32_t i = 0; i < comm->tp; i++) {
        struct part *part = comm->parts[i];
        struct lli_patience patience = lli_patience_begin(comm->timeout_ns);
        while (atomic_load_explicit(&part->posted, memory_order_acquire) < comm->n_posts) {
            int32_t rank = comm->stage * comm->tp + i;
            if (atomic_load_explicit(&part->failed, memory_order_acquire))
                return lli_comm_fail(comm, rank, "gave up");
            if (lli_patience_is_over(&patience))
                return fail_silent(comm, rank);
        }
    }
    return LLMINF_OK;
}

static int32_t post(struct lli_comm *comm)
{
    struct part *own = comm->parts[comm->index];
    atomic_store_explicit(&own->posted, ++comm->n_posts, memory_order_release);
    return await_posts(comm);
}

static size_t slice_start(const struct lli_comm *comm, size_t n, int32_t index)
{
    return n * (size_t)index / (size_t)comm->tp;
}

/* Own slice is summed and written over the own vector, where nobody else reads that slice. */
static int32_t sum_slices(struct lli_comm *comm, float *x, float *const *buffers, size_t n)
{
    const float *in[LLI_COMM_GROUP_MAX] = {0};
    size_t start = slice_start(comm, n, comm->index), end = slice_start(comm, n, comm->index + 1);
    for (int32_t i = 0; i < comm->tp; i++)
        in[i] = buffers[i] + start;
    add_tree(x + start, in, comm->tp, end - start);
    memcpy(buffers[comm->index] + start, x + start, (end - start) * sizeof(float));
    int32_t status = post(comm);
    for (int32_t i = 0; i < comm->tp && status == LLMINF_OK; i++) {
        size_t from = slice_start(comm, n, i), to = slice_start(comm, n, i + 1);
        if (i != comm->index)
            memcpy(x + from, buffers[i] + from, (to - from) * sizeof(float));
    }
    return status;
}

static int32_t sum_window(struct lli_comm *comm, float *x, size_t n)
{
    float *buffers[LLI_COMM_GROUP_MAX] = {0};
    for (int32_t i = 0; i < comm->tp; i++) {
        struct part *part = comm->parts[i];
        buffers[i] = part->buffers + comm->turn * comm->piece;
    }
    comm->turn ^= 1;
    memcpy(buffers[comm->index], x, n * sizeof(float));
    int32_t status = post(comm);
    if (status != LLMINF_OK)
        return status;
    if (n * sizeof(float) > SPLIT_BYTES)
        return sum_slices(comm, x, buffers, n);
    add_tree(x, (const float *const *)buffers, comm->tp, n);
    return LLMINF_OK;
}

static int32_t sum_gathered(struct lli_comm *comm, float *x, size_t n)
{
    const float *in[LLI_COMM_GROUP_MAX] = {0};
    int32_t status = lli_comm_group_gather(comm, x, n * sizeof(float), comm->gathered);
    if (status != LLMINF_OK)
        return status;
    for (int32_t i = 0; i < comm->tp; i++)
        in[i] = comm->gathered + (size_t)i * n;
    add_tree(x, in, comm->tp, n);
    return LLMINF_OK;
}

int32_t lli_comm_sum(struct lli_comm *comm, float *x, size_t n)
{
    for (size_t done = 0; comm->tp > 1 && done < n && comm->error.status == LLMINF_OK; done += comm->piece) {
        size_t some = n - done < comm->piece ? n - done : comm->piece;
        if (comm->parts[0])
            sum_window(comm, x + done, some);
        else
            sum_gathered(comm, x + done, some);
    }
    return comm->error.status;
}
