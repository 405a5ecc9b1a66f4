/* Models whose layers see a window, over a forward without arithmetic: what is behind the window is given back, and every
 * session tells what it would tell alone. The numbers in comments are those of the oracles in the design of the engine. */
#include "engine/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "llminf/status.h"
#include "support/flight.h"

enum { B = LLI_BLOCK_TOKENS, POOL = 400 * 16 / B, LONG = 200 };

static const struct {
    uint32_t n_global, n_local, window;
} models[] = {{1, 1, 2 * B}, {2, 7, B + 3}, {0, 1, 2 * B - 1}, {1, 5, 2}, {0, 3, 4 * B}, {4, 4, B}};

enum { N_MODELS = sizeof models / sizeof *models };

static struct flight f;

static void open_model(uint32_t model, uint32_t n_blocks)
{
    flight_init(&f, n_blocks);
    null_engine_window(&f.e.config, models[model].n_global, models[model].n_local, models[model].window);
    engine_open(&f.e);
}

static struct lli_timeline_stats stats_of(uint32_t i)
{
    struct lli_timeline_stats stats;
    lli_timeline_stats(f.t[i], &stats);
    return stats;
}

static const struct lli_pool *pool(void)
{
    return &f.e.engine->pool;
}

/* ---- what is held ------------------------------------------------------------------------------------------------ */

static void check_held(const struct lli_timeline *t, uint32_t n_rows)
{
    for (uint32_t g = 0; g < pool()->n_groups; g++) {
        uint32_t window = pool()->windows[g], held = t->table.n - t->table.n_dropped[g];
        if (window > 0 && held > lli_table_blocks(window) + 1 + lli_table_blocks(n_rows))
            fail_msg("window of %u: %u blocks are held", window, held);
    }
}

/* 20: in every step a window holds what it sees, one more, and the rows of the step; so one session needs no more than its
 * footprint, which does not grow with its length. */
static void test_held(void **state)
{
    (void)state;
    for (uint32_t model = 0; model < N_MODELS; model++)
        for (uint32_t n = 1; n < LONG; n += n < 3 * B ? 1 : 37) {
            open_model(model, POOL);
            assert_int_equal(pool()->windows[pool()->n_groups - 1], models[model].window);
            flight_add(&f, n, 0, n, LONG - n);
            while (flight_step(&f))
                check_held(f.t[0], 0);
            flight_expect(&f, 0);
            uint32_t n_blocks = 1 + lli_timeline_footprint(f.e.engine, LONG);
            flight_close(&f);
            open_model(model, n_blocks);
            flight_add(&f, n, 0, n, LONG - n);
            flight_run(&f);
            assert_int_equal(engine_stats(&f.e).preemptions, 0);
            flight_close(&f);
        }
}

/* The last step's rows beside what was held before: seen from within. */
static void test_held_in_steps(void **state)
{
    (void)state;
    for (uint32_t chunk = 33; chunk < 100; chunk += 13) {
        flight_init(&f, POOL);
        null_engine_window(&f.e.config, 0, 3, 2 * B + 5);
        f.e.options.step_tokens = chunk;
        f.e.options.max_running = 1;
        engine_open(&f.e);
        uint32_t free = pool()->n_free;
        flight_add(&f, LONG, 0, 1, 3);
        while (flight_step(&f)) /* what was taken and given back is cached */
            assert_true(pool()->n_blocks - 1 - lli_pool_available(pool()) <= lli_table_blocks(2 * B + 5) + 1);
        flight_expect(&f, 0);
        assert_true(free - pool()->n_free >= LONG / B);
        flight_close(&f);
    }
}

/* ---- prefixes ---------------------------------------------------------------------------------------------------- */

/* 10: a full hit takes one row and no block, at every length and so at the edge of the window. 11: another end costs a copy for
 * each group. */
static void test_warm(void **state)
{
    enum { N = 6 * B };
    (void)state;
    for (uint32_t model = 0; model < N_MODELS; model++)
        for (uint32_t n = 1; n <= N; n++) {
            open_model(model, POOL);
            flight_add(&f, n, n, 0, 0);
            flight_run(&f);
            int64_t rows = null_forward_rows();
            uint32_t available = lli_pool_available(pool());
            flight_add(&f, n, n, 0, 0);
            flight_run(&f);
            assert_int_equal(stats_of(1).cached, n);
            assert_int_equal(null_forward_rows() - rows, 1);
            assert_int_equal(lli_pool_available(pool()), available);
            int64_t copied = engine_stats(&f.e).copied_blocks;
            f.params[1].max_tokens = 2;
            flight_ask(&f, 1);
            flight_run(&f);
            assert_int_equal(engine_stats(&f.e).copied_blocks - copied, n % B == 0 ? 0 : pool()->n_groups);
            flight_close(&f);
        }
}

/* Rows of a known prompt that are computed for their logits see what is behind the window of its end: so they are not taken
 * from there. */
static void test_asked_again(void **state)
{
    (void)state;
    for (uint32_t model = 0; model < N_MODELS; model++)
        for (int what = 0; what < 3; what++) {
            open_model(model, POOL);
            flight_add(&f, 8 * B, 8 * B, 0, 0);
            flight_run(&f);
            flight_put(&f, 8 * B, 8 * B, 0, 1);
            if (what == 2) { /* as from a file: it has all computed and said nothing */
                f.params[1].max_tokens = 0;
                flight_ask(&f, 1);
                flight_run(&f);
                f.t[1]->n_said = f.stories[1].n_said = 0;
            }
            f.params[1].max_tokens = 4;
            f.params[1].logits = what == 0 ? LLI_LOGITS_ALL : LLI_LOGITS_OFF;
            f.params[1].prompt_logprobs = what == 0 ? -1 : 0;
            flight_ask(&f, 1);
            flight_run(&f);
            float want[NULL_VOCAB], got[NULL_VOCAB];
            size_t n;
            for (uint32_t pos = 0; what == 0 && pos + 1 < f.stories[1].n; pos++) {
                null_forward_oracle(want, NULL_VOCAB, f.stories[1].tokens, pos + 1);
                assert_int_equal(lli_timeline_logits(f.t[1], pos, got, NULL_VOCAB, &n, NULL), LLMINF_OK);
                assert_memory_equal(got, want, sizeof want);
            }
            struct lli_logprob scores[2];
            if (what > 0)
                assert_int_equal(lli_timeline_logprobs(f.t[1], 1, scores, 2, &n, NULL), LLMINF_OK);
            flight_close(&f);
        }
}

/* ---- forks and cuts ---------------------------------------------------------------------------------------------- */

/* 17: a fork costs one copy for each group, and none at the end of a block. */
static void test_forks(void **state)
{
    (void)state;
    for (uint32_t model = 0; model < N_MODELS; model++)
        for (uint32_t length = 4 * B - 1; length <= 4 * B + 1; length++) {
            open_model(model, POOL);
            flight_add(&f, length, 0, 1, 0);
            flight_run(&f);
            int64_t before = engine_stats(&f.e).copied_blocks;
            for (uint32_t i = 1; i < 4; i++) {
                assert_int_equal(lli_timeline_fork(&f.t[i], f.t[0], NULL), LLMINF_OK);
                f.stories[i] = f.stories[0];
                f.n++;
            }
            for (uint32_t i = 0; i < 4; i++) {
                f.params[i] = f.params[0];
                f.params[i].max_tokens = 3 * B + i;
                f.params[i].sampler.temperature = 1;
                f.params[i].sampler.seed = i;
                flight_ask(&f, i);
            }
            flight_run(&f);
            assert_int_equal(engine_stats(&f.e).copied_blocks - before, length % B == 0 ? 0 : 3 * pool()->n_groups);
            flight_close(&f);
        }
}

/* 21: cut to any length and gone on, beside a fork that keeps what was: as alone. What a window has dropped is computed again
 * from the longest hit: all of it is still cached, so there is one row of the prompt and those that are new. */
static void test_cuts(void **state)
{
    enum { PROMPT = 5 * B + 3, ALL = 7 * B + 5 };
    (void)state;
    for (uint32_t model = 0; model < N_MODELS; model++)
        for (uint32_t keep = 1; keep < ALL; keep++) {
            open_model(model, POOL);
            flight_add(&f, PROMPT, 0, 1, ALL - PROMPT);
            flight_run(&f);
            assert_int_equal(lli_timeline_fork(&f.t[1], f.t[0], NULL), LLMINF_OK);
            f.stories[1] = f.stories[0];
            f.params[1] = f.params[0];
            f.n = 2;
            assert_int_equal(lli_timeline_truncate(f.t[0], keep, NULL), LLMINF_OK);
            f.stories[0].n = f.stories[0].n_said = keep;
            int64_t rows = null_forward_rows(), more = 3;
            f.params[0].sampler.temperature = 1;
            f.params[0].max_tokens = more;
            flight_ask(&f, 0);
            while (flight_step(&f))
                ;
            uint32_t known = keep / B * B;
            assert_true(null_forward_rows() - rows <= keep - known + more);
            flight_ask(&f, 1);
            flight_run(&f);
            flight_close(&f);
        }
}

/* 21: the same where nothing is cached any more: all is computed again. */
static void test_cut_without_cache(void **state)
{
    (void)state;
    for (uint32_t model = 0; model < N_MODELS; model++) {
        uint32_t keep = 6 * B + 1;
        open_model(model, POOL);
        flight_add(&f, 8 * B, 0, 1, 8 * B);
        flight_run(&f);
        assert_int_equal(lli_timeline_truncate(f.t[0], keep, NULL), LLMINF_OK);
        assert_true(stats_of(0).computed == 0 && stats_of(0).blocks == 0);
        lli_engine_trim(f.e.engine, 0);
        f.stories[0].n = f.stories[0].n_said = keep;
        int64_t rows = null_forward_rows();
        f.params[0].max_tokens = 1;
        flight_ask(&f, 0);
        flight_run(&f);
        assert_int_equal(null_forward_rows() - rows, keep);
        flight_close(&f);
    }
}

/* ---- few blocks -------------------------------------------------------------------------------------------------- */

/* 28, 29, 31: pools from the largest footprint on; who was preempted comes back; with a reserve of 1 nobody is. */
static void test_preemption(void **state)
{
    int64_t preempted = 0, recycled = 0;
    (void)state;
    for (uint32_t model = 0; model < N_MODELS; model++)
        for (uint32_t more = 0; more < 4; more++)
            for (int reserve = 0; reserve < 2; reserve++) {
                open_model(model, POOL);
                uint32_t n_blocks = 1 + lli_timeline_footprint(f.e.engine, 240) * (4 + more * more) / 4;
                flight_close(&f);
                flight_init(&f, n_blocks);
                null_engine_window(&f.e.config, models[model].n_global, models[model].n_local, models[model].window);
                f.e.options.admit_reserve = reserve;
                engine_open(&f.e);
                for (uint32_t i = 0; i < 12; i++)
                    flight_add(&f, 20 + 4 * i, i % 3 * 10, i, 150 + i);
                flight_run(&f);
                struct lli_engine_stats s = engine_stats(&f.e);
                if (reserve)
                    assert_int_equal(s.preemptions, 0);
                preempted += s.preemptions;
                recycled += s.recycled;
                flight_close(&f);
            }
    assert_true(preempted > 0 && recycled > 0);
}

/* 37: a pool that holds no block of each group, and one that holds the shortest timeline only. */
static void test_too_small(void **state)
{
    struct llminf_error err;
    (void)state;
    for (int more = 0; more < 2; more++) {
        flight_init(&f, 6 + (uint32_t)more); /* 6 groups and the null block */
        null_engine_window(&f.e.config, 1, 5, 2);
        int32_t status = null_engine_open(&f.e, &err);
        assert_int_equal(status, more ? LLMINF_OK : LLMINF_E_OPTION);
        if (!more)
            continue;
        struct lli_timeline *t = engine_timeline(&f.e);
        assert_int_equal(f.e.engine->max_length, B);
        assert_int_equal(lli_timeline_append(t, (int32_t[]){7, 8}, 2, NULL), LLMINF_OK);
        lli_timeline_close(t);
        flight_close(&f);
    }
}

/* 45: a step allocates nothing. */
static void test_no_malloc(void **state)
{
    (void)state;
    for (uint32_t model = 0; model < N_MODELS; model++) {
        open_model(model, POOL / 8);
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
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_held_in_steps),
        cmocka_unit_test(test_warm),
        cmocka_unit_test(test_asked_again),
        cmocka_unit_test(test_forks),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_cut_without_cache),
        cmocka_unit_test(test_preemption),
        cmocka_unit_test(test_too_small),
        cmocka_unit_test(test_no_malloc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
