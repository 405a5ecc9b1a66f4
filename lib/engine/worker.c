/* engine/worker.c - see worker.h. Whatever comes is checked before it is used (engine/wire.h). */
#include "engine/worker.h"

#include <string.h>

#include "backend/registry.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/fenv.h"
#include "base/workers.h"
#include "engine/meeting.h"
#include "engine/wire.h"
#include "forward/forward.h"
#include "kv/pool.h"
#include "parallel/comm.h"

struct worker {
    const struct lli_worker_options *options;
    struct lli_comm comm;
    struct lli_wire_hello hello;
    struct lli_wire_room room; /* of a plan here */
    struct lli_slice slice;
    struct lli_workers threads;
    struct lli_forward *forward;
    struct lli_buffer message, result;
    struct lli_wire_plan plan;
};

/* ---- getting ready ----------------------------------------------------------------------------------------------- */

static int32_t hear(struct worker *w, struct llminf_error *err)
{
    if (lli_buffer_reserve(&w->message, LLI_WIRE_FRAME))
        return lli_fail_memory(err, "message", LLI_WIRE_FRAME);
    return lli_comm_broadcast(&w->comm, 0, w->message.bytes, LLI_WIRE_FRAME) == LLMINF_OK ? LLMINF_OK
                                                                                          : lli_comm_error(&w->comm, err);
}

/* Is there room for so many blocks? */
static int32_t check_budget(const struct worker *w, struct llminf_error *err)
{
    const struct lli_worker_options *o = w->options;
    size_t each = lli_forward_slice_bytes(o->config, &w->slice, (int)w->hello.kv_type);
    if (o->kv_budget_bytes == 0 || lli_pool_fit((uint64_t)o->kv_budget_bytes, each) >= w->hello.room.n_blocks)
        return LLMINF_OK;
    return lli_fail(err, LLMINF_E_OPTION, "kv_budget_bytes", "%lld holds %u blocks of %zu bytes, rank 0 wants %u",
                    (long long)o->kv_budget_bytes, lli_pool_fit((uint64_t)o->kv_budget_bytes, each), each,
                    w->hello.room.n_blocks);
}

static int32_t make_forward(struct worker *w, struct llminf_error *err)
{
    const struct lli_worker_options *o = w->options;
    const struct lli_weights *weights;
    struct lli_forward_options forward = {
        .backend = o->backend,
        .workers = &w->threads,
        .kv_type = (int)w->hello.kv_type,
        .n_blocks = w->hello.room.n_blocks,
        .max_rows = w->hello.room.max_rows,
        .max_logits = w->hello.room.max_logits,
        .max_pos = w->hello.room.max_pos,
        .prefault = o->kv_prefault,
        .comm = &w->comm,
    };
    int32_t status = lli_packings_take_slice(&weights, o->packings, o->source, &w->slice, (uint32_t)o->backend->lanes,
                                             o->n_threads, o->progress, err);
    if (status == LLMINF_OK)
        status = lli_workers_init(&w->threads, o->heap, o->n_threads, &o->cpus, o->spin_ns, err);
    if (status == LLMINF_OK)
        status = lli_forward_new(&w->forward, o->heap, o->config, weights, &forward, err);
    return status;
}

/* The hello is a frame in the message. */
static int32_t prepare(struct worker *w, struct llminf_error *err)
{
    const struct lli_worker_options *o = w->options;
    const struct lli_wire_hello *h = &w->hello;
    uint32_t n_positions = lli_config_positions(o->config);
    int32_t status = lli_wire_read_hello(&w->hello, w->message.bytes, err);
    if (status == LLMINF_OK)
        status = lli_wire_check_hello(h, o->config, o->fingerprint, (uint32_t)w->comm.n_ranks, err);
    if (status != LLMINF_OK)
        return status;
    lli_division_slice(&w->slice, &h->division, o->config, (uint32_t)w->comm.rank);
    w->room = h->room;
    w->room.max_pos = n_positions < h->room.max_pos ? n_positions : h->room.max_pos;
    status = check_budget(w, err);
    if (status == LLMINF_OK && lli_wire_plan_init(&w->plan, o->heap, &w->room) != LLMINF_OK)
        status = lli_fail_memory(err, "plan", (uint64_t)w->room.max_rows * sizeof *w->plan.plan.rows);
    return status == LLMINF_OK ? make_forward(w, err) : status;
}

/* 0: all ranks are ready. */
static int32_t meet(struct worker *w, struct llminf_error *err)
{
    struct lli_meeting meeting;
    int32_t status = hear(w, err);
    if (status == LLMINF_OK)
        status = lli_meeting_begin(&meeting, &w->comm, err);
    if (status != LLMINF_OK)
        return status;
    status = lli_meeting_end(&meeting, prepare(w, err), err);
    if (status == LLMINF_OK)
        status = lli_comm_split(&w->comm, (int32_t)w->hello.division.tp, (int32_t)w->hello.division.pp, err);
    if (status != LLMINF_OK)
        return status;
    w->comm.timeout_ns = w->hello.timeout_ns;
    return lli_comm_reserve(&w->comm, (size_t)w->hello.room.max_rows * w->options->config->n_embd, LLI_COMM_ANY, err);
}

/* ---- plans ------------------------------------------------------------------------------------------------------- */

/* What is behind the frame. */
static int32_t hear_rest(struct worker *w, const struct lli_wire_head *head, struct llminf_error *err)
{
    if (head->bytes > lli_wire_plan_most(&w->room))
        return lli_fail(err, LLMINF_E_COMM, "message", "has %u bytes, want at most %llu", head->bytes,
                        (unsigned long long)lli_wire_plan_most(&w->room));
    if (head->bytes <= LLI_WIRE_FRAME)
        return LLMINF_OK;
    w->message.len = LLI_WIRE_FRAME; /* that is kept */
    int failed = lli_buffer_reserve(&w->message, head->bytes - LLI_WIRE_FRAME);
    w->message.len = 0;
    if (failed)
        return lli_fail_memory(err, "message", head->bytes);
    lli_comm_broadcast(&w->comm, 0, w->message.bytes + LLI_WIRE_FRAME, head->bytes - LLI_WIRE_FRAME);
    return lli_comm_error(&w->comm, err);
}

static void tell_result(struct worker *w)
{
    const struct lli_plan *plan = &w->plan.plan;
    if (lli_wire_put_result(&w->result, plan, plan->number) != LLMINF_OK) {
        lli_comm_fail(&w->comm, w->comm.rank, "no memory for a result");
        return;
    }
    lli_comm_send(&w->comm, 0, w->result.bytes, w->result.len);
    if (w->slice.is_last && w->slice.vocab.n > 0 && plan->n_logits > 0)
        lli_comm_send(&w->comm, 0, lli_forward_logits(w->forward, 0),
                      (size_t)plan->n_logits * w->slice.vocab.n * sizeof(float));
}

static int32_t run(struct worker *w, const struct lli_wire_head *head, struct llminf_error *err)
{
    if (head->number != w->comm.step + 1)
        return lli_fail(err, LLMINF_E_COMM, "number of the plan", "is %llu, want %llu", (unsigned long long)head->number,
                        (unsigned long long)w->comm.step + 1);
    w->comm.step = head->number;
    int32_t status = hear_rest(w, head, err);
    if (status == LLMINF_OK)
        status = lli_wire_read_plan(&w->plan, &w->room, head, w->message.bytes, err);
    if (status != LLMINF_OK)
        return status;
    w->comm.timeout_ns = w->plan.timeout_ns;
    lli_forward_run(w->forward, &w->plan.plan);
    tell_result(w);
    w->comm.timeout_ns = w->hello.timeout_ns;
    return lli_comm_error(&w->comm, err);
}

static int32_t serve(struct worker *w, struct llminf_error *err)
{
    for (;;) {
        struct lli_wire_head head;
        int32_t status = hear(w, err);
        if (status == LLMINF_OK)
            status = lli_wire_read_head(&head, w->message.bytes, LLI_WIRE_FRAME, err);
        if (status == LLMINF_OK && head.kind == LLI_WIRE_CLOSE)
            return LLMINF_OK;
        if (status == LLMINF_OK && head.kind == LLI_WIRE_PLAN)
            status = run(w, &head, err);
        else if (status == LLMINF_OK && head.kind != LLI_WIRE_IDLE)
            status = lli_fail(err, LLMINF_E_COMM, "message", "is of kind %u, want a plan", head.kind);
        if (status != LLMINF_OK)
            return status;
    }
}

int32_t lli_worker_serve(const struct lli_worker_options *options, const struct llminf_comm *table, struct llminf_error *err)
{
    struct worker w = {.options = options};
    uint64_t state = lli_fenv_enter();
    lli_buffer_init(&w.message, options->heap);
    lli_buffer_init(&w.result, options->heap);
    int32_t status = lli_comm_init(&w.comm, options->heap, table, table->n_ranks, 1, options->timeout_ns, err);
    if (status == LLMINF_OK && table->rank == 0)
        status = lli_fail(err, LLMINF_E_COMM, "communicator", "rank is 0, which opens a context");
    if (status == LLMINF_OK)
        status = meet(&w, err);
    if (status == LLMINF_OK)
        status = serve(&w, err);
    if (status != LLMINF_OK && w.comm.table.fail)
        lli_comm_fail(&w.comm, w.comm.rank, "%s", err->text);
    lli_forward_free(w.forward);
    lli_workers_finish(&w.threads);
    lli_wire_plan_finish(&w.plan);
    lli_buffer_finish(&w.message);
    lli_buffer_finish(&w.result);
    lli_comm_finish(&w.comm);
    lli_fenv_leave(state);
    return status;
}
