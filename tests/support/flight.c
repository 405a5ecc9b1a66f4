#include "support/flight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/drafter.h"
#include "llminf/status.h"

void flight_init(struct flight *f, uint32_t n_blocks)
{
    memset(f, 0, sizeof *f);
    null_engine_init(&f->e, 2);
    null_engine_pool(&f->e, n_blocks);
    f->e.options.host_driven = 1;
}

void flight_close(struct flight *f)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (f->t[i])
            lli_timeline_close(f->t[i]);
    engine_close(&f->e);
}

void flight_ask(struct flight *f, uint32_t i)
{
    story_generate(f->t[i], &f->params[i]);
}

uint32_t flight_put(struct flight *f, uint32_t n, uint32_t n_shared, uint64_t seed, int64_t max_tokens)
{
    uint32_t i = f->n++;
    struct null_story *story = &f->stories[i];
    assert_true(i < FLIGHT_MAX);
    memset(story, 0, sizeof *story);
    null_engine_words(story->tokens, n, seed);
    null_engine_words(story->tokens, n_shared < n ? n_shared : n, 0);
    story->n = n;
    story->adapter = f->has_adapters ? (int32_t)(i % 3) : 0;
    story->adapter_scale = i;
    const struct lli_timeline_options options = {.adapter = null_engine_adapter(story->adapter), .adapter_scale = i};
    assert_int_equal(lli_timeline_open(&f->t[i], f->e.engine, &options, NULL), LLMINF_OK);
    assert_int_equal(lli_timeline_append(f->t[i], story->tokens, n, NULL), LLMINF_OK);
    f->params[i] = null_engine_params();
    f->params[i].max_tokens = max_tokens;
    f->params[i].ignore_eog = 1;
    return i;
}

uint32_t flight_add(struct flight *f, uint32_t n, uint32_t n_shared, uint64_t seed, int64_t max_tokens)
{
    uint32_t i = flight_put(f, n, n_shared, seed, max_tokens);
    flight_ask(f, i);
    return i;
}

/* ---- between two steps ------------------------------------------------------------------------------------------- */

static uint32_t refs[4096], holds[4096];

static const char *count_names(const struct lli_timeline *t, const struct lli_table *table, const struct lli_pool *pool)
{
    for (uint32_t g = 0; g < pool->n_groups; g++)
        for (uint32_t i = table->n_dropped[g]; i < table->n; i++)
            refs[table->blocks[g][i]]++;
    for (uint32_t i = 0; i < table->n_copies; i++)
        holds[table->copies[i].src]++;
    if (table->n_computed > t->n_tokens)
        return "more is computed than there is";
    return lli_table_check(table, pool, t->tokens);
}

static const char *check_drafts(const struct lli_timeline *t, const struct lli_pool *pool)
{
    if (t->draft_table.n > 0 && t->state != LLI_TIMELINE_RUNNING)
        return "the draft model holds blocks for one that does not run";
    return count_names(t, &t->draft_table, pool);
}

static void check_pool(struct lli_engine *engine, const struct lli_pool *pool, int is_draft)
{
    const char *wrong = lli_pool_check(pool);
    uint32_t n_used = 0;
    assert_true(pool->n_blocks <= 4096);
    memset(refs, 0, sizeof refs);
    memset(holds, 0, sizeof holds);
    for (const struct lli_timeline *t = engine->timelines.first; t && !wrong; t = t->links[LLI_LINK_ALL].next) {
        wrong = is_draft ? check_drafts(t, pool) : count_names(t, &t->table, pool);
        if (t->request.n_overtaken > engine->bypass_limit)
            wrong = "a request was overtaken too often"; /* 30 */
        for (uint32_t i = 0; !is_draft && t->group && i + 1 < t->group->n_slots && !wrong; i++)
            wrong = count_names(t->group->slots[i].timeline, &t->group->slots[i].timeline->table, pool);
    }
    for (uint32_t id = 1; id < pool->n_blocks && !wrong; id++) {
        n_used += refs[id] > 0 || holds[id] > 0;
        if (pool->blocks[id].refs != refs[id] || pool->blocks[id].holds != holds[id])
            wrong = "refs or holds are not the number of those who name the block";
    }
    struct lli_engine_stats s;
    lli_engine_stats(engine, &s);
    if (!wrong && !is_draft &&
        (s.kv_blocks_used != n_used || s.kv_blocks_free + s.kv_blocks_cached + n_used + 1 != s.kv_blocks))
        wrong = "the numbers of blocks are not the pool"; /* 59 */
    if (wrong)
        fail_msg("%s", wrong);
}

void flight_check(struct flight *f)
{
    struct lli_engine *engine = f->e.engine;
    check_pool(engine, &engine->pool, 0);
    if (engine->drafter)
        check_pool(engine, &engine->drafter->pool, 1);
}

/* ---- a step ------------------------------------------------------------------------------------------------------ */

/* What is known before a step, that its plan is held against. */
struct eve {
    const struct lli_timeline *running[FLIGHT_RUNNING], *first;
    uint32_t n_running, n_decodes, first_preempted;
    int64_t preemptions;
};

static int decodes(const struct lli_timeline *t)
{
    return t->n_tokens - lli_timeline_next(t) <= 1;
}

static void look(struct eve *eve, const struct lli_engine *engine)
{
    *eve = (struct eve){.first = engine->running.first, .preemptions = engine->totals.preemptions};
    if (eve->first)
        eve->first_preempted = eve->first->request.n_preempted;
    for (const struct lli_timeline *t = engine->running.first; t; t = t->links[LLI_LINK_REQUEST].next) {
        assert_true(eve->n_running < FLIGHT_RUNNING);
        eve->running[eve->n_running++] = t;
        eve->n_decodes += (uint32_t)decodes(t);
    }
}

static int ran(const struct eve *eve, const struct lli_timeline *t)
{
    for (uint32_t i = 0; i < eve->n_running; i++)
        if (eve->running[i] == t)
            return 1;
    return 0;
}

/* 25: rows within the budget; in flight, each running decode has one. 27: where somebody was preempted, nobody is admitted and
 * all that was planned for it is gone. 28: the first in order is not preempted. batch.rides still tells. */
static const char *check_plan(const struct lli_engine *engine, const struct eve *eve)
{
    const struct lli_batch *batch = &engine->batch;
    uint32_t least = eve->n_decodes + 32, n_rows = 0;
    int preempted = engine->totals.preemptions > eve->preemptions;
    if (batch->plan.n_rows > (engine->step_tokens > least ? engine->step_tokens : least))
        return "more rows than the budget";
    if (batch->n_rides > engine->max_running || batch->plan.n_seqs != batch->n_rides)
        return "more sequences than may run";
    for (uint32_t i = 0; i < batch->n_rides; i++) {
        n_rows += batch->rides[i].n_rows;
        if (preempted && !ran(eve, batch->rides[i].timeline))
            return "somebody was admitted where somebody was preempted";
    }
    if (n_rows != batch->plan.n_rows)
        return "rows of one that left the plan are still in it";
    if (eve->first && !eve->first->group && eve->first->request.n_preempted > eve->first_preempted)
        return "the first in order was preempted";
    for (const struct lli_timeline *t = engine->running.first; t; t = t->links[LLI_LINK_REQUEST].next)
        if (engine->batching == LLI_BATCHING_INFLIGHT && !t->group && ran(eve, t) && decodes(t) &&
            t->last_step != batch->plan.number)
            return "a running decode has no row";
    return NULL;
}

int flight_step(struct flight *f)
{
    struct eve eve;
    look(&eve, f->e.engine);
    int32_t status = lli_engine_step(f->e.engine, 0, NULL);
    const char *wrong = status == LLMINF_OK ? check_plan(f->e.engine, &eve) : NULL;
    flight_check(f);
    if (!wrong)
        wrong = null_forward_complaint();
    if (wrong)
        fail_msg("%s", wrong);
    return status == LLMINF_OK;
}

void flight_expect(struct flight *f, uint32_t i)
{
    story_expect(f->t[i], &f->stories[i], &f->params[i]);
}

uint32_t flight_run(struct flight *f)
{
    uint32_t n_steps = 0;
    for (; flight_step(f); n_steps++)
        assert_true(n_steps < 100000);
    for (uint32_t i = 0; i < f->n; i++)
        if (f->t[i])
            flight_expect(f, i);
    return n_steps;
}
