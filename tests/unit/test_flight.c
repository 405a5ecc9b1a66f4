/* Many sessions in flight over a forward without arithmetic: whatever the schedule, each tells what it would tell alone. The
 * numbers in comments are those of the oracles in the design of the engine. */
#include "engine/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "engine/stop.h"
#include "llminf/status.h"
#include "support/flight.h"

enum { B = LLI_BLOCK_TOKENS };

static struct flight f;

static int64_t count(int64_t (*what)(const struct lli_engine_stats *))
{
    struct lli_engine_stats stats = engine_stats(&f.e);
    return what(&stats);
}

static int64_t preemptions(const struct lli_engine_stats *s)
{
    return s->preemptions;
}

static int64_t recomputed(const struct lli_engine_stats *s)
{
    return s->recomputed_tokens;
}

static int64_t copied(const struct lli_engine_stats *s)
{
    return s->copied_blocks;
}

/* ---- invariance -------------------------------------------------------------------------------------------------- */

static void mixed_load(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        flight_put(&f, 1 + i * 37 % 90, i * 23 % 60, i / 2, i * 13 % 30);
        f.params[i].sampler.temperature = i % 3;
        f.params[i].sampler.seed = i;
        flight_ask(&f, i);
    }
}

/* 33, 35: alone or with 7 or 15 others, in each mode, with any budget and number of threads. */
static void test_modes(void **state)
{
    static const uint32_t others[] = {1, 8, 16}, steps[] = {16, 64, 200}, running[] = {16, 3};
    (void)state;
    for (int mode = LLI_BATCHING_STATIC; mode <= LLI_BATCHING_INFLIGHT; mode++)
        for (uint32_t k = 0; k < 18; k++) {
            flight_init(&f, 300 * 16 / B);
            f.e.options.batching = mode;
            f.e.options.step_tokens = steps[k / 3 % 3];
            f.e.options.max_running = running[k / 9];
            f.e.options.n_threads = 1 + (int)k % 2;
            engine_open(&f.e);
            mixed_load(others[k % 3]);
            flight_run(&f);
            assert_int_equal(count(preemptions), 0);
            flight_close(&f);
        }
}

/* 23, 36: lengths around the ends of blocks and chunks. */
static void test_lengths(void **state)
{
    static const uint32_t lengths[] = {1, 2, B - 1, B, B + 1, 2 * B - 1, 2 * B, 2 * B + 1, 31, 32, 33, 64};
    (void)state;
    for (uint32_t max = 0; max < 3; max++) {
        flight_init(&f, 200 * 16 / B);
        engine_open(&f.e);
        for (uint32_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
            flight_add(&f, lengths[i], 0, i, max);
        flight_run(&f);
        flight_close(&f);
    }
}

/* 23: a prompt that is computed in pieces, which end at the end of a block or beside it. */
static void test_pieces(void **state)
{
    static const uint32_t pieces[] = {1, B - 1, B, B + 1, 2 * B - 1, 2 * B + 1};
    (void)state;
    flight_init(&f, 200 * 16 / B);
    engine_open(&f.e);
    for (uint32_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        flight_put(&f, 1 + i, 0, i, 0);
        for (uint32_t end = 0; end < 5 * B; end += pieces[i]) {
            f.params[i].max_tokens = 0;
            flight_ask(&f, i);
            flight_run(&f);
            story_append(f.t[i], &f.stories[i], pieces[i], end);
        }
        f.params[i].max_tokens = 5;
        f.params[i].echo = 1;
        flight_ask(&f, i);
        flight_run(&f);
        lli_timeline_close(f.t[i]);
        f.t[i] = NULL;
    }
    flight_close(&f);
}

static uint64_t hash_plan(uint64_t hash)
{
    const struct lli_plan *plan = &f.e.engine->batch.plan;
    hash = lli_hash(plan->rows, plan->n_rows * sizeof *plan->rows, hash);
    for (uint32_t i = 0; i < plan->n_seqs; i++)
        hash = lli_hash(plan->seqs[i].blocks[0], (plan->rows[plan->seqs[i].first_row].pos / B + 1) * sizeof(uint32_t), hash);
    return lli_hash(plan->copies, plan->n_copies * sizeof *plan->copies, hash);
}

/* 34: the same calls give the same plans, byte for byte. */
static void test_same_plans(void **state)
{
    uint64_t hashes[2] = {0, 0};
    (void)state;
    for (int run = 0; run < 2; run++) {
        flight_init(&f, 40 * 16 / B);
        engine_open(&f.e);
        mixed_load(12);
        while (flight_step(&f))
            hashes[run] = hash_plan(hashes[run]);
        flight_close(&f);
    }
    assert_true(hashes[0] == hashes[1]);
}

/* ---- few blocks -------------------------------------------------------------------------------------------------- */

/* 28, 29: a fraction of the blocks that would be needed; who was preempted comes back and tells the same. */
static void test_preemption(void **state)
{
    (void)state;
    for (uint32_t n_blocks = (120 + B - 1) / B + 2; n_blocks < 60; n_blocks += 5)
        for (int reserve = 0; reserve < 2; reserve++) {
            flight_init(&f, n_blocks);
            f.e.options.admit_reserve = reserve;
            engine_open(&f.e);
            for (uint32_t i = 0; i < 12; i++)
                flight_add(&f, 20 + 3 * i, i % 3 * 10, i, 40 + i);
            flight_run(&f);
            if (reserve)
                assert_int_equal(count(preemptions), 0); /* 31 */
            else if (n_blocks < 30 && B == 16)
                assert_true(count(preemptions) > 0 && count(recomputed) > 0);
            flight_close(&f);
        }
}

/* 37: with both numbers, at generate, and nobody else is harmed. */
static void test_too_long(void **state)
{
    struct lli_request_params params = null_engine_params();
    struct lli_timeline *wide;
    struct llminf_error err;
    (void)state;
    flight_init(&f, 1 + 4);
    engine_open(&f.e);
    flight_add(&f, B, 0, 1, B);
    assert_int_equal(lli_timeline_open(&wide, f.e.engine, &(struct lli_timeline_options){.max_length = 500}, NULL), LLMINF_OK);
    assert_int_equal(lli_timeline_append(wide, f.stories[0].tokens, B, NULL), LLMINF_OK);
    params.max_tokens = 3 * B + 1;
    assert_int_equal(lli_timeline_generate(wide, &params, &err), LLMINF_E_TOO_LONG);
    assert_non_null(strstr(err.text, "need 5 blocks, the whole pool has 4"));
    params.max_tokens = 3 * B;
    story_generate(wide, &params);
    flight_run(&f);
    lli_timeline_close(wide);
    flight_close(&f);
}

/* 38: idle forks that share every block are both released when somebody needs the room. 39: but not pinned ones. */
static void test_soft_and_pinned(void **state)
{
    struct lli_timeline *fork, *pinned;
    struct lli_request_params params = null_engine_params();
    struct llminf_error err;
    (void)state;
    flight_init(&f, 1 + 6);
    engine_open(&f.e);
    flight_add(&f, 3 * B, 0, 1, 2);
    flight_run(&f);
    assert_int_equal(lli_timeline_fork(&fork, f.t[0], NULL), LLMINF_OK);
    assert_int_equal(engine_stats(&f.e).kv_blocks_used, 4);
    uint32_t i = flight_add(&f, 5 * B, 0, 2, B);
    while (flight_step(&f))
        ;
    flight_expect(&f, i);
    assert_int_equal(fork->table.n, 0);
    assert_int_equal(f.t[0]->table.n, 0);
    lli_timeline_close(fork);
    assert_int_equal(lli_timeline_open(&pinned, f.e.engine, &(struct lli_timeline_options){.is_pinned = 1}, NULL), LLMINF_OK);
    assert_int_equal(lli_timeline_append(pinned, f.stories[0].tokens, 2 * B, NULL), LLMINF_OK);
    params.max_tokens = 0;
    story_generate(pinned, &params);
    while (flight_step(&f))
        ;
    assert_int_equal(engine_stats(&f.e).kv_blocks_pinned, 2);
    assert_int_equal(lli_timeline_fork(&fork, pinned, NULL), LLMINF_OK);
    assert_int_equal(engine_stats(&f.e).kv_blocks_pinned, 4);
    lli_timeline_close(fork);
    params.max_tokens = B;
    assert_int_equal(lli_timeline_truncate(f.t[1], 4 * B, NULL), LLMINF_OK);
    assert_int_equal(lli_timeline_generate(f.t[1], &params, &err), LLMINF_E_FULL); /* 5 blocks beside 2 pinned of 6 */
    assert_int_equal(lli_timeline_truncate(f.t[1], 3 * B, NULL), LLMINF_OK);
    f.stories[1].n = 3 * B;
    f.params[1] = params;
    flight_ask(&f, 1);
    while (flight_step(&f))
        assert_int_equal(pinned->table.n, 2);
    flight_expect(&f, 1);
    lli_timeline_close(pinned);
    assert_int_equal(engine_stats(&f.e).kv_blocks_pinned, 0);
    flight_close(&f);
}

/* ---- prefixes ---------------------------------------------------------------------------------------------------- */

/* 10, 11, 16: a warm prefix of every length: the rows that are left, and at most a copy. */
static void test_warm(void **state)
{
    enum { N = 3 * B + 1 };
    (void)state;
    for (uint32_t k = 1; k <= N; k++) {
        struct lli_timeline_stats stats;
        flight_init(&f, 60 * 16 / B);
        engine_open(&f.e);
        flight_add(&f, N, N, 1, 0);
        flight_run(&f);
        int64_t rows = null_forward_rows();
        uint32_t free = f.e.engine->pool.n_free;
        flight_add(&f, N, k, 2, 0);
        flight_run(&f);
        lli_timeline_stats(f.t[1], &stats);
        assert_true(stats.cached >= k); /* the rows may have more in common by chance */
        assert_int_equal(null_forward_rows() - rows, stats.cached == N ? 1 : N - stats.cached);
        if (k == N)
            assert_int_equal(f.e.engine->pool.n_free, free);
        if (stats.cached < N)
            assert_int_equal(count(copied), stats.cached % B != 0);
        flight_close(&f);
    }
}

/* 11: the last block of one that is gone is taken over as it is. */
static void test_adopted(void **state)
{
    (void)state;
    for (uint32_t more = 1; more < B; more++) {
        struct lli_timeline_stats stats;
        flight_init(&f, 60 * 16 / B);
        engine_open(&f.e);
        flight_add(&f, 2 * B + more, 200, 1, 0);
        flight_run(&f);
        lli_timeline_close(f.t[0]);
        f.t[0] = NULL;
        int64_t rows = null_forward_rows();
        flight_add(&f, 4 * B, 200, 1, 3);
        flight_run(&f);
        lli_timeline_stats(f.t[1], &stats);
        assert_int_equal(stats.cached, 2 * B + more);
        assert_int_equal(null_forward_rows() - rows, 2 * B - more + 2);
        assert_int_equal(count(copied), 0);
        flight_close(&f);
    }
}

/* 14: equal prompts at once: one computes, the others follow. */
static void test_follow(void **state)
{
    enum { N = 8, LENGTH = 100 };
    (void)state;
    flight_init(&f, 200 * 16 / B);
    f.e.options.step_tokens = 200;
    engine_open(&f.e);
    for (uint32_t i = 0; i < N; i++)
        flight_add(&f, LENGTH, LENGTH, 0, 0);
    flight_run(&f);
    assert_true(null_forward_rows() <= LENGTH + (B - 1) * N);
    for (uint32_t i = 1; i < N; i++)
        for (uint32_t k = 0; k < LENGTH / B; k++)
            assert_int_equal(f.t[i]->table.blocks[0][k], f.t[0]->table.blocks[0][k]);
    assert_true(engine_stats(&f.e).follows > 0);
    flight_close(&f);
}

/* 8: another salt, no cache of its own, or none at all. */
static void test_isolation(void **state)
{
    static const struct lli_timeline_options options[] = {
        {.salt = "a", .salt_len = 1}, {.salt = "b", .salt_len = 1}, {.no_prefix_cache = 1}, {.no_prefix_cache = 1}, {0}};
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        flight_init(&f, 100 * 16 / B);
        f.e.options.no_prefix_cache = whole;
        engine_open(&f.e);
        for (uint32_t round = 0; round < 2; round++)
            for (uint32_t i = 0; i < 5; i++) {
                struct lli_timeline_stats stats;
                struct lli_timeline *t;
                struct lli_request_params params = null_engine_params();
                int32_t tokens[2 * B];
                null_engine_words(tokens, 2 * B, 5);
                params.max_tokens = 0;
                assert_int_equal(lli_timeline_open(&t, f.e.engine, &options[i], NULL), LLMINF_OK);
                assert_int_equal(lli_timeline_append(t, tokens, 2 * B, NULL), LLMINF_OK);
                story_generate(t, &params);
                while (flight_step(&f))
                    ;
                lli_timeline_stats(t, &stats);
                assert_int_equal(stats.cached, round == 1 && options[i].no_prefix_cache == 0 && !whole ? 2 * B : 0);
                lli_timeline_close(t);
            }
        flight_close(&f);
    }
}

/* ---- forks and cuts ---------------------------------------------------------------------------------------------- */

/* 17: samples of one prompt: each as if alone, all but one with a copy of the tail. */
static void test_forks(void **state)
{
    (void)state;
    for (uint32_t length = 2 * B - 1; length <= 2 * B + 1; length++) {
        flight_init(&f, 100 * 16 / B);
        engine_open(&f.e);
        flight_add(&f, length, 0, 1, 0);
        flight_run(&f);
        for (uint32_t i = 1; i < 5; i++) {
            assert_int_equal(lli_timeline_fork(&f.t[i], f.t[0], NULL), LLMINF_OK);
            f.stories[i] = f.stories[0];
            f.n++;
        }
        int64_t before = count(copied);
        for (uint32_t i = 0; i < 5; i++) {
            f.params[i] = f.params[0];
            f.params[i].max_tokens = 2 * B + i;
            f.params[i].sampler.temperature = 1;
            f.params[i].sampler.seed = i;
            flight_ask(&f, i);
        }
        flight_run(&f);
        assert_int_equal(count(copied) - before, length % B == 0 ? 0 : 4);
        flight_close(&f);
    }
}

/* 18: cut to any length and gone on, beside a fork that keeps what was. */
static void test_cuts(void **state)
{
    struct null_story whole;
    (void)state;
    for (uint32_t keep = 1; keep < 3 * B; keep++) {
        flight_init(&f, 30 * 16 / B);
        engine_open(&f.e);
        flight_add(&f, 2 * B + 3, 0, 1, B + 2);
        flight_run(&f);
        whole = f.stories[0];
        assert_int_equal(lli_timeline_fork(&f.t[1], f.t[0], NULL), LLMINF_OK);
        f.stories[1] = whole;
        f.params[1] = f.params[0];
        f.n = 2;
        assert_int_equal(lli_timeline_truncate(f.t[0], keep, NULL), LLMINF_OK);
        f.stories[0].n = f.stories[0].n_said = keep;
        f.params[0].sampler.temperature = 1;
        flight_ask(&f, 0);
        flight_ask(&f, 1);
        flight_run(&f);
        flight_close(&f);
    }
}

/* ---- order ------------------------------------------------------------------------------------------------------- */

static uint32_t n_started(void) /* those that are not waiting any more */
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < f.n; i++)
        n += f.t[i]->state != LLI_TIMELINE_WAITING;
    return n;
}

/* 26: a prompt gets on beside decodes, and 32: priorities, which waiting raises. */
static void test_priorities(void **state)
{
    (void)state;
    flight_init(&f, 200 * 16 / B);
    f.e.options.max_running = 1;
    f.e.options.age_steps = 4;
    engine_open(&f.e);
    flight_add(&f, 4, 0, 0, 40);
    assert_int_equal(flight_step(&f), 1);
    for (uint32_t i = 1; i < 5; i++) { /* each of priority i, asked for 3 steps after the one before */
        struct lli_request_params params = null_engine_params();
        f.t[i] = engine_timeline(&f.e);
        f.n = i + 1;
        story_append(f.t[i], &f.stories[i], 4, i);
        params.max_tokens = 2;
        params.ignore_eog = 1;
        params.priority = (int)i;
        f.params[i] = params;
        flight_ask(&f, i);
        for (int k = 0; k < 3; k++)
            flight_step(&f);
    }
    for (uint32_t i = 4; i > 0; i--) { /* 3 steps of waiting are less than the 4 of a level */
        while (n_started() < 6 - i)
            assert_int_equal(flight_step(&f), 1);
        assert_int_not_equal(f.t[i]->state, LLI_TIMELINE_WAITING);
    }
    flight_run(&f);
    flight_close(&f);
}

/* 30: a request that does not fit is passed at most bypass_limit times. */
static void test_bypass(void **state)
{
    (void)state;
    flight_init(&f, 1 + 12);
    f.e.options.bypass_limit = 3;
    f.e.options.admit_reserve = 1;
    engine_open(&f.e);
    flight_add(&f, 2, 0, 0, 4 * B - 2); /* runs long, on 4 blocks */
    flight_step(&f);
    uint32_t big = flight_add(&f, 9 * B, 0, 1, 1);
    for (uint32_t i = 0; i < 12; i++)
        flight_add(&f, 3, 0, 2 + i, 2);
    for (int i = 0; i < 3; i++)
        flight_step(&f);
    assert_int_equal(f.t[big]->request.n_overtaken, 3);
    assert_int_equal(f.t[big]->state, LLI_TIMELINE_WAITING);
    flight_run(&f);
    assert_int_equal(engine_stats(&f.e).overtakes, 3);
    flight_close(&f);
}

/* 25, 26: in every plan each running decode has a row, and a prompt that is first gets on. */
static void test_decodes_first(void **state)
{
    (void)state;
    flight_init(&f, 200 * 16 / B);
    engine_open(&f.e);
    for (uint32_t i = 0; i < 8; i++)
        flight_add(&f, 2, 0, i, 60);
    for (int i = 0; i < 4; i++)
        flight_step(&f);
    uint32_t big = flight_add(&f, 200, 0, 99, 1);
    while (f.t[big]->table.n_computed < 200) {
        uint32_t before = f.t[big]->table.n_computed, n_decodes = 0;
        assert_int_equal(flight_step(&f), 1);
        const struct lli_batch *batch = &f.e.engine->batch;
        for (uint32_t i = 0; i < batch->n_rides; i++)
            n_decodes += batch->rides[i].timeline != f.t[big];
        assert_int_equal(n_decodes, 8);
        assert_true(f.t[big]->table.n_computed == 200 || f.t[big]->table.n_computed - before >= 32);
    }
    flight_run(&f);
    flight_close(&f);
}

/* 42: a deadline ends what waits and what runs within a step. */
static void test_deadline(void **state)
{
    (void)state;
    flight_init(&f, 60 * 16 / B);
    f.e.options.max_running = 1;
    engine_open(&f.e);
    flight_add(&f, 4, 0, 0, 50);
    for (uint32_t i = 1; i < 3; i++) {
        flight_add(&f, 4, 0, i, 50);
        lli_timeline_cancel(f.t[i]);
    }
    flight_step(&f);
    for (uint32_t i = 1; i < 3; i++) {
        f.params[i].deadline_ns = (int64_t)i;
        flight_ask(&f, i);
    }
    for (int64_t start = lli_clock_ns(); lli_clock_ns() - start < 1000000;)
        ;
    flight_step(&f);
    for (uint32_t i = 1; i < 3; i++) {
        char text[64];
        size_t n;
        assert_int_equal(f.t[i]->state, LLI_TIMELINE_IDLE);
        assert_int_equal(f.t[i]->stop_reason, LLI_STOP_DEADLINE);
        assert_int_equal(lli_timeline_read(f.t[i], text, sizeof text, &n, 0, NULL), LLMINF_DONE);
        lli_timeline_close(f.t[i]);
        f.t[i] = NULL;
    }
    assert_int_equal(engine_stats(&f.e).late, 2);
    flight_run(&f);
    flight_close(&f);
}

/* 43: a generation that is ahead of its reader pauses; its blocks can go; in the end the reader has the whole text. */
static void test_read_ahead(void **state)
{
    (void)state;
    flight_init(&f, 1 + 4 * 16 / B);
    engine_open(&f.e);
    flight_add(&f, 20, 0, 1, 0);
    flight_run(&f);
    f.params[0].max_tokens = 20;
    f.params[0].read_ahead = 5;
    flight_ask(&f, 0);
    while (flight_step(&f))
        ;
    assert_int_equal(f.t[0]->state, LLI_TIMELINE_PAUSED);
    assert_int_equal(f.t[0]->n_tokens, 25);
    uint32_t other = flight_add(&f, 50, 0, 2, 6); /* needs them all */
    while (flight_step(&f))
        ;
    flight_expect(&f, other);
    assert_int_equal(f.t[0]->table.n, 0);
    struct null_story *story = &f.stories[0];
    char text[8 * NULL_STORY], piece[64];
    size_t len = 0, n;
    int32_t status;
    null_engine_tell(story, &f.params[0], NULL_TRAIN);
    while ((status = lli_timeline_read(f.t[0], piece, sizeof piece, &n, -1, NULL)) != LLMINF_DONE) {
        assert_true(status == LLMINF_OK || status == LLMINF_AGAIN);
        memcpy(text + len, piece, n);
        len += n;
        while (flight_step(&f))
            ;
    }
    assert_null(null_engine_compare(f.t[0], story, text, len));
    assert_true(engine_stats(&f.e).pauses > 1);
    f.t[0]->request.read_ahead = 0;
    flight_close(&f);
}

/* 50: a NaN ends its session, and no other. */
static void test_numeric(void **state)
{
    static const int32_t bad[] = {NULL_FORWARD_NAN, NULL_FORWARD_NUMERIC};
    (void)state;
    flight_init(&f, 100 * 16 / B);
    engine_open(&f.e);
    for (uint32_t i = 0; i < 6; i++) {
        flight_add(&f, 20, 18, i, 10);
        if (i < 4)
            continue;
        lli_timeline_cancel(f.t[i]);
        while (f.t[i]->state != LLI_TIMELINE_IDLE)
            flight_step(&f);
        assert_int_equal(lli_timeline_append(f.t[i], &bad[i - 4], 1, NULL), LLMINF_OK);
        flight_ask(&f, i);
    }
    while (flight_step(&f))
        ;
    for (uint32_t i = 4; i < 6; i++) {
        assert_int_equal(f.t[i]->stop_reason, LLI_STOP_ERROR);
        assert_int_equal(lli_timeline_wait(f.t[i], 0, NULL), LLMINF_E_NUMERIC);
        lli_timeline_close(f.t[i]);
        f.t[i] = NULL;
    }
    assert_int_equal(engine_stats(&f.e).failed, 2);
    flight_run(&f);
    flight_close(&f);
}

/* Tokens of prompts that were looked up and are neither found nor computed yet. */
static int64_t count_due(void)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < f.n; i++)
        if (f.t[i]->state == LLI_TIMELINE_RUNNING && f.t[i]->table.n_computed < f.t[i]->request.n_prompt)
            n += f.t[i]->request.n_prompt - f.t[i]->table.n_computed;
    return n;
}

/* 59: at every commit, every token of a prompt was found or computed or is still to come. flight_step counts the blocks. */
static void test_accounts(void **state)
{
    int64_t n_prompts = 0;
    (void)state;
    flight_init(&f, 200 * 16 / B);
    engine_open(&f.e);
    for (uint32_t i = 0; i < 16; i++) {
        flight_add(&f, 30 + i, 20, i, 3);
        n_prompts += 30 + i;
    }
    while (flight_step(&f)) {
        struct lli_engine_stats s = engine_stats(&f.e);
        assert_int_equal(s.prefix_hit_tokens + s.prefill_tokens + count_due(), s.prefix_tokens);
    }
    struct lli_engine_stats s = engine_stats(&f.e);
    assert_int_equal(s.prefix_tokens, n_prompts);
    assert_int_equal(s.prefix_hit_tokens + s.prefill_tokens, n_prompts);
    assert_true(s.prefix_hit_tokens >= 15 * (20 / B * B));
    assert_int_equal(s.decode_tokens, 16 * 3);
    flight_run(&f);
    flight_close(&f);
}

/* 45: a step allocates nothing. */
static void test_no_malloc(void **state)
{
    (void)state;
    flight_init(&f, 24 * 16 / B);
    engine_open(&f.e);
    for (uint32_t i = 0; i < 12; i++)
        flight_add(&f, 20 + i, 0, i, 60);
    support_heap_arm(&f.e.host, 1, 1);
    while (flight_step(&f))
        ;
    assert_int_equal(f.e.host.n_calls, 0);
    support_heap_arm(&f.e.host, 0, 0);
    flight_run(&f);
    flight_close(&f);
}

/* 45: nor do 10^5, with admissions, preemptions and recycling. */
static void test_steady(void **state)
{
    enum { N = 6, STEPS = 100000 };
    uint32_t n_steps = 0;
    (void)state;
    flight_init(&f, 1 + 400 / B);
    f.e.options.admit_reserve = 0;
    engine_open(&f.e);
    for (uint32_t i = 0; i < N; i++)
        flight_put(&f, 20 + i, 10, i, 100 + 10 * i);
    while (n_steps < STEPS) {
        for (uint32_t i = 0; i < N; i++) {
            assert_int_equal(lli_timeline_truncate(f.t[i], 20 + i, NULL), LLMINF_OK);
            flight_ask(&f, i);
        }
        support_heap_arm(&f.e.host, 1, 1);
        while (lli_engine_step(f.e.engine, 0, NULL) == LLMINF_OK)
            n_steps++;
        assert_int_equal(f.e.host.n_calls, 0);
        support_heap_arm(&f.e.host, 0, 0);
    }
    assert_true(count(preemptions) > 100 && engine_stats(&f.e).recycled > 1000);
    flight_run(&f);
    flight_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes),      cmocka_unit_test(test_lengths),       cmocka_unit_test(test_same_plans),
        cmocka_unit_test(test_preemption), cmocka_unit_test(test_too_long),      cmocka_unit_test(test_soft_and_pinned),
        cmocka_unit_test(test_warm),       cmocka_unit_test(test_follow),        cmocka_unit_test(test_isolation),
        cmocka_unit_test(test_forks),      cmocka_unit_test(test_cuts),          cmocka_unit_test(test_priorities),
        cmocka_unit_test(test_bypass),     cmocka_unit_test(test_decodes_first), cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_deadline),   cmocka_unit_test(test_read_ahead),    cmocka_unit_test(test_numeric),
        cmocka_unit_test(test_accounts),   cmocka_unit_test(test_no_malloc),     cmocka_unit_test(test_steady),
        cmocka_unit_test(test_adopted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
