/* What comes between: failures of the forward, cancels, deadlines and closes, after every step and in every state. What was
 * told before stays, what follows is as if nothing had been, and nobody else notices. The numbers in comments are those of the
 * oracles in the design of the engine. */
#include "engine/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "engine/stop.h"
#include "llminf/status.h"
#include "support/flight.h"

enum { B = LLI_BLOCK_TOKENS, N = 5, AHEAD = 3, PAUSES = 4 };

static struct flight f;
static struct null_story whole[N]; /* what each tells if nothing happens */

/* Five sessions over blocks for two or three: they run, wait, are preempted; number PAUSES waits for its reader, number 3
 * guesses. */
static void begin(void)
{
    flight_init(&f, 1 + 80 / B);
    f.e.options.max_running = 3;
    f.e.options.admit_reserve = 0;
    engine_open(&f.e);
    for (uint32_t i = 0; i < N; i++) {
        flight_put(&f, 12 + 9 * i, 8, 1 + i, 14);
        f.params[i].sampler.temperature = i % 2;
        f.params[i].sampler.seed = i;
        f.params[i].draft_limit = i == 3 ? 4 : 0;
        f.params[i].read_ahead = i == PAUSES ? AHEAD : 0;
        f.params[i].priority = i == PAUSES;
        flight_ask(&f, i);
        whole[i] = f.stories[i];
        null_engine_tell(&whole[i], &f.params[i], NULL_TRAIN);
    }
}

static uint32_t made(uint32_t i) /* tokens, with those of the prompt */
{
    return f.t[i]->n_tokens;
}

/* What session i told is a beginning of what it would have told; it goes on from there to the same end. */
static void go_on(uint32_t i)
{
    struct null_story *story = &f.stories[i];
    const struct lli_timeline *t = f.t[i];
    assert_true(t->n_tokens <= whole[i].n);
    assert_memory_equal(t->tokens, whole[i].tokens, t->n_tokens * sizeof *t->tokens);
    memcpy(story->tokens, t->tokens, t->n_tokens * sizeof *t->tokens);
    f.params[i].max_tokens -= t->n_tokens - story->n;
    f.params[i].deadline_ns = 0;
    story->n = story->n_said = t->n_tokens;
    flight_ask(&f, i);
}

/* Reads a session that pauses; its text was read, so it is not compared again. */
static void read_paused(void)
{
    int32_t ids[64];
    size_t n;
    while (f.t[PAUSES] && f.t[PAUSES]->state != LLI_TIMELINE_IDLE) {
        lli_timeline_read_tokens(f.t[PAUSES], ids, 64, &n, 0, NULL);
        while (flight_step(&f))
            ;
    }
}

/* All end, each with what it would have told. */
static void finish(void)
{
    while (flight_step(&f))
        ;
    read_paused();
    for (uint32_t i = 0; i < N; i++)
        if (f.t[i]) {
            assert_int_equal(made(i), whole[i].n);
            assert_memory_equal(f.t[i]->tokens, whole[i].tokens, whole[i].n * sizeof *whole[i].tokens);
            if (i != PAUSES)
                flight_expect(&f, i);
        }
    flight_close(&f);
}

/* k steps; with `reads` somebody reads what pauses, so that it goes on. 0: all was over before. */
static int fly(uint32_t k, int reads)
{
    for (uint32_t s = 0; s < k; s++) {
        int32_t ids[64];
        size_t n;
        if (reads)
            lli_timeline_read_tokens(f.t[PAUSES], ids, 64, &n, 0, NULL);
        if (!flight_step(&f))
            return 0;
    }
    return 1;
}

/* ---- 13, 48, 50: the forward fails ------------------------------------------------------------------------------- */

static void test_failures(void **state)
{
    uint32_t n_failed = 0;
    (void)state;
    for (int32_t status = LLMINF_E_INVALID; status >= LLMINF_E_INTERNAL; status--)
        for (uint32_t k = 0;; k++) {
            struct llminf_error err = {0};
            int has_failed = 0;
            begin();
            if (!fly(k, 1)) {
                finish();
                break;
            }
            null_forward_fail(1, k, status);
            flight_step(&f); /* which holds pool and tables against I1 to I6 */
            for (uint32_t i = 0; i < N; i++)
                if (f.t[i]->state == LLI_TIMELINE_IDLE && f.t[i]->stop_reason == LLI_STOP_ERROR) {
                    assert_int_equal(lli_timeline_wait(f.t[i], 0, &err), status);
                    assert_int_equal(err.status, status);
                    assert_int_equal(strstr(err.text, "NaN") != NULL, status == LLMINF_E_NUMERIC);
                    has_failed++;
                    go_on(i);
                }
            assert_true(has_failed <= 1);
            n_failed += (uint32_t)has_failed;
            finish();
        }
    assert_true(n_failed > 300);
}

/* ---- 41, 27: cancels --------------------------------------------------------------------------------------------- */

enum { SEEN_WAITING, SEEN_RUNNING, SEEN_PAUSED, SEEN_PREEMPTED, SEEN_IDLE, N_SEEN };

static int look(const struct lli_timeline *t)
{
    if (t->state == LLI_TIMELINE_WAITING)
        return t->request.n_preempted > 0 ? SEEN_PREEMPTED : SEEN_WAITING;
    return t->state == LLI_TIMELINE_RUNNING ? SEEN_RUNNING : t->state == LLI_TIMELINE_PAUSED ? SEEN_PAUSED : SEEN_IDLE;
}

static void test_cancel(void **state)
{
    int n_seen[N_SEEN] = {0};
    (void)state;
    for (int reads = 0; reads < 2; reads++)
        for (uint32_t i = 0; i < N; i++)
            for (uint32_t k = 0, more = 1; more; k++) {
                begin();
                more = (uint32_t)fly(k, reads);
                struct lli_timeline *t = f.t[i];
                int seen = look(t);
                n_seen[seen]++;
                lli_timeline_cancel(t);
                flight_step(&f);
                assert_int_equal(t->state, LLI_TIMELINE_IDLE);
                assert_int_equal(t->stop_reason, seen == SEEN_IDLE ? LLI_STOP_LENGTH : LLI_STOP_CANCEL);
                if (seen != SEEN_IDLE)
                    go_on(i);
                finish();
            }
    for (int i = 0; i < N_SEEN; i++)
        assert_true(n_seen[i] > 0);
}

/* 41: a cancel that comes while a step samples, where guesses are right: what nobody was told is not there, neither in the
 * timeline nor in the blocks, when other tokens follow. */
static struct {
    uint32_t n_calls, at;
} sampling;

static int32_t cancel_within(void *user, float *logits, size_t n_vocab, const int32_t *history, size_t n_history)
{
    (void)user;
    for (size_t i = 0; i < n_vocab; i++)
        logits[i] = (int32_t)i == (n_history % 2 ? 8 : 9) ? 10 : 0;
    (void)history;
    if (++sampling.n_calls == sampling.at)
        lli_timeline_cancel(f.t[0]);
    return 0;
}

static void test_cancel_within(void **state)
{
    static const int32_t others[] = {30, 31, 32, 33};
    uint32_t n_guessed = 0;
    (void)state;
    for (uint32_t at = 1; at <= 60; at++) {
        flight_init(&f, 1 + 160 / B);
        engine_open(&f.e);
        sampling.n_calls = 0;
        sampling.at = at;
        flight_put(&f, 20, 0, 1, 64);
        f.params[0].filter = cancel_within;
        f.params[0].draft_limit = 8;
        flight_ask(&f, 0);
        while (flight_step(&f))
            ;
        assert_int_equal(f.t[0]->stop_reason, LLI_STOP_CANCEL);
        n_guessed += (uint32_t)(engine_stats(&f.e).accepted > 0);
        struct null_story *story = &f.stories[0];
        story->n = story->n_said = f.t[0]->n_tokens;
        memcpy(story->tokens, f.t[0]->tokens, story->n * sizeof *story->tokens);
        assert_int_equal(lli_timeline_append(f.t[0], others, 4, NULL), LLMINF_OK);
        memcpy(story->tokens + story->n, others, sizeof others);
        story->n += 4;
        f.params[0] = null_engine_params();
        f.params[0].max_tokens = 20;
        flight_ask(&f, 0);
        flight_run(&f);
        flight_close(&f);
    }
    assert_true(n_guessed > 30);
}

/* ---- 42: deadlines ----------------------------------------------------------------------------------------------- */

static void pass(int64_t ns)
{
    for (int64_t start = lli_clock_ns(); lli_clock_ns() - start < ns;)
        ;
}

/* One that is far off until the step after which it is over. */
static void test_deadline(void **state)
{
    int n_seen[N_SEEN] = {0};
    (void)state;
    for (uint32_t i = 0; i < N; i++)
        for (uint32_t k = 0; k < 24; k++) {
            begin();
            struct lli_timeline *t = f.t[i];
            lli_timeline_cancel(t);
            flight_step(&f);
            go_on(i);
            lli_timeline_cancel(t);
            flight_step(&f);
            f.params[i].deadline_ns = 3000000000000;
            f.stories[i].n = t->n_tokens;
            flight_ask(&f, i);
            fly(k, 0);
            int seen = look(t);
            n_seen[seen]++;
            if (seen != SEEN_IDLE) {
                t->request.deadline_ns = lli_clock_ns() + 20000; /* it is the only one: its place stays */
                pass(50000);
                flight_step(&f);
                assert_int_equal(t->stop_reason, LLI_STOP_DEADLINE);
                assert_int_equal(engine_stats(&f.e).late, 1);
                assert_int_equal(lli_timeline_wait(t, 0, NULL), LLMINF_DONE);
                go_on(i);
            }
            assert_int_equal(t->request.deadline_ns > 0, seen == SEEN_IDLE);
            finish();
        }
    assert_true(n_seen[SEEN_WAITING] > 0 && n_seen[SEEN_RUNNING] > 0 && n_seen[SEEN_PAUSED] > 0);
}

/* ---- 44: closes -------------------------------------------------------------------------------------------------- */

static void test_close(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < N; i++)
        for (uint32_t k = 0, more = 1; more; k++) {
            begin();
            more = (uint32_t)fly(k, 0);
            lli_timeline_close(f.t[i]);
            f.t[i] = NULL;
            flight_check(&f);
            finish();
        }
}

/* In every order, after any step. */
static void test_close_all(void **state)
{
    (void)state;
    for (uint32_t order = 0; order < 120; order++) {
        uint32_t left[N] = {0, 1, 2, 3, 4}, n = N, code = order;
        begin();
        fly(order % 24, order % 2 != 0);
        for (; n > 0; code /= n, n--) {
            uint32_t at = code % n;
            lli_timeline_close(f.t[left[at]]);
            f.t[left[at]] = NULL;
            left[at] = left[n - 1];
            flight_step(&f);
        }
        flight_close(&f); /* nothing is left, to the byte */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures),      cmocka_unit_test(test_cancel), cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_cancel_within), cmocka_unit_test(test_close),  cmocka_unit_test(test_close_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
