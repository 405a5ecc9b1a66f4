/* Guesses by a draft model, over two forwards without arithmetic: whatever they are, each session tells what it would tell
 * alone. The numbers in comments are those of the oracles in the design of the engine. */
#include "engine/drafter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/snapshot.h"
#include "engine/stop.h"
#include "engine/timeline.h"
#include "llminf/status.h"
#include "support/flight.h"

enum { B = LLI_BLOCK_TOKENS, MANY = 400 * 16 / B };

static struct flight f, g;

/* One pass of any number of rows takes so long; 0: nothing is known, so that all is tried. */
static struct lli_pace pace(double ns)
{
    return ns == 0 ? (struct lli_pace){0} : (struct lli_pace){1, 1, ns, 1, ns};
}

/* The depth of guesses hangs on times; so that it does not, these are set before each step. */
static int step_at(struct flight *flight, double step_ns, double own_ns)
{
    flight->e.engine->drafter->step = pace(step_ns);
    flight->e.engine->drafter->own = pace(own_ns);
    return flight_step(flight);
}

static uint32_t run(void)
{
    uint32_t n_steps = 0;
    while (step_at(&f, 0, 0))
        assert_true(++n_steps < 100000);
    for (uint32_t i = 0; i < f.n; i++)
        flight_expect(&f, i);
    return n_steps;
}

static void open_flight(uint32_t n_draft_blocks, uint32_t wrong)
{
    flight_init(&f, MANY);
    null_engine_draft(&f.e, n_draft_blocks, wrong);
    engine_open(&f.e);
    assert_int_equal(f.e.engine->drafter->pool.n_blocks, n_draft_blocks);
    assert_int_equal(f.e.engine->pool.n_blocks, MANY);
}

static void put(uint32_t n, uint64_t seed, int64_t max_tokens, uint32_t limit)
{
    uint32_t i = flight_put(&f, n, 0, seed, max_tokens);
    f.params[i].is_drafted = 1;
    f.params[i].draft_limit = limit;
}

static const struct lli_bias bias[] = {{7, 1}, {9, -2}};
static const int32_t banned[] = {11, 12};
static const struct lli_ban bans[] = {{banned, 2}};

static const struct lli_sampler_params samplers[] = {
    {.min_keep = 1, .top_p = 1, .repeat_penalty = 1},
    {.min_keep = 1, .top_p = 1, .repeat_penalty = 1, .temperature = 1, .seed = 5},
    {.min_keep = 1, .top_p = 0.9, .min_p = 0.01, .top_k = 20, .repeat_penalty = 1, .temperature = 2, .seed = 6},
    {.min_keep = 1, .top_p = 1, .repeat_penalty = 1.3, .frequency_penalty = 1, .penalty_window = -1},
    {.min_keep = 1, .top_p = 1, .repeat_penalty = 1.2, .presence_penalty = 1, .penalty_window = 9, .temperature = 1, .seed = 7},
};

enum { N_SAMPLERS = sizeof samplers / sizeof *samplers };

static void use_sampler(struct lli_request_params *params, size_t i)
{
    params->sampler = samplers[i % N_SAMPLERS];
    params->bias = bias;
    params->n_bias = i % 3 == 2 ? 2 : 0;
    params->bans = bans;
    params->n_bans = i % 4 == 1;
}

/* ---- what is told ------------------------------------------------------------------------------------------------ */

/* 51: every sampler, with guesses that are right, wrong, or either; several sessions with and without. */
static void test_samplers(void **state)
{
    static const uint32_t wrong[] = {0, 20, 60, 100}, limits[] = {1, 4, 16};
    (void)state;
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++)
        for (size_t m = 0; m < sizeof limits / sizeof *limits; m++) {
            open_flight(MANY, wrong[k]);
            for (uint32_t i = 0; i < 2 * N_SAMPLERS; i++) {
                put(1 + 7 * i, i / 2, 20 + i, limits[m]);
                use_sampler(&f.params[i], i);
                if (i % 5 == 4)
                    f.params[i].is_drafted = 0; /* by lookup */
                flight_ask(&f, i);
            }
            run();
            assert_true(engine_stats(&f.e).drafted > 0);
            assert_int_equal(engine_stats(&f.e).failed, 0);
            flight_close(&f);
        }
}

/* 52: a model that is always right makes every guess count, as it draws the same numbers: gamma + 1 tokens a step. */
static void test_right(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SAMPLERS; s++)
        for (uint32_t limit = 1; limit <= 6; limit++) {
            open_flight(MANY, 0);
            put(10, s, 1 + 7 * (limit + 1), limit);
            use_sampler(&f.params[0], s);
            flight_ask(&f, 0);
            assert_int_equal(run(), 1 + 7); /* the first token comes of the prompt's last row */
            struct lli_engine_stats stats = engine_stats(&f.e);
            assert_int_equal(stats.drafted, 7 * limit);
            assert_int_equal(stats.accepted, 7 * limit);
            assert_int_equal(stats.draft_rows, 10 + 7 * (limit + 1) - 1); /* the last guess is not computed */
            flight_close(&f);
        }
}

/* 52: of a model that is always wrong few guesses are made, and after a while nearly none. */
static void test_wrong(void **state)
{
    struct lli_engine_stats first, all;
    (void)state;
    open_flight(MANY, 100);
    put(10, 1, 100, 8);
    flight_ask(&f, 0);
    assert_int_equal(run(), 100);
    first = engine_stats(&f.e);
    assert_int_equal(first.accepted, 0);
    assert_in_range(first.drafted, 1, 60);
    f.params[0].max_tokens = 130; /* and of the next generation of this context fewer */
    flight_ask(&f, 0);
    run();
    all = engine_stats(&f.e);
    assert_true(all.drafted - first.drafted < first.drafted);
    flight_close(&f);
}

static int32_t count_call(void *user, float *logits, size_t n, const int32_t *history, size_t n_history)
{
    uint32_t *n_calls = user;
    (void)n;
    (void)history;
    (void)n_history;
    logits[9] += 1;
    ++*n_calls;
    return 0;
}

/* A host's function sees what it would see without: guesses are made without it. */
static void test_filter(void **state)
{
    uint32_t n_calls = 0;
    size_t len;
    static char text[8 * NULL_STORY];
    (void)state;
    open_flight(MANY, 0);
    put(10, 1, 40, 4);
    f.params[0].filter = count_call;
    f.params[0].user = &n_calls;
    flight_ask(&f, 0);
    while (step_at(&f, 0, 0))
        ;
    assert_int_equal(n_calls, 40);
    assert_true(engine_stats(&f.e).accepted > 0);
    assert_int_equal(null_engine_tell(&f.stories[0], &f.params[0], NULL_TRAIN), LLMINF_OK);
    assert_int_equal(null_engine_read(f.t[0], 64, text, sizeof text, &len), LLMINF_DONE);
    assert_null(null_engine_compare(f.t[0], &f.stories[0], text, len));
    flight_close(&f);
}

/* 53: each piece of the text as a stop text, so that stops lie inside of right guesses; and ends of generation. */
static void test_stops(void **state)
{
    struct null_story free_run = {.n = 5};
    struct lli_request_params params = null_engine_params();
    (void)state;
    params.max_tokens = 30;
    params.ignore_eog = 1;
    null_engine_words(free_run.tokens, 5, 1);
    assert_int_equal(null_engine_tell(&free_run, &params, NULL_TRAIN), LLMINF_OK);
    for (size_t start = 0; start + 3 <= free_run.text_len; start++)
        for (uint32_t wrong = 0; wrong <= 50; wrong += 50) {
            struct lli_text stop = {free_run.text + start, 1 + start % 3};
            open_flight(MANY, wrong);
            put(5, 1, 30, 8);
            f.params[0].stops = &stop;
            f.params[0].n_stops = 1;
            flight_ask(&f, 0);
            run();
            flight_close(&f);
        }
    for (uint32_t seed = 0; seed < 40; seed++) {
        open_flight(MANY, 0);
        put(5, seed, 200, 16);
        f.params[0].ignore_eog = 0;
        f.params[0].min_tokens = seed % 3 * 10;
        f.params[0].sampler.temperature = seed % 2;
        flight_ask(&f, 0);
        run();
        flight_close(&f);
    }
}

/* Chunks of the prompt: the draft model reads no more rows a step than the other, and guesses when it is there. */
static void test_reading(void **state)
{
    (void)state;
    flight_init(&f, MANY);
    null_engine_draft(&f.e, MANY, 0);
    f.e.options.step_tokens = 16;
    f.e.options.max_running = 1; /* 33 rows a step at most */
    engine_open(&f.e);
    put(150, 1, 40, 4);
    flight_ask(&f, 0);
    uint32_t n_steps = 0;
    for (int64_t before = 0; step_at(&f, 0, 0); n_steps++) {
        struct lli_engine_stats stats = engine_stats(&f.e);
        assert_true(stats.draft_rows - before <= 33 + 3);
        if (stats.draft_rows <= 150)
            assert_int_equal(stats.drafted, 0);
        before = stats.draft_rows;
    }
    flight_expect(&f, 0);
    assert_true(n_steps < 5 + 5 + 40 / 5 + 2);
    flight_close(&f);
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

/* 54: one block, or a few for many sessions: fewer guesses, or none. */
static void test_small_pools(void **state)
{
    (void)state;
    for (uint32_t n_blocks = 2; n_blocks <= 2 + 14 * 16 / B; n_blocks += 1 + 16 / B) {
        open_flight(n_blocks, 10);
        for (uint32_t i = 0; i < 8; i++) {
            put(1 + 5 * i, i / 2, 80, 6);
            flight_ask(&f, i);
        }
        run();
        assert_int_equal(engine_stats(&f.e).failed, 0);
        if (n_blocks == 2)
            assert_true(engine_stats(&f.e).drafted < 8 * B);
        flight_close(&f);
    }
}

/* Prefixes: what the draft model read is found again, by the next turn, by forks and by others with the same beginning. */
static void test_prefixes(void **state)
{
    int64_t rows;
    (void)state;
    open_flight(MANY, 0);
    put(100, 1, 20, 4);
    flight_ask(&f, 0);
    run();
    rows = engine_stats(&f.e).draft_rows;
    f.params[0].max_tokens = 30; /* the second turn */
    flight_ask(&f, 0);
    run();
    assert_true(engine_stats(&f.e).draft_rows - rows <= 30 + 4);
    for (uint32_t i = 1; i < 5; i++) {
        assert_int_equal(lli_timeline_fork(&f.t[i], f.t[0], NULL), LLMINF_OK);
        f.stories[i] = f.stories[0];
        f.params[i] = f.params[0];
        f.params[i].sampler.temperature = 1;
        f.params[i].sampler.seed = i;
    }
    f.n = 5;
    rows = engine_stats(&f.e).draft_rows;
    for (uint32_t i = 0; i < 5; i++)
        flight_ask(&f, i);
    run();
    assert_true(engine_stats(&f.e).draft_rows - rows <= 5 * (30 + 4 + B)); /* for each the beginning of a block, at most */
    flight_close(&f);
    open_flight(MANY, 0);
    for (uint32_t i = 0; i < 6; i++) {
        put(100, 1, 20, 4);
        flight_ask(&f, i);
    }
    run();
    assert_true(engine_stats(&f.e).draft_rows <= 100 + 6 * (B + 20 + 4));
    flight_close(&f);
}

/* Few blocks of the model itself: preempted and resumed, its guesses too. */
static void test_preemption(void **state)
{
    (void)state;
    flight_init(&f, (120 + B - 1) / B + 12);
    null_engine_draft(&f.e, MANY, 20);
    f.e.options.admit_reserve = 0;
    engine_open(&f.e);
    for (uint32_t i = 0; i < 12; i++) {
        put(20 + 3 * i, i, 40 + i, 4);
        flight_ask(&f, i);
    }
    run();
    assert_true(engine_stats(&f.e).preemptions > 0 && engine_stats(&f.e).accepted > 0);
    flight_close(&f);
}

/* A reader that lags: paused, with its guesses, and resumed. */
static void test_pauses(void **state)
{
    int32_t ids[NULL_STORY];
    size_t n, total = 0;
    (void)state;
    open_flight(MANY, 10);
    put(20, 1, 60, 4);
    f.params[0].read_ahead = 7;
    flight_ask(&f, 0);
    for (int32_t status = LLMINF_OK; status != LLMINF_DONE;) {
        while (step_at(&f, 0, 0))
            ;
        status = lli_timeline_read_tokens(f.t[0], ids + total, 3, &n, 0, NULL);
        total += n;
    }
    assert_int_equal(total, 60);
    assert_true(engine_stats(&f.e).pauses > 5);
    assert_int_equal(null_engine_tell(&f.stories[0], &f.params[0], NULL_TRAIN), LLMINF_OK);
    assert_memory_equal(ids, f.stories[0].tokens + 20, 60 * sizeof *ids);
    flight_close(&f);
}

/* Trimmed while it runs: what nobody holds is forgotten in both pools. */
static void test_trim(void **state)
{
    (void)state;
    open_flight(MANY, 0);
    put(60, 1, 60, 4);
    flight_ask(&f, 0);
    for (int i = 0; step_at(&f, 0, 0); i++)
        if (i % 3 == 0)
            lli_engine_trim(f.e.engine, 0);
    flight_expect(&f, 0);
    assert_int_not_equal(f.e.engine->drafter->pool.n_cached, 0);
    lli_engine_trim(f.e.engine, INT64_MAX);
    assert_int_not_equal(f.e.engine->drafter->pool.n_cached, 0);
    lli_engine_trim(f.e.engine, 0);
    assert_int_equal(f.e.engine->drafter->pool.n_cached, 0);
    flight_close(&f);
}

/* ---- when things go wrong ---------------------------------------------------------------------------------------- */

/* The draft model fails, or has no logits to draw from, at each k-th position: fewer guesses, and nobody notices. */
static void test_failures(void **state)
{
    (void)state;
    for (uint32_t k = 1; k < 40; k += 3)
        for (int is_nan = 0; is_nan < 2; is_nan++) {
            flight_init(&f, MANY);
            null_engine_draft(&f.e, MANY, 0);
            *(is_nan ? &f.e.draft.n_kv_heads : &f.e.draft.n_heads) = k;
            engine_open(&f.e);
            for (uint32_t i = 0; i < 4; i++) {
                put(10 + 11 * i, i, 50, 5);
                flight_ask(&f, i);
            }
            run();
            assert_int_equal(engine_stats(&f.e).failed, 0);
            if (k > 25 || (is_nan && k > 1))
                assert_true(engine_stats(&f.e).accepted > 0);
            flight_close(&f);
        }
}

/* The model itself fails behind a guess that was wrong: again, without guesses. Behind a right one it fails as without. */
static void test_numeric(void **state)
{
    static const struct lli_bias tempting = {NULL_FORWARD_NUMERIC, 1000};
    struct llminf_error err;
    char text[64];
    size_t n;
    (void)state;
    open_flight(MANY, 0);
    put(20, 1, 10, 4);
    f.params[0].bias = &tempting;
    f.params[0].n_bias = 1;
    flight_ask(&f, 0);
    while (step_at(&f, 0, 0))
        ;
    assert_int_equal(lli_timeline_wait(f.t[0], 0, &err), LLMINF_E_NUMERIC);
    lli_timeline_read(f.t[0], text, sizeof text, &n, 0, NULL);
    assert_int_equal(f.t[0]->n_tokens, 21); /* the one that it cannot go on behind */
    assert_int_equal(f.t[0]->tokens[20], NULL_FORWARD_NUMERIC);
    flight_close(&f);
    flight_init(&f, MANY);
    null_engine_draft(&f.e, MANY, 0);
    f.e.draft.n_embd = 28;
    engine_open(&f.e);
    put(20, 1, 60, 4);
    flight_ask(&f, 0);
    run();
    assert_int_equal(f.t[0]->draft.by_model, 0);
    assert_true(engine_stats(&f.e).accepted > 0);
    flight_close(&f);
}

/* Each allocation fails once: MEMORY, all as before. From generate on none is made. */
static void test_memory(void **state)
{
    struct llminf_error err;
    int32_t status;
    (void)state;
    flight_init(&f, MANY);
    null_engine_draft(&f.e, MANY, 10);
    for (int64_t i = 1; (support_heap_arm(&f.e.host, i, 0), status = null_engine_open(&f.e, &err)) != LLMINF_OK; i++) {
        assert_int_equal(status, LLMINF_E_MEMORY);
        assert_int_equal(f.e.host.live_bytes, 0);
        assert_true(i < 200);
    }
    support_heap_arm(&f.e.host, 0, 0);
    put(50, 1, 100, 5);
    for (int64_t i = 1;
         (support_heap_arm(&f.e.host, i, 0), status = lli_timeline_generate(f.t[0], &f.params[0], &err)) != LLMINF_OK; i++) {
        assert_int_equal(status, LLMINF_E_MEMORY);
        assert_true(i < 100);
    }
    support_heap_arm(&f.e.host, 1, 1);
    while (step_at(&f, 0, 0))
        ;
    assert_int_equal(f.e.host.n_calls, 0);
    support_heap_arm(&f.e.host, 0, 0);
    flight_expect(&f, 0);
    assert_true(engine_stats(&f.e).accepted > 0);
    flight_close(&f);
}

static void test_budget(void **state)
{
    struct llminf_error err;
    struct lli_engine_stats stats;
    (void)state;
    flight_init(&f, MANY);
    null_engine_draft(&f.e, 2, 0);
    f.e.options.draft_share *= 0.9;
    assert_int_equal(null_engine_open(&f.e, &err), LLMINF_E_OPTION);
    assert_string_equal(err.subject, "draft_share");
    assert_int_equal(f.e.host.live_bytes, 0);
    f.e.options.draft_share = 0.25;
    engine_open(&f.e);
    stats = engine_stats(&f.e);
    assert_true(stats.kv_bytes + stats.kv_meta_bytes + stats.draft_kv_bytes <= stats.kv_budget_bytes);
    assert_true(4 * stats.draft_kv_bytes <= stats.kv_budget_bytes && 5 * stats.draft_kv_bytes > stats.kv_budget_bytes);
    engine_close(&f.e);
    flight_init(&f, MANY); /* of its own accord: a session of full length beside the share */
    null_engine_draft(&f.e, 2, 0);
    f.e.options.kv_budget_bytes = 0;
    f.e.options.draft_share = 0.5;
    engine_open(&f.e);
    stats = engine_stats(&f.e);
    assert_int_equal(stats.kv_blocks, NULL_TRAIN / B + 1);
    assert_int_equal(f.e.engine->drafter->pool.n_blocks, NULL_TRAIN / B + 1);
    engine_close(&f.e);
    flight_init(&f, MANY); /* without any: as if nobody had asked */
    null_engine_draft(&f.e, 2, 0);
    f.e.options.draft_share = 0;
    engine_open(&f.e);
    put(10, 1, 20, 4);
    flight_ask(&f, 0);
    assert_int_equal(flight_run(&f), 20);
    flight_close(&f);
}

/* ---- sessions ---------------------------------------------------------------------------------------------------- */

/* 41: cancelled at each step; what was told is a beginning, and it goes on as if nothing had been. */
static void test_cancel(void **state)
{
    (void)state;
    for (uint32_t k = 0; k < 24; k++) {
        struct null_story whole;
        open_flight(MANY, 30);
        put(40, k, 40, 4);
        whole = f.stories[0];
        null_engine_tell(&whole, &f.params[0], NULL_TRAIN);
        flight_ask(&f, 0);
        for (uint32_t i = 0; i < k && step_at(&f, 0, 0); i++)
            ;
        lli_timeline_cancel(f.t[0]);
        while (step_at(&f, 0, 0))
            ;
        uint32_t n = f.t[0]->n_tokens;
        assert_true(n <= whole.n);
        assert_memory_equal(f.t[0]->tokens, whole.tokens, n * sizeof *whole.tokens);
        f.stories[0].n = n;
        f.stories[0].n_said = n;
        memcpy(f.stories[0].tokens, whole.tokens, n * sizeof *whole.tokens);
        f.params[0].max_tokens = 20;
        flight_ask(&f, 0);
        run();
        flight_close(&f);
    }
}

static uint8_t saved[65536];
static size_t n_saved;

static int32_t take(void *user, const void *bytes, size_t n, struct llminf_error *err)
{
    (void)user;
    (void)err;
    memcpy(saved + n_saved, bytes, n);
    n_saved += n;
    return LLMINF_OK;
}

/* 55: saved between guesses, gone on elsewhere, with another draft model. */
static void test_snapshots(void **state)
{
    static const struct lli_snapshot_sink sink = {.write = take};
    (void)state;
    for (uint32_t n = 10; n < 60; n += 7) {
        open_flight(MANY, 20);
        put(n, n, 30, 5);
        flight_ask(&f, 0);
        run();
        n_saved = 0;
        assert_int_equal(lli_snapshot_write(f.t[0], &sink, NULL), LLMINF_OK);
        flight_init(&g, MANY);
        null_engine_draft(&g.e, MANY, n);
        engine_open(&g.e);
        assert_int_equal(lli_snapshot_read(&g.t[0], g.e.engine, saved, n_saved, NULL, NULL), LLMINF_OK);
        g.n = 1;
        g.stories[0] = f.stories[0];
        g.params[0] = f.params[0];
        flight_ask(&g, 0);
        while (step_at(&g, 0, 0))
            ;
        flight_expect(&g, 0);
        flight_close(&g);
        flight_ask(&f, 0);
        run();
        flight_close(&f);
    }
}

/* ---- how many ---------------------------------------------------------------------------------------------------- */

/* Tokens of a step in its time, for n guesses in a row that are right with a chance of a. */
static double worth(double a, uint32_t n, double own_ns, double slope)
{
    double tokens = 1, chance = 1;
    for (uint32_t i = 0; i < n; i++)
        tokens += chance *= a;
    return tokens / (1000 + n * (own_ns + slope)) * (n == 0 ? 1.02 : 1);
}

/* gamma maximises E / T over the times that were measured, here those of lines; tries where it is 0. */
static void test_depth(void **state)
{
    static const float chances[] = {0.3f, 0.5f, 0.8f, 0.95f};
    static const double own[] = {1, 50, 100, 300, 900, 2000}, slopes[] = {0, 20, 200};
    (void)state;
    open_flight(MANY, 0);
    put(10, 1, 4000, 16);
    f.t[0]->max_length = 5000;
    f.params[0].max_tokens = 200;
    flight_ask(&f, 0);
    step_at(&f, 0, 0);
    for (size_t c = 0; c < 4; c++)
        for (size_t o = 0; o < 6; o++)
            for (size_t s = 0; s < 3; s++) {
                struct lli_engine *engine = f.e.engine;
                float a = engine->running.first->draft.accepted = chances[c];
                uint32_t best = 0, reach = 0;
                for (float chance = a; reach < 16 && chance >= 0.1f; chance *= a)
                    reach++;
                for (uint32_t n = 1; n <= reach; n++)
                    if (worth((double)a, n, own[o], slopes[s]) > worth((double)a, best, own[o], slopes[s]))
                        best = n;
                engine->drafter->own = pace(own[o]);
                /* 1000 at one row: rows 1 and 5 with the slope between them */
                engine->drafter->step = (struct lli_pace){2, 6, 2000 + 4 * slopes[s], 26, 6000 + 20 * slopes[s]};
                engine->drafter->n_alike = 0;
                engine->drafter->is_worth = best > 0;
                engine->batch.rides[0].first = f.t[0]->n_tokens - 1; /* as if that were its row */
                engine->batch.rides[0].n_rows = engine->batch.n_rows = 1;
                assert_int_equal(lli_drafter_begin(engine, 100), best);
                for (uint32_t i = 2; i < 200; i++) { /* the other way at times */
                    int is_try = i == 2 || i == 4 || i == 8 || i == 16 || i == 32 || i % 64 == 0;
                    assert_int_equal(lli_drafter_begin(engine, 100), is_try ? best == 0 : best);
                }
            }
    lli_timeline_cancel(f.t[0]);
    flight_step(&f);
    flight_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samplers),    cmocka_unit_test(test_right),     cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_filter),      cmocka_unit_test(test_stops),     cmocka_unit_test(test_reading),
        cmocka_unit_test(test_small_pools), cmocka_unit_test(test_prefixes),  cmocka_unit_test(test_preemption),
        cmocka_unit_test(test_pauses),      cmocka_unit_test(test_trim),      cmocka_unit_test(test_failures),
        cmocka_unit_test(test_numeric),     cmocka_unit_test(test_memory),    cmocka_unit_test(test_budget),
        cmocka_unit_test(test_cancel),      cmocka_unit_test(test_snapshots), cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
