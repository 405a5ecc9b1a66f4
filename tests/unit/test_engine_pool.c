/* Who is let into the engine, what is taken from idle sessions, and how sessions leave. */
#include "engine/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/stop.h"
#include "llminf/status.h"
#include "support/story.h"

/* ---- the pool ---------------------------------------------------------------------------------------------------- */

/* More idle sessions than the pool holds: the one that ran longest ago is released and comes back with the same bits. */
static void test_eviction(void **state)
{
    enum { N = 6 };
    struct null_engine e;
    static struct null_story stories[N];
    struct lli_timeline *t[N];
    struct lli_request_params params = null_engine_params();
    struct lli_timeline_stats stats;
    (void)state;
    memset(stories, 0, sizeof stories);
    engine_start(&e, 1 + 8);
    params.max_tokens = 4;
    params.ignore_eog = 1;
    for (uint32_t i = 0; i < N; i++)
        t[i] = engine_timeline(&e);
    for (uint32_t i = 0; i < 4; i++) {
        story_append(t[i], &stories[i], 20, i);
        story_tell(t[i], &stories[i], &params);
    }
    assert_int_equal(engine_stats(&e).kv_blocks_used, 8);
    assert_int_equal(engine_stats(&e).evictions, 0);
    story_append(t[4], &stories[4], 1, 4);
    story_tell(t[4], &stories[4], &params);
    assert_int_equal(engine_stats(&e).evictions, 2);
    lli_timeline_stats(t[0], &stats); /* ran longest ago */
    assert_int_equal(stats.blocks, 0);
    assert_int_equal(stats.computed, 0);
    lli_timeline_stats(t[1], &stats);
    assert_int_equal(stats.blocks, 2);
    for (uint32_t round = 0; round < 5; round++)
        for (uint32_t i = 0; i < N; i++) {
            uint32_t which = (i * 5 + round) % N;
            story_append(t[which], &stories[which], 2, round);
            story_tell(t[which], &stories[which], &params);
            assert_true(engine_stats(&e).kv_blocks_used <= 8);
        }
    assert_true(engine_stats(&e).evictions > 20);
    for (uint32_t i = 0; i < N; i++)
        lli_timeline_close(t[i]);
    engine_close(&e);
}

/* Admission in the order of arrival; one more than may wait is refused. */
static void test_queue(void **state)
{
    enum { N = 5 };
    struct null_engine e;
    static struct null_story stories[N];
    struct lli_timeline *t[N];
    struct lli_request_params params = null_engine_params();
    struct lli_timeline_stats stats;
    (void)state;
    memset(stories, 0, sizeof stories);
    null_engine_init(&e, 1 + 4);
    e.options.max_running = 2;
    e.options.max_waiting = 2;
    engine_open(&e);
    null_forward_allow(0);
    params.max_tokens = 12;
    for (uint32_t i = 0; i < N; i++) {
        t[i] = engine_timeline(&e);
        story_append(t[i], &stories[i], 20, i); /* two blocks each */
    }
    story_generate(t[0], &params);
    null_forward_await_held();
    for (uint32_t i = 1; i < 4; i++)
        story_generate(t[i], &params);
    assert_int_equal(lli_timeline_generate(t[4], &params, NULL), LLMINF_E_FULL);
    assert_int_equal(lli_timeline_wait(t[4], 0, NULL), LLMINF_E_STATE); /* as before the call */
    assert_int_equal(engine_stats(&e).refused, 1);
    assert_int_equal(engine_stats(&e).running, 1);
    assert_int_equal(engine_stats(&e).waiting, 3);
    lli_timeline_stats(t[0], &stats);
    assert_int_equal(stats.state, 2);
    lli_timeline_stats(t[1], &stats);
    assert_int_equal(stats.state, 1);
    lli_timeline_cancel(t[2]); /* while it waits */
    null_forward_allow(1);
    assert_int_equal(lli_timeline_wait(t[2], -1, NULL), LLMINF_DONE);
    lli_timeline_stats(t[2], &stats);
    assert_int_equal(stats.stop_reason, LLI_STOP_CANCEL);
    assert_int_equal(stats.computed, 0);
    story_generate(t[4], &params); /* there is room now */
    null_forward_allow(-1);
    story_expect(t[0], &stories[0], &params);
    story_expect(t[1], &stories[1], &params);
    story_expect(t[3], &stories[3], &params);
    story_expect(t[4], &stories[4], &params);
    assert_int_equal(engine_stats(&e).cancelled, 1);
    story_tell(t[2], &stories[2], &params);
    for (uint32_t i = 0; i < N; i++)
        lli_timeline_close(t[i]);
    engine_close(&e);
}

static void test_no_queue(void **state)
{
    struct null_engine e;
    struct null_story stories[2] = {{.n = 0}, {.n = 0}};
    struct lli_request_params params = null_engine_params();
    (void)state;
    null_engine_init(&e, 1 + 4);
    e.options.max_running = 1;
    e.options.max_waiting = 0;
    engine_open(&e);
    struct lli_timeline *a = engine_timeline(&e), *b = engine_timeline(&e);
    story_append(a, &stories[0], 3, 1);
    story_append(b, &stories[1], 3, 2);
    null_forward_allow(0);
    story_generate(a, &params);
    assert_int_equal(lli_timeline_generate(b, &params, NULL), LLMINF_E_FULL);
    null_forward_allow(-1);
    story_expect(a, &stories[0], &params);
    story_tell(b, &stories[1], &params);
    lli_timeline_close(a);
    lli_timeline_close(b);
    engine_close(&e);
}

static void test_budget(void **state)
{
    struct null_engine e;
    struct llminf_error err;
    struct lli_timeline *t[3];
    const uint32_t n_blocks = NULL_TRAIN / LLI_BLOCK_TOKENS + 1;
    (void)state;
    null_engine_init(&e, 2);
    e.options.kv_budget_bytes--;
    assert_int_equal(null_engine_open(&e, &err), LLMINF_E_OPTION);
    assert_string_equal(err.subject, "kv_budget_bytes");
    assert_int_equal(e.host.live_bytes, 0);
    e.options.kv_budget_bytes = 0; /* one session of full length */
    e.options.max_sessions = 2;
    engine_open(&e);
    assert_int_equal(engine_stats(&e).kv_blocks, n_blocks);
    assert_int_equal(engine_stats(&e).kv_budget_bytes, engine_stats(&e).kv_bytes + engine_stats(&e).kv_meta_bytes);
    assert_int_equal(engine_stats(&e).kv_bytes, n_blocks * engine_stats(&e).kv_block_bytes); /* to the byte */
    t[0] = engine_timeline(&e);
    t[1] = engine_timeline(&e);
    assert_int_equal(t[0]->max_length, NULL_TRAIN);
    assert_int_equal(lli_timeline_open(&t[2], e.engine, NULL, &err), LLMINF_E_FULL);
    assert_null(t[2]);
    assert_int_equal(engine_stats(&e).sessions, 2);
    lli_timeline_close(t[0]);
    lli_timeline_close(t[1]);
    engine_close(&e);
}

/* ---- cancel and close -------------------------------------------------------------------------------------------- */

/* Cancelled in each step; what was committed stays, and the session goes on as if nothing had been. */
static void test_cancel(void **state)
{
    enum { PROMPT = 40, CHUNK = 32, CHUNKS = 2, STEPS = 14 };
    struct null_engine e;
    struct lli_request_params params = null_engine_params();
    struct lli_timeline_stats stats;
    (void)state;
    engine_start(&e, 20);
    params.ignore_eog = 1;
    params.max_tokens = STEPS;
    for (uint32_t k = 0; k < CHUNKS + STEPS - 1; k++) {
        struct null_story story = {0}, before;
        struct lli_timeline *t = engine_timeline(&e);
        story_append(t, &story, PROMPT, 100 + k);
        before = story;
        null_forward_allow(k);
        story_generate(t, &params);
        null_forward_await_held();
        lli_timeline_cancel(t);
        null_forward_allow(-1);
        assert_int_equal(lli_timeline_wait(t, -1, NULL), LLMINF_DONE);
        lli_timeline_stats(t, &stats);
        assert_int_equal(stats.stop_reason, LLI_STOP_CANCEL);
        assert_int_equal(stats.generated, k < CHUNKS ? 0 : k - CHUNKS + 1);
        assert_int_equal(stats.computed,
                         k < CHUNKS - 1 ? CHUNK * (k + 1) : PROMPT + (k - CHUNKS + 1)); /* the step itself is kept */
        assert_int_equal(null_forward_steps(), k + 1);
        struct lli_request_params rest = params;
        rest.max_tokens = STEPS - stats.generated;
        story_generate(t, &rest);
        null_engine_tell(&before, &params, NULL_TRAIN);
        assert_int_equal(lli_timeline_wait(t, -1, NULL), LLMINF_DONE);
        const char *wrong = null_engine_compare(t, &before, NULL, 0);
        if (wrong)
            fail_msg("cancelled in step %u: %s", k, wrong);
        lli_timeline_close(t);
        null_forward_reset();
    }
    engine_close(&e);
}

static void test_close(void **state)
{
    struct null_engine e;
    struct lli_request_params params = null_engine_params();
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++) {
        struct null_story stories[3] = {{.n = 0}, {.n = 0}, {.n = 0}};
        struct lli_timeline *t[3];
        engine_start(&e, 1 + 2);
        for (uint32_t i = 0; i < 3; i++) {
            t[i] = engine_timeline(&e);
            story_append(t[i], &stories[i], 17, i);
        }
        null_forward_allow(in_flight ? -1 : 0);
        for (uint32_t i = 0; i < 3; i++)
            story_generate(t[i], &params); /* one runs, two wait */
        lli_timeline_close(t[1]);
        null_forward_allow(-1);
        lli_timeline_close(t[0]); /* waits for its step */
        story_expect(t[2], &stories[2], &params);
        lli_timeline_close(t[2]);
        engine_close(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eviction), cmocka_unit_test(test_queue),  cmocka_unit_test(test_no_queue),
        cmocka_unit_test(test_budget),   cmocka_unit_test(test_cancel), cmocka_unit_test(test_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
