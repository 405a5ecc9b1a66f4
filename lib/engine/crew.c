/* engine/crew.c - see crew.h. */
#include "engine/crew.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/size.h"
#include "base/workers.h"
#include "forward/forward.h"

#define PULSE_STACK_BYTES (256u << 10)

enum { BEATS = 4 /* within the time limit */, PATIENCE = 20 /* times what a step should take */ };

/* ---- telling ----------------------------------------------------------------------------------------------------- */

/* The message, under the lock. */
static int32_t tell(struct lli_crew *crew)
{
    struct lli_buffer *m = &crew->message;
    lli_comm_broadcast(&crew->comm, 0, m->bytes, LLI_WIRE_FRAME);
    if (m->len > LLI_WIRE_FRAME)
        lli_comm_broadcast(&crew->comm, 0, m->bytes + LLI_WIRE_FRAME, m->len - LLI_WIRE_FRAME);
    crew->told_ns = lli_clock_ns();
    return crew->comm.error.status;
}

static int32_t tell_empty(struct lli_crew *crew, enum lli_wire_kind kind)
{
    int32_t status = lli_wire_put_empty(&crew->message, kind);
    return status == LLMINF_OK ? tell(crew) : status;
}

/* Plans are tidings too: the pulse is silent while they go out. */
static void *beat(void *arg)
{
    struct lli_crew *crew = arg;
    int64_t beat_ns = crew->hello.timeout_ns / BEATS;
    pthread_mutex_lock(&crew->lock);
    while (!crew->is_stopping && crew->comm.error.status == LLMINF_OK) {
        if (lli_clock_ns() - crew->told_ns >= beat_ns)
            tell_empty(crew, LLI_WIRE_IDLE);
        lli_clock_cond_wait(&crew->stop, &crew->lock, crew->told_ns + beat_ns);
    }
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

/* ---- a plan ------------------------------------------------------------------------------------------------------ */

static struct lli_span vocab_of(const struct lli_crew *crew, int32_t rank)
{
    struct lli_slice slice;
    lli_division_slice(&slice, &crew->hello.division, crew->config, (uint32_t)rank);
    return slice.is_last ? slice.vocab : (struct lli_span){0};
}

/* Columns of the logits. */
static void place(struct lli_crew *crew, const float *part, struct lli_span columns, uint32_t n_rows)
{
    size_t n_vocab = crew->config->n_vocab;
    for (uint32_t i = 0; i < n_rows; i++)
        memcpy(crew->logits + i * n_vocab + columns.first, part + (size_t)i * columns.n, columns.n * sizeof *part);
}

static int32_t take_result(struct lli_crew *crew, struct lli_plan *plan, int32_t rank)
{
    struct lli_span columns = vocab_of(crew, rank);
    struct llminf_error why;
    int is_whole = columns.n == crew->config->n_vocab;
    float *to = is_whole ? crew->logits : crew->part;
    if (lli_comm_receive(&crew->comm, rank, crew->result, lli_wire_result_bytes(plan->n_seqs)) != LLMINF_OK)
        return crew->comm.error.status;
    if (lli_wire_read_result(plan, crew->number, crew->result, &why) != LLMINF_OK)
        return lli_comm_fail(&crew->comm, rank, "%s", why.text);
    if (columns.n == 0 || plan->n_logits == 0)
        return LLMINF_OK;
    if (lli_comm_receive(&crew->comm, rank, to, (size_t)plan->n_logits * columns.n * sizeof *to) != LLMINF_OK)
        return crew->comm.error.status;
    if (!is_whole)
        place(crew, to, columns, plan->n_logits);
    return LLMINF_OK;
}

static int32_t gather(struct lli_crew *crew, struct lli_plan *plan)
{
    struct lli_span own = vocab_of(crew, 0);
    if (crew->logits && own.n > 0 && plan->n_logits > 0)
        place(crew, lli_forward_logits(crew->forward, 0), own, plan->n_logits);
    for (int32_t rank = 1; rank < crew->comm.n_ranks && crew->comm.error.status == LLMINF_OK; rank++)
        take_result(crew, plan, rank);
    return crew->comm.error.status;
}

/* Under the lock. */
static int32_t compute(struct lli_crew *crew, struct lli_plan *plan, int64_t expected_ns, struct llminf_error *err)
{
    struct lli_comm *comm = &crew->comm;
    int64_t limit_ns = crew->hello.timeout_ns;
    int32_t status = lli_comm_error(comm, err);
    if (status != LLMINF_OK)
        return status;
    if (expected_ns > limit_ns / PATIENCE)
        limit_ns = expected_ns * PATIENCE;
    comm->step = ++crew->number;
    if (lli_wire_put_plan(&crew->message, plan, crew->hello.room.n_groups, crew->number, limit_ns) != LLMINF_OK)
        lli_comm_fail(comm, 0, "no memory for a plan of %u rows", plan->n_rows);
    comm->timeout_ns = limit_ns;
    if (tell(crew) == LLMINF_OK) {
        lli_forward_run(crew->forward, plan);
        gather(crew, plan);
    }
    comm->timeout_ns = crew->hello.timeout_ns;
    crew->told_ns = lli_clock_ns();
    return lli_comm_error(comm, err);
}

static int32_t crew_run(void *state, struct lli_plan *plan, int64_t expected_ns, struct llminf_error *err)
{
    struct lli_crew *crew = state;
    pthread_mutex_lock(&crew->lock);
    int32_t status = compute(crew, plan, expected_ns, err);
    pthread_mutex_unlock(&crew->lock);
    return status;
}

static const float *crew_logits(void *state, uint32_t i)
{
    const struct lli_crew *crew = state;
    return crew->logits ? crew->logits + (size_t)i * crew->config->n_vocab : lli_forward_logits(crew->forward, i);
}

void lli_crew_executor(struct lli_executor *out, struct lli_crew *crew)
{
    *out = (struct lli_executor){.state = crew, .run = crew_run, .logits = crew_logits};
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static int32_t init_lock(struct lli_crew *crew, struct llminf_error *err)
{
    int failed = pthread_mutex_init(&crew->lock, NULL);
    if (!failed && (failed = lli_clock_cond_init(&crew->stop)) != 0)
        pthread_mutex_destroy(&crew->lock);
    crew->has_lock = !failed;
    return failed ? lli_fail_os(err, failed, "ranks", "lock") : LLMINF_OK;
}

/* What results come into. */
static int32_t make_room(struct lli_crew *crew, struct llminf_error *err)
{
    const struct lli_wire_room *room = &crew->hello.room;
    size_t widest = 0, n_vocab = crew->config->n_vocab;
    for (int32_t rank = 0; rank < crew->comm.n_ranks; rank++) {
        size_t n = vocab_of(crew, rank).n;
        widest = n > widest && n < n_vocab ? n : widest;
    }
    crew->result = lli_alloc(crew->heap, lli_wire_result_bytes(room->max_seqs));
    if (widest > 0)
        crew->part = lli_alloc_array(crew->heap, (size_t)room->max_logits * widest, sizeof *crew->part);
    if (crew->comm.n_ranks > 1)
        crew->logits = lli_alloc_array(crew->heap, (size_t)room->max_logits * n_vocab, sizeof *crew->logits);
    if (!crew->result || (widest > 0 && !crew->part) || (crew->comm.n_ranks > 1 && !crew->logits))
        return lli_fail_memory(err, "ranks", (uint64_t)room->max_logits * (n_vocab + widest) * sizeof *crew->logits);
    return LLMINF_OK;
}

static int32_t greet(struct lli_crew *crew, struct llminf_error *err)
{
    if (lli_wire_put_hello(&crew->message, &crew->hello) != LLMINF_OK)
        return lli_fail_memory(err, "ranks", LLI_WIRE_FRAME);
    return tell(crew) == LLMINF_OK ? LLMINF_OK : lli_comm_error(&crew->comm, err);
}

int32_t lli_crew_new(struct lli_crew **out, struct lli_heap *heap, const struct lli_config *config,
                     const struct llminf_comm *table, const struct lli_wire_hello *hello, struct llminf_error *err)
{
    struct lli_crew *crew = lli_alloc_zero(heap, 1, sizeof *crew);
    *out = NULL;
    if (!crew)
        return lli_fail_memory(err, "ranks", sizeof *crew);
    crew->heap = heap;
    crew->config = config;
    crew->hello = *hello;
    lli_buffer_init(&crew->message, heap);
    int32_t status = lli_comm_init(&crew->comm, heap, table, (int32_t)hello->division.tp, (int32_t)hello->division.pp,
                                   hello->timeout_ns, err);
    if (status == LLMINF_OK)
        status = init_lock(crew, err);
    if (status == LLMINF_OK)
        status = make_room(crew, err);
    if (status == LLMINF_OK)
        status = greet(crew, err);
    if (status == LLMINF_OK)
        status = lli_meeting_begin(&crew->meeting, &crew->comm, err);
    if (status != LLMINF_OK)
        lli_crew_free(crew);
    else
        *out = crew;
    return status;
}

int32_t lli_crew_meet(struct lli_crew *crew, struct lli_forward *forward, int32_t status, struct llminf_error *err)
{
    size_t n_floats = (size_t)crew->hello.room.max_rows * crew->config->n_embd;
    status = lli_meeting_end(&crew->meeting, status, err);
    if (status == LLMINF_OK)
        status = lli_comm_reserve(&crew->comm, n_floats, LLI_COMM_ANY, err);
    if (status != LLMINF_OK)
        return status;
    crew->forward = forward;
    crew->told_ns = lli_clock_ns();
    int failed = lli_workers_thread(&crew->pulse, "llminf-pulse", PULSE_STACK_BYTES, beat, crew);
    if (failed)
        return lli_fail_os(err, failed, "ranks", "the thread that keeps them informed did not start");
    crew->has_pulse = 1;
    return LLMINF_OK;
}

static void stop_pulse(struct lli_crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->is_stopping = 1;
    pthread_cond_signal(&crew->stop);
    pthread_mutex_unlock(&crew->lock);
    pthread_join(crew->pulse, NULL);
}

void lli_crew_free(struct lli_crew *crew)
{
    struct llminf_error error;
    if (!crew)
        return;
    if (crew->meeting.is_begun)
        lli_meeting_end(&crew->meeting, lli_fail(&error, LLMINF_E_COMM, NULL, "rank 0 gave up"), &error);
    if (crew->has_pulse) {
        stop_pulse(crew);
        tell_empty(crew, LLI_WIRE_CLOSE);
    } else if (crew->comm.table.fail) {
        lli_comm_fail(&crew->comm, 0, "gave up");
    }
    lli_mates_join(crew->mates);
    if (crew->owns_table)
        crew->comm.table.close(crew->comm.table.state);
    lli_comm_finish(&crew->comm);
    if (crew->has_lock) {
        pthread_cond_destroy(&crew->stop);
        pthread_mutex_destroy(&crew->lock);
    }
    lli_buffer_finish(&crew->message);
    lli_free(crew->heap, crew->result);
    lli_free(crew->heap, crew->part);
    lli_free(crew->heap, crew->logits);
    lli_free(crew->heap, crew);
}
