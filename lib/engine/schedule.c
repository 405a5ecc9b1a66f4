/* engine/schedule.c - Invariant: a ride's blocks are taken and its table extended; who leaves the plan gives them back. */
#include "engine/schedule.h"

#include "base/clock.h"
#include "base/error.h"
#include "engine/drafter.h"
#include "engine/engine.h"
#include "engine/roster.h"
#include "engine/timeline.h"

enum {
    LOOKS = 32,       /* waiting requests that a plan looks at */
    MIN_PREFILL = 32, /* rows that a prefill gets beside all decodes */
    MAX_FOLLOW = 64,  /* steps to wait for another's block */
    TRY_EVERY = 16    /* steps after which one that found no room looks again, if no room came meanwhile */
};

enum class { DECODE, PREFILL };

/* One plan in the making. */
struct making {
    struct lli_engine *engine;
    uint32_t budget;               /* rows left */
    int preempted;                 /* someone lost its blocks: nobody is admitted */
    struct lli_load load;          /* of the rides so far */
    uint32_t n_decodes, n_prompts; /* rides of each class */
};

static enum class class_of(const struct lli_timeline *t) {
    return t->n_tokens - lli_timeline_next(t) <= 1 && !t->engine->config->is_bidirectional ? DECODE : PREFILL;
}

/* ---- who runs */

static void drop(struct making *m, struct lli_timeline *t)
{
    if (t->in_flight) {
        m->budget += m->engine->batch.rides[t->ride].n_rows;
        lli_plan_remove(&m->engine->batch, t);
        *(class_of(t) == DECODE ? &m->n_decodes : &m->n_prompts) -= 1;
        if (m->engine->step_target_ns > 0)
            lli_plan_weigh(&m->load, &m->engine->batch);
    }
    lli_table_roll_back(&t->table, &m->engine->pool);
    lli_roster_preempt(m->engine, t);
    m->preempted = 1;
}

/* The last behind t in order that holds blocks, those first whose blocks nobody else holds; NULL: t is the last. */
static struct lli_timeline *find_victim(const struct lli_engine *engine, const struct lli_timeline *t)
{
    struct lli_timeline *found = NULL;
    for (struct lli_timeline *v = engine->running.last; v != t; v = v->links[LLI_LINK_REQUEST].prev) {
        if (v->table.n == 0)
            continue;
        if (lli_table_sole(&v->table, &engine->pool) > 0)
            return v;
        found = found ? found : v;
    }
    return found;
}

/* Blocks up to `end`, at the cost of soft holders and of those behind in order. 0: not now, or t itself no longer runs. */
static int reserve(struct making *m, struct lli_timeline *t, uint32_t end)
{
    struct lli_engine *engine = m->engine;
    int32_t status;
    while ((status = lli_table_extend(&t->table, &engine->pool, end)) == LLMINF_E_FULL) {
        if (lli_roster_release(engine, t))
            continue;
        struct lli_timeline *victim = find_victim(engine, t);
        if (!victim && engine->n_saving > 0)
            return 0; /* some are held for a save: later */
        if (!victim && engine->running.first == t && !t->group)
            break;
        drop(m, victim ? victim : t);
        if (!victim)
            return 0;
    }
    if (status == LLMINF_OK)
        return 1;
    struct llminf_error error; /* a guard: the footprint was checked */
    lli_fail(&error, status, "session", "a step needs %u blocks more, %u are left",
             lli_table_need(&t->table, &engine->pool, end), lli_pool_available(&engine->pool));
    lli_roster_fail(engine, t, status, &error);
    return 0;
}

static void board(struct making *m, struct lli_timeline *t, uint32_t n_rows)
{
    uint32_t end = lli_timeline_next(t) + n_rows;
    if (end > t->table.n_computed)
        lli_table_enter(&t->table, &m->engine->pool, t->tokens, end);
    lli_plan_add(&m->engine->batch, t, n_rows);
    m->budget -= n_rows;
    *(class_of(t) == DECODE ? &m->n_decodes : &m->n_prompts) += 1;
    lli_load_add(&m->load, lli_timeline_next(t), n_rows, m->engine->batch.rides[t->ride].n_logits);
}

/* Rows of n that a prompt gets beside those that decode: as many as leave the step under the target, `least` in any case. If
 * these are fewer, nothing else comes into the step. */
static uint32_t afford(struct making *m, const struct lli_timeline *t, uint32_t n, uint32_t least)
{
    const struct lli_engine *engine = m->engine;
    uint32_t n_fit;
    if (engine->step_target_ns == 0 || m->n_decodes == 0 || n <= least || class_of(t) == DECODE)
        return n;
    n_fit = lli_calibrate_rows(&engine->calibration, &m->load, lli_timeline_next(t), n, engine->step_target_ns);
    if (n_fit >= n)
        return n;
    m->budget = n_fit > least ? n_fit : least;
    return m->budget;
}

static void serve(struct making *m, enum class class)
{
    struct lli_timeline *t = m->engine->running.first, *next;
    for (; t && m->budget > 0; t = next) {
        struct lli_timeline *prev = t->links[LLI_LINK_REQUEST].prev;
        uint32_t n = class_of(t) == class && !t->in_flight ? lli_plan_rows(&m->engine->batch, t, m->budget) : 0;
        n = afford(m, t, n, m->n_prompts == 0); /* a prefill always moves */
        if (n > 0 && reserve(m, t, lli_timeline_next(t) + n))
            board(m, t, n);
        /* t may be gone, and those behind it */
        if (t->state == LLI_TIMELINE_RUNNING)
            next = t->links[LLI_LINK_REQUEST].next;
        else
            next = prev ? prev->links[LLI_LINK_REQUEST].next : m->engine->running.first;
    }
}

/* ---- who is admitted */

/* Blocks that a request may still take until its end. */
static uint32_t blocks_to_come(const struct lli_engine *engine, const struct lli_timeline *t)
{
    return lli_table_to_come(&t->table, &engine->pool, t->request.n_max, engine->batch.max_rows);
}

/* Blocks that admission leaves alone, for those that run and for t itself. */
static uint32_t held_back(const struct lli_engine *engine, const struct lli_timeline *t, uint32_t need)
{
    double share = engine->batching == LLI_BATCHING_STATIC ? 1 : engine->admit_reserve;
    uint64_t to_come = blocks_to_come(engine, t), watermark = engine->running.n > 0 ? engine->watermark : 0;
    to_come -= to_come > need ? need : to_come;
    if (engine->running.n == 0 && engine->batching != LLI_BATCHING_STATIC)
        return 0; /* alone it has the whole pool */
    for (const struct lli_timeline *r = engine->running.first; r; r = r->links[LLI_LINK_REQUEST].next)
        to_come += blocks_to_come(engine, r);
    uint64_t n = watermark + (uint64_t)(share * (double)to_come);
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static int fits(const struct lli_engine *engine, const struct lli_timeline *t, uint32_t end)
{
    uint32_t need = lli_table_need(&t->table, &engine->pool, end);
    return (uint64_t)need + held_back(engine, t, need) <= lli_pool_available(&engine->pool);
}

/* The longest known beginning of its tokens behind which its next row has all that it sees: where a window drops what is
 * behind, rows that are computed again, for their logits or a sum of states, cannot begin before the end of a hit. */
static void find_hit(struct lli_hit *out, struct lli_engine *engine, struct lli_timeline *t, uint32_t n)
{
    uint32_t next = lli_timeline_again(t), i = 0;
    while (i < engine->pool.n_groups && engine->pool.windows[i] == 0)
        i++;
    lli_table_find(out, &t->table, &engine->pool, t->tokens, i < engine->pool.n_groups && next < n ? next : n);
}

/* Looks its tokens up, if it holds nothing. 0: another computes the very next block, so it waits for that. */
static int look_up(struct lli_engine *engine, struct lli_timeline *t)
{
    struct lli_hit hit;
    if (t->table.n > 0)
        return 1;
    find_hit(&hit, engine, t, t->n_tokens);
    if (hit.n_tokens > t->request.n_followed)
        t->request.n_follow = 0;
    t->request.n_followed = hit.n_tokens;
    if (hit.pending != LLI_NONE && t->request.n_follow < MAX_FOLLOW) {
        t->request.n_follow++;
        engine->totals.follows++;
        return 0;
    }
    lli_table_accept(&t->table, &engine->pool, &hit);
    return 1;
}

/* Is there room for its next rows? If not, it holds what it held. A static batch has no rows left for some of its requests. */
static int make_room(uint32_t *n_rows_out, struct making *m, struct lli_timeline *t, int held)
{
    struct lli_engine *engine = m->engine;
    for (int again = 0;; again++) {
        uint32_t n = afford(m, t, lli_plan_rows(&engine->batch, t, m->budget), 1);
        uint32_t end = lli_timeline_next(t) + n;
        *n_rows_out = n;
        if (n == 0 && engine->batching != LLI_BATCHING_STATIC)
            break;
        while (!fits(engine, t, end) && lli_roster_release(engine, t))
            ;
        if (fits(engine, t, end))
            return 1;
        if (again || held || t->table.n_computed % LLI_BLOCK_TOKENS == 0)
            break;
        /* without the copy of a partial block, whose source is then free to be recycled; the windows reach this far */
        lli_table_cut(&t->table, &engine->pool, t->table.n_computed - t->table.n_computed % LLI_BLOCK_TOKENS);
    }
    if (!held)
        lli_table_cut(&t->table, &engine->pool, 0);
    return 0;
}

/* It found no room, and nothing became better since: to look its tokens up again would cost time for nothing. */
static int is_hopeless(const struct lli_engine *engine, const struct lli_timeline *t)
{
    const struct lli_request *r = &t->request;
    return r->tried_step > 0 && engine->batch.plan.number - r->tried_step < TRY_EVERY && engine->running.n > 0 &&
           r->tried_ended == (uint64_t)(engine->totals.ended + engine->totals.pauses) &&
           lli_pool_available(&engine->pool) <= r->tried_room;
}

static void note_failure(const struct lli_engine *engine, struct lli_timeline *t)
{
    t->request.tried_step = engine->batch.plan.number;
    t->request.tried_ended = (uint64_t)(engine->totals.ended + engine->totals.pauses);
    t->request.tried_room = lli_pool_available(&engine->pool);
}

/* 1: it runs. 0: it is blocked. -1: it waits for another's block. */
static int try_admit(struct making *m, struct lli_timeline *t)
{
    struct lli_engine *engine = m->engine;
    uint32_t n;
    if (!lli_table_reaches(&t->table, &engine->pool, lli_timeline_next(t)))
        lli_roster_cut(engine, t, 0);
    int held = t->table.n > 0;
    if (is_hopeless(engine, t))
        return 0;
    if (!look_up(engine, t))
        return -1;
    if (!make_room(&n, m, t, held)) {
        note_failure(engine, t);
        return 0;
    }
    if (!held) {
        t->request.n_cached += t->table.n_computed;
        engine->totals.prefix_tokens += t->n_tokens;
        engine->totals.prefix_hit_tokens += t->table.n_computed;
    }
    lli_roster_run(engine, t);
    if (n > 0 && lli_table_extend(&t->table, &engine->pool, lli_timeline_next(t) + n) == LLMINF_OK)
        board(m, t, n);
    return 1;
}

/* A prompt moves in this step, and there is no time for another. */
static int is_spent(struct making *m, const struct lli_timeline *t)
{
    return m->n_prompts > 0 && afford(m, t, 1, 0) == 0;
}

static void admit(struct making *m)
{
    struct lli_engine *engine = m->engine;
    struct lli_timeline *t = engine->waiting.first, *next, *blocked = NULL;
    int is_static = engine->batching == LLI_BATCHING_STATIC;
    for (int looked = 0; t && (is_static || looked < LOOKS) && engine->running.n < engine->max_running; looked++, t = next) {
        next = t->links[LLI_LINK_REQUEST].next;
        if ((m->budget == 0 || is_spent(m, t)) && !is_static)
            break;
        if (blocked && blocked->request.n_overtaken >= engine->bypass_limit)
            break;
        int done = try_admit(m, t);
        if (done > 0 && blocked) {
            blocked->request.n_overtaken++;
            engine->totals.overtakes++;
        } else if (done == 0 && !blocked) {
            blocked = t;
        }
    }
}

/* ---- proposals */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Those by lookup are there now, those of the draft model come in the step: for them rows and blocks are kept. */
static void add_drafts(struct making *m)
{
    struct lli_engine *engine = m->engine;
    uint32_t room = least(lli_plan_draft_room(&engine->batch), m->budget), depth = lli_drafter_begin(engine, room);
    for (uint32_t i = 0; i < engine->batch.n_rides && room > 0; i++) {
        struct lli_timeline *t = engine->batch.rides[i].timeline;
        int by_model = t->draft.by_model;
        if (engine->batch.rides[i].first + 1 != t->n_tokens || t->request.n_max == t->request.n_prompt)
            continue;
        uint32_t n = by_model ? least(least(depth, t->draft.n_wanted), room) : lli_draft_propose(t, room);
        if (n == 0 || lli_table_extend(&t->table, &engine->pool, t->n_tokens + n) != LLMINF_OK)
            continue;
        if (by_model)
            n = lli_drafter_board(engine, t, n);
        else
            lli_plan_add_drafts(&engine->batch, t, n);
        room -= n;
    }
}

/* ---- the plan */

static uint32_t find_budget(const struct lli_engine *engine, uint32_t n_decodes)
{
    uint32_t budget = engine->step_tokens, least = n_decodes + MIN_PREFILL;
    budget = budget > least ? budget : least;
    return budget < engine->batch.max_rows ? budget : engine->batch.max_rows;
}

static uint32_t count_class(const struct lli_engine *engine, enum class class)
{
    uint32_t n = 0;
    for (const struct lli_timeline *t = engine->running.first; t; t = t->links[LLI_LINK_REQUEST].next)
        n += class_of(t) == class;
    return n;
}

/* Prompts or decodes, never both. */
static void fill_apart(struct making *m)
{
    struct lli_engine *engine = m->engine;
    int may_admit = engine->batching == LLI_BATCHING_CONTINUOUS || engine->running.n == 0;
    serve(m, PREFILL);
    if (may_admit && !m->preempted)
        admit(m);
    if (engine->batch.n_rides == 0)
        serve(m, DECODE);
}

static void fill_together(struct making *m)
{
    serve(m, DECODE);
    serve(m, PREFILL);
    if (!m->preempted)
        admit(m);
}

int lli_schedule_plan(struct lli_engine *engine)
{
    struct making m = {.engine = engine, .load.window = engine->batch.window};
    int64_t start_ns = lli_clock_ns();
    lli_roster_stop_due(engine);
    if (engine->running.n == 0 && engine->waiting.n == 0)
        return 0;
    lli_plan_begin(&engine->batch);
    m.budget = find_budget(engine, count_class(engine, DECODE));
    if (engine->batching == LLI_BATCHING_INFLIGHT)
        fill_together(&m);
    else
        fill_apart(&m);
    add_drafts(&m);
    lli_plan_close(&engine->batch);
    engine->batch.predicted_ns = lli_calibrate_predict(&engine->calibration, &engine->batch.load);
    engine->totals.plan_ns += lli_clock_ns() - start_ns;
    return engine->batch.n_rides > 0;
}
