/* engine/schedule.c - Invariants: n_reserved is the sum of the footprints in `running` and below the pool's size; a timeline
 * is in `soft` exactly while it holds blocks and does not run. */
#include "engine/schedule.h"

#include "base/clock.h"
#include "base/error.h"
#include "engine/engine.h"
#include "engine/timeline.h"

/* In or out of the soft holders, after a change of state or table. */
static void settle(struct lli_engine *engine, struct lli_timeline *t)
{
    int soft = t->state != LLI_TIMELINE_RUNNING && t->table.n > 0;
    if (soft && !t->is_soft) {
        struct lli_timeline *after = engine->soft.last;
        while (after && after->last_step > t->last_step)
            after = after->links[LLI_LINK_SOFT].prev;
        lli_queue_insert(&engine->soft, t, after);
    } else if (!soft && t->is_soft) {
        lli_queue_remove(&engine->soft, t);
    }
    t->is_soft = soft;
}

void lli_schedule_cut(struct lli_engine *engine, struct lli_timeline *t, uint32_t n_computed)
{
    if (t->n_computed > n_computed)
        t->n_computed = n_computed;
    lli_table_cut(&t->table, &engine->pool, t->n_computed);
    settle(engine, t);
}

static int release_oldest(struct lli_engine *engine)
{
    struct lli_timeline *oldest = engine->soft.first;
    if (!oldest)
        return 0;
    engine->totals.evictions += oldest->table.n;
    lli_schedule_cut(engine, oldest, 0);
    return 1;
}

static void admit(struct lli_engine *engine)
{
    struct lli_timeline *head;
    while ((head = engine->waiting.first) && head->request.footprint <= engine->pool.n_blocks - 1 - engine->n_reserved) {
        lli_queue_remove(&engine->waiting, head);
        lli_queue_append(&engine->running, head);
        engine->n_reserved += head->request.footprint;
        head->state = LLI_TIMELINE_RUNNING;
        settle(engine, head);
    }
}

int32_t lli_schedule_enter(struct lli_engine *engine, struct lli_timeline *t)
{
    lli_queue_append(&engine->waiting, t);
    t->state = LLI_TIMELINE_WAITING;
    admit(engine);
    if (t->state != LLI_TIMELINE_WAITING || engine->waiting.n <= engine->max_waiting)
        return LLMINF_OK;
    lli_queue_remove(&engine->waiting, t);
    t->state = LLI_TIMELINE_IDLE;
    engine->totals.refused++;
    return LLMINF_E_FULL;
}

void lli_schedule_end(struct lli_engine *engine, struct lli_timeline *t, const struct lli_verdict *verdict, int32_t status,
                      const struct llminf_error *error)
{
    if (t->state == LLI_TIMELINE_RUNNING) {
        lli_queue_remove(&engine->running, t);
        engine->n_reserved -= t->request.footprint;
    } else {
        lli_queue_remove(&engine->waiting, t);
    }
    t->state = LLI_TIMELINE_IDLE;
    t->stop_reason = verdict->reason;
    t->stop_index = verdict->index;
    t->n_said = t->n_tokens;
    lli_schedule_cut(engine, t, t->n_computed);
    lli_output_end(&t->output, verdict, status, error);
}

static void end_whole(struct lli_engine *engine, struct lli_timeline *t, int reason, int32_t status,
                      const struct llminf_error *error)
{
    struct lli_verdict verdict = {
        .reason = reason, .index = -1, .n_readable = t->n_tokens, .n_text = t->n_tokens, .text_end = UINT64_MAX};
    lli_schedule_end(engine, t, &verdict, status, error);
}

void lli_schedule_finish(struct lli_engine *engine, struct lli_timeline *t)
{
    end_whole(engine, t, LLI_STOP_LENGTH, LLMINF_DONE, NULL);
}

void lli_schedule_cancel(struct lli_engine *engine, struct lli_timeline *t)
{
    engine->totals.cancelled++;
    end_whole(engine, t, LLI_STOP_CANCEL, LLMINF_DONE, NULL);
}

void lli_schedule_fail(struct lli_engine *engine, struct lli_timeline *t, int32_t status, const struct llminf_error *error)
{
    end_whole(engine, t, LLI_STOP_ERROR, status, error);
}

static void end_cancelled(struct lli_engine *engine, const struct lli_queue *queue)
{
    for (struct lli_timeline *t = queue->first, *next; t; t = next) {
        next = t->links[LLI_LINK_REQUEST].next;
        if (atomic_load(&t->is_cancelled) && !t->in_flight)
            lli_schedule_cancel(engine, t);
    }
}

/* Blocks for the next n_rows positions: all or none. Rows that are computed already need none. */
static int32_t reserve(struct lli_engine *engine, struct lli_timeline *t, uint32_t n_rows)
{
    uint32_t end = t->n_computed < t->n_tokens ? t->n_computed + n_rows : t->n_tokens;
    int32_t status;
    while ((status = lli_table_append(&t->table, &engine->pool, end)) == LLMINF_E_FULL)
        if (!release_oldest(engine))
            break;
    return status;
}

/* Each in turn: the next to run goes to the end of the line. */
static void board(struct lli_engine *engine, struct lli_timeline *t, uint32_t n_rows)
{
    lli_queue_remove(&engine->running, t);
    lli_queue_append(&engine->running, t);
    if (t->request.queue_ns < 0)
        t->request.queue_ns = lli_clock_ns() - t->request.asked_ns;
    lli_plan_append(&engine->batch, t, n_rows);
}

int lli_schedule_plan(struct lli_engine *engine)
{
    struct lli_timeline *t;
    if (atomic_exchange(&engine->has_cancels, 0)) {
        end_cancelled(engine, &engine->waiting);
        end_cancelled(engine, &engine->running);
    }
    lli_plan_begin(&engine->batch);
    while (admit(engine), (t = engine->running.first) != NULL) {
        uint32_t n_rows = lli_plan_rows(&engine->batch, t);
        int32_t status = reserve(engine, t, n_rows);
        if (status == LLMINF_OK) {
            board(engine, t, n_rows);
            return 1;
        }
        struct llminf_error error; /* a guard: admission has checked the footprint */
        lli_fail(&error, LLMINF_E_INTERNAL, "session", "admitted with %u blocks, but there are not enough",
                 t->request.footprint);
        lli_schedule_fail(engine, t, LLMINF_E_INTERNAL, &error);
    }
    return 0;
}
