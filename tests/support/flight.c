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
    f->t[i] = engine_timeline(&f->e);
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

static uint32_t refs[4096], holds[4096];

static const char *count_names(const struct lli_timeline *t, const struct lli_table *table, const struct lli_pool *pool)
{
    for (uint32_t i = table->n_dropped[0]; i < table->n; i++)
        refs[table->blocks[0][i]]++;
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

static void check_pool(const struct lli_engine *engine, const struct lli_pool *pool, int is_draft)
{
    const char *wrong = lli_pool_check(pool);
    assert_true(pool->n_blocks <= 4096);
    memset(refs, 0, sizeof refs);
    memset(holds, 0, sizeof holds);
    for (const struct lli_timeline *t = engine->timelines.first; t && !wrong; t = t->links[LLI_LINK_ALL].next) {
        wrong = is_draft ? check_drafts(t, pool) : count_names(t, &t->table, pool);
        for (uint32_t i = 0; !is_draft && t->group && i + 1 < t->group->n_slots && !wrong; i++)
            wrong = count_names(t->group->slots[i].timeline, &t->group->slots[i].timeline->table, pool);
    }
    for (uint32_t id = 1; id < pool->n_blocks && !wrong; id++)
        if (pool->blocks[id].refs != refs[id] || pool->blocks[id].holds != holds[id])
            wrong = "refs or holds are not the number of those who name the block";
    if (wrong)
        fail_msg("%s", wrong);
}

void flight_check(struct flight *f)
{
    const struct lli_engine *engine = f->e.engine;
    check_pool(engine, &engine->pool, 0);
    if (engine->drafter)
        check_pool(engine, &engine->drafter->pool, 1);
}

/* 25: what was in the plan that just ran; batch.rides still tells. */
static void check_plan(const struct flight *f)
{
    const struct lli_engine *engine = f->e.engine;
    const struct lli_batch *batch = &engine->batch;
    assert_true(batch->plan.n_rows <= batch->max_rows);
    assert_true(batch->n_rides <= engine->max_running);
    assert_int_equal(batch->plan.n_seqs, batch->n_rides);
}

int flight_step(struct flight *f)
{
    int32_t status = lli_engine_step(f->e.engine, 0, NULL);
    if (status == LLMINF_OK)
        check_plan(f);
    flight_check(f);
    if (null_forward_complaint())
        fail_msg("%s", null_forward_complaint());
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
