/* engine/roster.c - Invariants: a timeline is in `waiting`, `running` or neither (idle, paused); it is in `soft` exactly while
 * it holds blocks, does not run and is not pinned; in `deadlines` exactly while a request with one is open. */
#include "engine/roster.h"

#include "base/clock.h"
#include "base/error.h"
#include "engine/drafter.h"
#include "engine/engine.h"
#include "engine/timeline.h"

/* ---- order */

static int goes_before(const struct lli_timeline *a, const struct lli_timeline *b)
{
    const struct lli_request *x = &a->request, *y = &b->request;
    return x->rank != y->rank ? x->rank > y->rank : x->arrival < y->arrival;
}

static void insert(struct lli_queue *queue, struct lli_timeline *t)
{
    struct lli_timeline *after = queue->last;
    while (after && goes_before(t, after))
        after = after->links[queue->kind].prev;
    lli_queue_insert(queue, t, after);
}

static void insert_deadline(struct lli_queue *queue, struct lli_timeline *t)
{
    struct lli_timeline *after = queue->last;
    while (after && after->request.deadline_ns > t->request.deadline_ns)
        after = after->links[LLI_LINK_DEADLINE].prev;
    lli_queue_insert(queue, t, after);
}

/* ---- soft holders and pins */

void lli_roster_settle(struct lli_engine *engine, struct lli_timeline *t)
{
    int soft = t->state != LLI_TIMELINE_RUNNING && t->table.n > 0 && !t->is_pinned;
    if (soft && !t->is_soft) {
        struct lli_timeline *after = engine->soft.last;
        while (after && after->last_step > t->last_step)
            after = after->links[LLI_LINK_SOFT].prev;
        lli_queue_insert(&engine->soft, t, after);
    } else if (!soft && t->is_soft) {
        lli_queue_remove(&engine->soft, t);
    }
    t->is_soft = soft;
    if (t->is_pinned) {
        uint32_t held = lli_table_held(&t->table, &engine->pool);
        uint32_t promised = t->state != LLI_TIMELINE_IDLE && t->request.footprint > held ? t->request.footprint : held;
        engine->n_pinned += promised - t->n_promised; /* modulo 2^32, so it may fall */
        t->n_promised = promised;
    }
}

void lli_roster_cut(struct lli_engine *engine, struct lli_timeline *t, uint32_t n_computed)
{
    lli_table_cut(&t->table, &engine->pool, n_computed);
    lli_roster_settle(engine, t);
}

int lli_roster_release(struct lli_engine *engine, const struct lli_timeline *spared)
{
    struct lli_timeline *oldest = engine->soft.first;
    if (oldest && oldest == spared)
        oldest = oldest->links[LLI_LINK_SOFT].next;
    if (!oldest)
        return 0;
    engine->totals.evictions += lli_table_held(&oldest->table, &engine->pool);
    lli_roster_cut(engine, oldest, 0);
    return 1;
}

/* The largest footprint of an open request that is not pinned. */
static uint32_t largest_footprint(const struct lli_engine *engine)
{
    uint32_t largest = 0;
    for (const struct lli_timeline *t = engine->timelines.first; t; t = t->links[LLI_LINK_ALL].next)
        if (!t->is_pinned && t->state != LLI_TIMELINE_IDLE && t->request.footprint > largest)
            largest = t->request.footprint;
    return largest;
}

int32_t lli_roster_promise(const struct lli_engine *engine, const struct lli_timeline *t, uint32_t n, struct llminf_error *err)
{
    uint32_t other = 0, pinned = engine->n_pinned - t->n_promised;
    if (t->is_pinned)
        other = largest_footprint(engine);
    if ((uint64_t)pinned + n + other <= engine->pool.n_blocks - 1)
        return LLMINF_OK;
    return lli_fail(err, LLMINF_E_FULL, "session", "needs up to %u blocks beside %u pinned and %u of another, the pool has %u",
                    n, pinned, other, engine->pool.n_blocks - 1);
}

/* ---- news */

void lli_roster_announce(struct lli_engine *engine, struct lli_timeline *t)
{
    if (!t->notify || t->has_news)
        return;
    t->has_news = 1;
    lli_queue_append(&engine->news, t);
}

/* ---- states */

int32_t lli_roster_enter(struct lli_engine *engine, struct lli_timeline *t, struct llminf_error *err)
{
    struct lli_request *request = &t->request;
    uint64_t n_open = (uint64_t)engine->waiting.n + engine->running.n;
    int32_t status = engine->failure.status;
    if (status != LLMINF_OK && err)
        *err = engine->failure;
    if (status == LLMINF_OK && n_open >= (uint64_t)engine->max_running + engine->max_waiting)
        status =
            lli_fail(err, LLMINF_E_FULL, "max_waiting", "%u generations run and %u wait", engine->running.n, engine->waiting.n);
    else if (status == LLMINF_OK && (engine->n_pinned > 0 || t->is_pinned))
        status = lli_roster_promise(engine, t, request->footprint, err);
    if (status != LLMINF_OK) {
        engine->totals.refused++;
        return status;
    }
    request->arrival = ++engine->n_arrived;
    request->rank = request->priority;
    if (engine->age_steps > 0)
        request->rank = request->rank * engine->age_steps - (int64_t)engine->batch.plan.number;
    t->state = LLI_TIMELINE_WAITING;
    insert(&engine->waiting, t);
    if (request->deadline_ns > 0)
        insert_deadline(&engine->deadlines, t);
    lli_roster_settle(engine, t);
    return LLMINF_OK;
}

static void leave(struct lli_engine *engine, struct lli_timeline *t, int state)
{
    if (t->state == LLI_TIMELINE_RUNNING)
        lli_queue_remove(&engine->running, t);
    else if (t->state == LLI_TIMELINE_WAITING)
        lli_queue_remove(&engine->waiting, t);
    else
        engine->n_paused--;
    lli_drafter_release(t);
    t->state = state;
}

void lli_roster_run(struct lli_engine *engine, struct lli_timeline *t)
{
    leave(engine, t, LLI_TIMELINE_RUNNING);
    insert(&engine->running, t);
    lli_roster_settle(engine, t);
    if (t->request.queue_ns < 0) {
        t->request.queue_ns = lli_clock_ns() - t->request.asked_ns;
        lli_histogram_add(&engine->totals.queue, t->request.queue_ns);
    }
}

void lli_roster_park(struct lli_engine *engine, struct lli_timeline *t)
{
    leave(engine, t, LLI_TIMELINE_PAUSED);
    engine->n_paused++;
    lli_roster_settle(engine, t);
}

void lli_roster_pause(struct lli_engine *engine, struct lli_timeline *t)
{
    lli_roster_park(engine, t);
    engine->totals.pauses++;
}

void lli_roster_await(struct lli_engine *engine, struct lli_timeline *t, const struct lli_request *as)
{
    t->request.arrival = as->arrival;
    t->request.rank = as->rank;
    t->request.tried_step = 0;
    t->state = LLI_TIMELINE_WAITING;
    insert(&engine->waiting, t);
    lli_roster_settle(engine, t);
}

void lli_roster_retire(struct lli_engine *engine, struct lli_timeline *t)
{
    if (t->state != LLI_TIMELINE_IDLE)
        leave(engine, t, LLI_TIMELINE_IDLE);
    t->n_tokens = 0;
    lli_roster_cut(engine, t, 0);
}

void lli_roster_resume(struct lli_engine *engine, struct lli_timeline *t)
{
    leave(engine, t, LLI_TIMELINE_WAITING);
    insert(&engine->waiting, t);
    lli_roster_settle(engine, t);
}

void lli_roster_preempt(struct lli_engine *engine, struct lli_timeline *t)
{
    leave(engine, t, LLI_TIMELINE_WAITING);
    insert(&engine->waiting, t);
    t->request.n_preempted++;
    engine->totals.preemptions++;
    lli_roster_cut(engine, t, 0);
}

void lli_roster_end(struct lli_engine *engine, struct lli_timeline *t, const struct lli_verdict *verdict, int32_t status,
                    const struct llminf_error *error)
{
    leave(engine, t, LLI_TIMELINE_IDLE);
    if (t->group)
        lli_beam_dissolve(engine, t->group);
    if (t->request.deadline_ns > 0)
        lli_queue_remove(&engine->deadlines, t);
    t->stop_reason = verdict->reason;
    t->stop_index = verdict->index;
    t->n_said = t->n_tokens;
    lli_matcher_finish(&t->request.matcher);
    engine->totals.ended++;
    engine->totals.failed += status < 0;
    lli_roster_cut(engine, t, t->table.n_computed);
    lli_output_end(&t->output, verdict, status, error);
    lli_roster_announce(engine, t);
}

static void end_whole(struct lli_engine *engine, struct lli_timeline *t, int reason, int32_t status,
                      const struct llminf_error *error)
{
    struct lli_verdict verdict = {
        .reason = reason, .index = -1, .n_readable = t->n_tokens, .n_text = t->n_tokens, .text_end = UINT64_MAX};
    lli_roster_end(engine, t, &verdict, status, error);
}

void lli_roster_finish(struct lli_engine *engine, struct lli_timeline *t)
{
    end_whole(engine, t, LLI_STOP_LENGTH, LLMINF_DONE, NULL);
}

void lli_roster_stop(struct lli_engine *engine, struct lli_timeline *t, int reason)
{
    engine->totals.cancelled += reason == LLI_STOP_CANCEL;
    engine->totals.late += reason == LLI_STOP_DEADLINE;
    end_whole(engine, t, reason, LLMINF_DONE, NULL);
}

void lli_roster_fail(struct lli_engine *engine, struct lli_timeline *t, int32_t status, const struct llminf_error *error)
{
    end_whole(engine, t, LLI_STOP_ERROR, status, error);
}

void lli_roster_abandon(struct lli_engine *engine, const struct llminf_error *error)
{
    engine->failure = *error;
    for (struct lli_timeline *t = engine->timelines.first, *next; t; t = next) {
        next = t->links[LLI_LINK_ALL].next;
        if (t->state != LLI_TIMELINE_IDLE)
            lli_roster_fail(engine, t, error->status, error);
    }
}

static void stop_cancelled(struct lli_engine *engine)
{
    for (struct lli_timeline *t = engine->timelines.first, *next; t; t = next) {
        next = t->links[LLI_LINK_ALL].next;
        if (t->state != LLI_TIMELINE_IDLE && atomic_load(&t->is_cancelled) && !lli_timeline_flies(t))
            lli_roster_stop(engine, t, LLI_STOP_CANCEL);
    }
}

void lli_roster_stop_due(struct lli_engine *engine)
{
    if (atomic_exchange(&engine->has_cancels, 0))
        stop_cancelled(engine);
    if (!engine->deadlines.first)
        return;
    int64_t now = lli_clock_ns();
    for (struct lli_timeline *t = engine->deadlines.first, *next; t && t->request.deadline_ns <= now; t = next) {
        next = t->links[LLI_LINK_DEADLINE].next;
        if (!lli_timeline_flies(t))
            lli_roster_stop(engine, t, LLI_STOP_DEADLINE);
    }
}
