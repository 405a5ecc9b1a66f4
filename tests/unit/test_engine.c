/* The engine over a forward without arithmetic: every answer is compared with what the session alone would have told. */
#include "engine/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "engine/stop.h"
#include "llminf/status.h"
#include "support/story.h"

/* ---- plain generation -------------------------------------------------------------------------------------------- */

static void test_lengths(void **state)
{
    static const uint32_t lengths[] = {1, 15, 16, 17, 31, 32, 33, 48}, steps[] = {1, 7, 16, 64};
    static const int64_t max_tokens[] = {0, 1, 2, 16, 40};
    (void)state;
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        struct null_engine e;
        null_engine_init(&e, 20);
        e.options.step_tokens = steps[s];
        e.options.n_threads = 1 + (int)s % 2;
        engine_open(&e);
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
            for (size_t m = 0; m < sizeof max_tokens / sizeof *max_tokens; m++) {
                struct null_story story = {0};
                struct lli_request_params params = null_engine_params();
                struct lli_timeline *t = engine_timeline(&e);
                struct lli_timeline_stats stats;
                int64_t rows = null_forward_rows();
                params.max_tokens = max_tokens[m];
                story_append(t, &story, lengths[i], i);
                story_tell(t, &story, &params);
                rows = null_forward_rows() - rows;
                lli_timeline_stats(t, &stats); /* what was found is not computed, but for a last row whose logits are due */
                assert_int_equal(rows, story.n - (params.max_tokens > 0) - stats.cached + (stats.cached == lengths[i]));
                lli_timeline_close(t);
            }
        engine_close(&e);
    }
}

/* Turns, and a decode whose position is computed already. */
static void test_turns(void **state)
{
    struct null_engine e;
    struct null_story story = {0};
    struct lli_request_params params = null_engine_params();
    (void)state;
    engine_start(&e, 20);
    struct lli_timeline *t = engine_timeline(&e);
    for (uint32_t turn = 0; turn < 7; turn++) {
        story_append(t, &story, 3 + 5 * turn, turn);
        params.max_tokens = turn % 3 ? 9 : 0;
        story_tell(t, &story, &params);
        params.max_tokens = 3; /* right behind: after 0 nothing is left to compute */
        story_tell(t, &story, &params);
    }
    lli_timeline_close(t);
    engine_close(&e);
}

static void test_truncate(void **state)
{
    struct null_engine e;
    struct null_story whole = {0};
    struct lli_request_params params = null_engine_params();
    struct llminf_error err;
    (void)state;
    engine_start(&e, 20);
    struct lli_timeline *t = engine_timeline(&e);
    params.max_tokens = 20;
    params.ignore_eog = 1;
    story_append(t, &whole, 20, 3);
    story_tell(t, &whole, &params);
    for (uint32_t n = 40; n > 0; n--) {
        struct null_story story = whole;
        story.n = n;
        assert_int_equal(lli_timeline_truncate(t, n + 1, &err), n == 40 ? LLMINF_E_INVALID : LLMINF_OK);
        assert_int_equal(lli_timeline_truncate(t, n, NULL), LLMINF_OK);
        params.max_tokens = n % 3;
        if (n % 2)
            story_append(t, &story, n % 5, n);
        story_tell(t, &story, &params);
        assert_int_equal(lli_timeline_truncate(t, n, NULL), LLMINF_OK);
        whole.n = n;
    }
    assert_int_equal(lli_timeline_truncate(t, 0, NULL), LLMINF_OK);
    assert_int_equal(engine_stats(&e).kv_blocks_used, 0);
    assert_int_equal(lli_timeline_generate(t, &params, NULL), LLMINF_E_STATE);
    lli_timeline_close(t);
    engine_close(&e);
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

static void test_too_long(void **state)
{
    struct null_engine e;
    struct null_story story = {0};
    struct lli_request_params params = null_engine_params();
    struct llminf_error err;
    struct lli_timeline *t, *wide;
    int32_t bad[3] = {5, 6, NULL_VOCAB};
    (void)state;
    engine_start(&e, 1 + 3);
    assert_int_equal(lli_timeline_open(&wide, e.engine, &(struct lli_timeline_options){.max_length = 100}, NULL), LLMINF_OK);
    t = engine_timeline(&e);
    assert_int_equal(t->max_length, 48);
    story_append(t, &story, 40, 1);
    assert_int_equal(lli_timeline_append(t, story.tokens, 9, &err), LLMINF_E_TOO_LONG);
    assert_int_equal(lli_timeline_append(t, bad, 3, &err), LLMINF_E_INVALID);
    assert_int_equal(err.position, 2);
    story_append(t, &story, 8, 2);
    assert_int_equal(lli_timeline_generate(t, &params, &err), LLMINF_E_TOO_LONG);
    params.max_tokens = 1;
    assert_int_equal(lli_timeline_generate(t, &params, &err), LLMINF_E_TOO_LONG);
    params.max_tokens = 0; /* fits to the last position */
    story_tell(t, &story, &params);
    assert_int_equal(engine_stats(&e).kv_blocks_used, lli_table_blocks(48));
    assert_int_equal(lli_timeline_truncate(t, 47, NULL), LLMINF_OK);
    story.n = 47;
    params.max_tokens = 100; /* more than max_length: ends there */
    params.ignore_eog = 1;
    story_tell(t, &story, &params);
    assert_int_equal(story.n, 48);
    assert_int_equal(lli_timeline_append(wide, story.tokens, 48, NULL), LLMINF_OK);
    assert_int_equal(lli_timeline_append(wide, story.tokens, 1, NULL), LLMINF_OK);
    params.max_tokens = 0;
    assert_int_equal(lli_timeline_generate(wide, &params, &err), LLMINF_E_TOO_LONG); /* over the whole pool */
    lli_timeline_close(t);
    lli_timeline_close(wide);
    engine_close(&e);
}

static void test_states(void **state)
{
    struct null_engine e;
    struct null_story story = {0};
    struct lli_request_params params = null_engine_params();
    struct llminf_error err;
    int32_t ids[64];
    float logits[NULL_VOCAB];
    char text[8];
    size_t n;
    (void)state;
    engine_start(&e, 20);
    struct lli_timeline *t = engine_timeline(&e);
    assert_int_equal(lli_timeline_read(t, text, sizeof text, &n, -1, &err), LLMINF_E_STATE);
    assert_int_equal(err.status, LLMINF_E_STATE);
    assert_int_equal(lli_timeline_read_tokens(t, ids, 64, &n, -1, &err), LLMINF_E_STATE);
    assert_int_equal(lli_timeline_wait(t, -1, &err), LLMINF_E_STATE);
    assert_int_equal(lli_timeline_generate(t, &params, &err), LLMINF_E_STATE);
    assert_int_equal(lli_timeline_logits(t, 0, logits, NULL_VOCAB, &n, &err), LLMINF_E_NOT_FOUND);
    story_append(t, &story, 20, 1);
    null_forward_allow(0);
    story_generate(t, &params);
    null_forward_await_held();
    assert_int_equal(lli_timeline_append(t, story.tokens, 1, &err), LLMINF_E_BUSY);
    assert_int_equal(lli_timeline_truncate(t, 1, &err), LLMINF_E_BUSY);
    assert_int_equal(lli_timeline_generate(t, &params, &err), LLMINF_E_BUSY);
    assert_int_equal(lli_timeline_logits(t, 0, logits, NULL_VOCAB, &n, &err), LLMINF_E_BUSY);
    assert_int_equal(lli_timeline_tokens(t, 18, ids, 64, &n, &err), LLMINF_OK); /* the prompt is there */
    assert_int_equal(n, 2);
    assert_int_equal(lli_timeline_tokens(t, 21, ids, 64, &n, &err), LLMINF_E_INVALID);
    int64_t start = lli_clock_ns();
    assert_int_equal(lli_timeline_read(t, text, sizeof text, &n, 0, &err), LLMINF_AGAIN);
    assert_int_equal(lli_timeline_read_tokens(t, ids, 64, &n, 0, &err), LLMINF_AGAIN);
    assert_int_equal(lli_timeline_wait(t, 0, &err), LLMINF_AGAIN);
    assert_int_equal(lli_timeline_read(t, text, sizeof text, &n, 3000000, &err), LLMINF_AGAIN);
    assert_int_equal(lli_timeline_wait(t, 3000000, &err), LLMINF_AGAIN);
    assert_true(lli_clock_ns() - start >= 6000000);
    null_forward_allow(-1);
    story_expect(t, &story, &params);
    assert_int_equal(lli_timeline_wait(t, 0, &err), LLMINF_DONE);
    assert_int_equal(lli_timeline_read(t, text, sizeof text, &n, 0, &err), LLMINF_DONE);
    lli_timeline_close(t);
    lli_timeline_close(NULL);
    engine_close(&e);
}

/* ---- logits ------------------------------------------------------------------------------------------------------ */

static void check_logits(struct lli_timeline *t, const struct null_story *story, uint32_t pos, int is_kept)
{
    float logits[NULL_VOCAB], want[NULL_VOCAB];
    size_t n;
    int32_t status = lli_timeline_logits(t, pos, logits, NULL_VOCAB, &n, NULL);
    assert_int_equal(status, is_kept ? LLMINF_OK : LLMINF_E_NOT_FOUND);
    if (!is_kept)
        return;
    assert_int_equal(n, NULL_VOCAB);
    null_forward_oracle(want, NULL_VOCAB, story->tokens, pos + 1);
    assert_memory_equal(logits, want, sizeof want);
}

static void test_logits(void **state)
{
    struct null_engine e;
    struct null_story story = {0};
    struct lli_request_params params = null_engine_params();
    struct llminf_error err;
    size_t n;
    (void)state;
    null_engine_init(&e, 20);
    e.options.step_tokens = 64;
    engine_open(&e);
    struct lli_timeline *t = engine_timeline(&e);
    params.ignore_eog = 1;
    params.max_tokens = 5;
    story_append(t, &story, 40, 1);
    params.logits = LLI_LOGITS_LAST;
    story_tell(t, &story, &params);
    for (uint32_t pos = 0; pos < 46; pos++)
        check_logits(t, &story, pos, pos == 43);
    story_append(t, &story, 33, 2);
    params.logits = LLI_LOGITS_ALL;
    story_tell(t, &story, &params);
    for (uint32_t pos = 0; pos < 85; pos++)
        check_logits(t, &story, pos, pos >= 44 && pos < 82);
    assert_int_equal(lli_timeline_logits(t, 50, NULL, 0, &n, NULL), LLMINF_OK);
    assert_int_equal(n, NULL_VOCAB);
    assert_int_equal(lli_timeline_truncate(t, 60, NULL), LLMINF_OK);
    story.n = 60;
    check_logits(t, &story, 59, 1);
    check_logits(t, &story, 60, 0);
    params.max_tokens = 0; /* the last position again, from the cache */
    story_tell(t, &story, &params);
    check_logits(t, &story, 58, 0);
    check_logits(t, &story, 59, 1);
    params.logits = LLI_LOGITS_OFF;
    story_tell(t, &story, &params);
    check_logits(t, &story, 59, 0);
    support_heap_arm(&e.host, 1, 1);
    params.logits = LLI_LOGITS_ALL;
    assert_int_equal(lli_timeline_generate(t, &params, &err), LLMINF_E_MEMORY);
    support_heap_arm(&e.host, 0, 0);
    lli_timeline_close(t);
    engine_close(&e);
}

/* ---- failures ---------------------------------------------------------------------------------------------------- */

/* A NaN ends one generation, in the step or in the pick; the others tell what they would have told. */
static void test_numeric(void **state)
{
    static const int32_t bad[] = {NULL_FORWARD_NAN, NULL_FORWARD_NUMERIC};
    struct null_engine e;
    struct lli_request_params params = null_engine_params();
    struct llminf_error err;
    char text[8];
    size_t n;
    (void)state;
    engine_start(&e, 20);
    for (size_t i = 0; i < 2; i++) {
        struct null_story sound = {0}, sick = {0};
        struct lli_timeline *a = engine_timeline(&e), *b = engine_timeline(&e);
        struct lli_timeline_stats stats;
        story_append(a, &sound, 20, i);
        story_append(b, &sick, 20, i + 2);
        assert_int_equal(lli_timeline_append(b, &bad[i], 1, NULL), LLMINF_OK);
        story_generate(a, &params);
        story_generate(b, &params);
        for (int again = 0; again < 2; again++) {
            memset(&err, 0, sizeof err);
            assert_int_equal(lli_timeline_read(b, text, sizeof text, &n, -1, &err), LLMINF_E_NUMERIC);
            assert_int_equal(err.status, LLMINF_E_NUMERIC);
            assert_int_equal(lli_timeline_wait(b, -1, &err), LLMINF_E_NUMERIC);
        }
        lli_timeline_stats(b, &stats);
        assert_int_equal(stats.stop_reason, LLI_STOP_ERROR);
        assert_int_equal(stats.state, 0);
        assert_true(stats.computed <= 20); /* whole steps before the one that failed */
        story_expect(a, &sound, &params);
        assert_int_equal(lli_timeline_truncate(b, 20, NULL), LLMINF_OK);
        story_tell(b, &sick, &params);
        lli_timeline_close(a);
        lli_timeline_close(b);
    }
    engine_close(&e);
}

/* Each allocation fails once: MEMORY, everything as before, and a second try succeeds. From generate on none is made. */
static void test_memory(void **state)
{
    struct null_engine e;
    struct null_story story = {0};
    struct lli_request_params params = null_engine_params();
    struct llminf_error err;
    struct lli_timeline *t = NULL;
    const struct lli_text stop = {"never said", 10};
    const int32_t stop_token = 7;
    int32_t status;
    (void)state;
    null_engine_init(&e, 20);
    for (int64_t i = 1; (support_heap_arm(&e.host, i, 0), status = null_engine_open(&e, &err)) != LLMINF_OK; i++) {
        assert_int_equal(status, LLMINF_E_MEMORY);
        assert_int_equal(e.host.live_bytes, 0);
        assert_true(i < 100);
    }
    for (int64_t i = 1; (support_heap_arm(&e.host, i, 0), status = lli_timeline_open(&t, e.engine, NULL, &err)) != LLMINF_OK;
         i++) {
        assert_int_equal(status, LLMINF_E_MEMORY);
        assert_int_equal(engine_stats(&e).sessions, 0);
        assert_true(i < 100);
    }
    null_engine_words(story.tokens, 20, 1);
    story.n = 20;
    support_heap_arm(&e.host, 1, 0);
    assert_int_equal(lli_timeline_append(t, story.tokens, 20, &err), LLMINF_E_MEMORY);
    assert_int_equal(lli_timeline_append(t, story.tokens, 20, &err), LLMINF_OK);
    params.stops = &stop;
    params.n_stops = 1;
    params.stop_tokens = &stop_token;
    params.n_stop_tokens = 1;
    params.echo = 1;
    params.logits = LLI_LOGITS_LAST;
    params.bias = &(struct lli_bias){7, 0.5f};
    params.n_bias = 1;
    for (int64_t i = 1; (support_heap_arm(&e.host, i, 0), status = lli_timeline_generate(t, &params, &err)) != LLMINF_OK; i++) {
        assert_int_equal(status, LLMINF_E_MEMORY);
        assert_int_equal(lli_timeline_wait(t, 0, NULL), LLMINF_E_STATE);
        assert_true(i < 100);
    }
    support_heap_arm(&e.host, 1, 1); /* from here on there is no memory at all */
    story_expect(t, &story, &params);
    assert_int_equal(e.host.n_calls, 0);
    lli_timeline_close(t);
    engine_close(&e);
}

/* The child has none of the threads: it is told so, and nothing hangs. */
static void test_fork(void **state)
{
    struct null_engine e;
    struct null_story story = {0};
    struct lli_request_params params = null_engine_params();
    int code;
    (void)state;
    engine_start(&e, 20);
    struct lli_timeline *t = engine_timeline(&e);
    story_append(t, &story, 3, 1);
    story_generate(t, &params);
    pid_t child = fork();
    if (child == 0) {
        struct lli_timeline *other;
        struct lli_timeline_stats stats;
        struct lli_engine_stats all;
        char text[8];
        int32_t id = 5;
        size_t n;
        int n_right = lli_timeline_append(t, &id, 1, NULL) == LLMINF_E_STATE;
        n_right += lli_timeline_truncate(t, 0, NULL) == LLMINF_E_STATE;
        n_right += lli_timeline_generate(t, &params, NULL) == LLMINF_E_STATE;
        n_right += lli_timeline_read(t, text, sizeof text, &n, -1, NULL) == LLMINF_E_STATE;
        n_right += lli_timeline_read_tokens(t, &id, 1, &n, -1, NULL) == LLMINF_E_STATE;
        n_right += lli_timeline_tokens(t, 0, &id, 1, &n, NULL) == LLMINF_E_STATE;
        n_right += lli_timeline_wait(t, -1, NULL) == LLMINF_E_STATE;
        n_right += lli_timeline_open(&other, e.engine, NULL, NULL) == LLMINF_E_STATE;
        lli_timeline_cancel(t);
        lli_timeline_stats(t, &stats);
        lli_engine_stats(e.engine, &all);
        n_right += stats.state == 4 && all.sessions == 0;
        lli_timeline_close(t);
        lli_engine_free(e.engine);
        _exit(n_right);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    assert_int_equal(WEXITSTATUS(code), 9);
    story_expect(t, &story, &params);
    lli_timeline_close(t);
    engine_close(&e);
}

static void test_stats(void **state)
{
    struct null_engine e;
    struct null_story story = {0};
    struct lli_request_params params = null_engine_params();
    struct lli_timeline_stats stats;
    struct lli_engine_stats all;
    (void)state;
    engine_start(&e, 20);
    struct lli_timeline *t = engine_timeline(&e);
    lli_timeline_stats(t, &stats);
    assert_int_equal(stats.max_length, NULL_TRAIN);
    assert_int_equal(stats.stop_index, -1);
    assert_int_equal(stats.generated, 0);
    params.max_tokens = 6;
    params.ignore_eog = 1;
    story_append(t, &story, 40, 1);
    story_tell(t, &story, &params);
    story_append(t, &story, 2, 1);
    lli_timeline_stats(t, &stats);
    assert_int_equal(stats.prompt, 40);
    assert_int_equal(stats.generated, 6);
    assert_int_equal(stats.length, 48);
    assert_int_equal(stats.computed, 45);
    assert_int_equal(stats.blocks, lli_table_blocks(45));
    assert_true(stats.queue_ns <= stats.first_ns);
    all = engine_stats(&e);
    assert_int_equal(all.steps, 7); /* 2 chunks, the last of which gives a token, and 5 decodes */
    assert_int_equal(all.prefill_tokens, 40);
    assert_int_equal(all.decode_tokens, 6);
    assert_int_equal(all.kv_blocks, 1 + 19 * 16 / LLI_BLOCK_TOKENS);
    assert_int_equal(all.step_tokens, 16);
    assert_int_equal(all.threads, 1);
    assert_true(all.step_ns >= all.step_max_ns);
    lli_timeline_close(t);
    engine_close(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),  cmocka_unit_test(test_turns),  cmocka_unit_test(test_truncate),
        cmocka_unit_test(test_too_long), cmocka_unit_test(test_states), cmocka_unit_test(test_logits),
        cmocka_unit_test(test_numeric),  cmocka_unit_test(test_memory), cmocka_unit_test(test_fork),
        cmocka_unit_test(test_stats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
