/* Fewer blocks than all would need at once: who gives way, who is let in, and that nothing is computed twice without need. The
 * numbers in comments are those of the oracles in the design of the engine; flight_step holds every plan against 25, 27, 28, 30
 * and 59 besides. */
#include "engine/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/stop.h"
#include "llminf/status.h"
#include "support/flight.h"

enum { B = LLI_BLOCK_TOKENS };

static struct flight f;
static uint64_t seed;
static int n_schedules = 10000;

static uint32_t below(uint32_t n)
{
    return (uint32_t)(support_random(&seed) % n);
}

/* ---- 29: schedules ----------------------------------------------------------------------------------------------- */

/* What became of each session's positions, told from tables and plans alone. */
static struct {
    uint32_t before[FLIGHT_MAX], reached[FLIGHT_MAX];
    int64_t lost, found, again, first; /* positions: released; found again, computed again, computed first */
    int64_t n_idle;                    /* rows that stored nothing */
} account;

/* The first position that the step stored for a session. */
static uint32_t first_stored(uint32_t i)
{
    const struct lli_engine *engine = f.e.engine;
    const struct lli_timeline *t = f.t[i];
    if (t->last_step != engine->batch.plan.number || t->table.n_computed == 0)
        return t->table.n_computed;
    const struct lli_row *row = &engine->batch.plan.rows[engine->batch.plan.seqs[t->ride].first_row];
    return row->pos + (row->flags & LLI_ROW_NO_STORE ? 1 : 0);
}

static void note(uint32_t i)
{
    uint32_t before = account.before[i], after = f.t[i]->table.n_computed, from = first_stored(i),
             *reached = &account.reached[i];
    uint32_t known = from < *reached ? from : *reached, made_again = after < *reached ? after : *reached;
    if (from < before)
        account.lost += before - from;
    else
        account.found += known > before ? known - before : 0;
    account.again += made_again > from ? made_again - from : 0;
    account.first += after > (from > *reached ? from : *reached) ? after - (from > *reached ? from : *reached) : 0;
    *reached = after > *reached ? after : *reached;
}

static int account_step(void)
{
    for (uint32_t i = 0; i < f.n; i++)
        account.before[i] = f.t[i]->table.n_computed;
    int ran = flight_step(&f);
    for (uint32_t i = 0; ran && i < f.n; i++)
        note(i);
    const struct lli_plan *plan = &f.e.engine->batch.plan;
    for (uint32_t i = 0; ran && i < plan->n_rows; i++)
        account.n_idle += (plan->rows[i].flags & LLI_ROW_NO_STORE) != 0;
    return ran;
}

/* Some sessions, some of which begin alike; blocks for six tenths of them all, or as many as the largest needs. */
static void fill(void)
{
    static const int modes[] = {LLI_BATCHING_INFLIGHT, LLI_BATCHING_INFLIGHT, LLI_BATCHING_INFLIGHT, LLI_BATCHING_CONTINUOUS};
    uint32_t n = 4 + below(6), lengths[10], more[10], demand = 0, largest = 0;
    for (uint32_t i = 0; i < n; i++) {
        lengths[i] = 1 + below(50);
        more[i] = 1 + below(30);
        uint32_t footprint = lli_table_blocks(lengths[i] + more[i]);
        demand += footprint;
        largest = footprint > largest ? footprint : largest;
    }
    demand = demand * 6 / 10;
    flight_init(&f, 1 + (demand > largest ? demand : largest));
    f.e.options.batching = modes[below(4)];
    f.e.options.step_tokens = 16 + below(60);
    f.e.options.max_running = 2 + below(10);
    f.e.options.admit_reserve = below(2) / 4.0;
    f.e.options.bypass_limit = below(4);
    f.e.options.age_steps = below(3) * 8;
    f.e.options.no_prefix_cache = below(8) == 0;
    engine_open(&f.e);
    for (uint32_t i = 0; i < n; i++) {
        flight_put(&f, lengths[i], below(2) * below(40), 1 + i, more[i]);
        f.params[i].priority = (int)below(3);
    }
}

static void test_schedules(void **state)
{
    int64_t preemptions = 0, again = 0;
    (void)state;
    for (int k = 0; k < n_schedules; k++) {
        uint32_t n_asked = 0;
        seed = (uint64_t)k;
        fill();
        memset(&account, 0, sizeof account);
        do {
            while (n_asked < f.n && below(3) > 0)
                flight_ask(&f, n_asked++);
        } while (account_step() || n_asked < f.n);
        struct lli_engine_stats s = engine_stats(&f.e);
        int64_t missing = 0;
        for (uint32_t i = 0; i < f.n; i++) {
            flight_expect(&f, i);
            missing += account.reached[i] - f.t[i]->table.n_computed;
        }
        assert_int_equal(account.again, account.lost - account.found - missing);
        assert_int_equal(s.recomputed_tokens, account.again);
        assert_int_equal(null_forward_rows(), account.first + account.again + account.n_idle);
        preemptions += s.preemptions;
        again += account.again;
        flight_close(&f);
    }
    assert_true(preemptions > n_schedules / 2 && again > n_schedules);
}

/* 28: the least pool that each fits alone: every request ends. */
static void test_least_pool(void **state)
{
    (void)state;
    for (uint32_t longest = 20; longest <= 120; longest += 4)
        for (int mode = LLI_BATCHING_STATIC; mode <= LLI_BATCHING_INFLIGHT; mode++) {
            flight_init(&f, 1 + lli_table_blocks(longest));
            f.e.options.batching = mode;
            f.e.options.admit_reserve = 0;
            engine_open(&f.e);
            for (uint32_t i = 0; i < 10; i++)
                flight_add(&f, 1 + (longest - 12) * (i % 3) / 2, 0, i, 5 + i % 3 * 3);
            flight_add(&f, longest - 10, 0, 20, 10);
            flight_run(&f);
            flight_close(&f);
        }
}

/* ---- 27: out of a plan in the making ----------------------------------------------------------------------------- */

/* A decode of low priority has its row when a prompt that goes before it lacks blocks: it leaves, and its row is another's. */
static void test_leaves_plan(void **state)
{
    int n_left = 0;
    (void)state;
    for (uint32_t extra = 0; extra < 64; extra++) {
        flight_init(&f, 1 + 128 / B);
        f.e.options.admit_reserve = 0;
        f.e.options.step_tokens = 33;
        engine_open(&f.e);
        flight_put(&f, 92, 0, 1, 2);
        flight_put(&f, 16 + extra % 16, 0, 2, 48);
        flight_put(&f, 3, 0, 3, 1);
        f.params[0].priority = 2;
        f.params[1].priority = 1;
        flight_ask(&f, 1);
        flight_step(&f);
        for (uint32_t i = 0; i < extra / 4; i++)
            flight_step(&f);
        flight_ask(&f, 0);
        flight_step(&f);
        flight_ask(&f, 2); /* would fit, and is not let in by that plan */
        for (int more = 1; more;) {
            uint32_t last = f.t[1]->table.n_computed, n_preempted = f.t[1]->request.n_preempted;
            more = flight_step(&f);
            if (f.t[1]->request.n_preempted == n_preempted)
                continue;
            const struct lli_batch *batch = &f.e.engine->batch;
            assert_true(last > 0);
            assert_int_equal(f.t[1]->table.n, 0);
            assert_int_equal(f.t[1]->in_flight, 0);
            assert_int_equal(batch->n_rides, 1);
            assert_ptr_equal(batch->rides[0].timeline, f.t[0]);
            n_left++;
        }
        flight_run(&f);
        flight_close(&f);
    }
    assert_true(n_left > 0);
}

/* ---- 3: exact fit ------------------------------------------------------------------------------------------------ */

/* Beside a pinned session: what is free and cached is enough for a request, and one block more is not. */
static void test_exact_fit(void **state)
{
    enum { N_BLOCKS = 9, PINNED = 3 };
    (void)state;
    for (int cached = 0; cached < 2; cached++)
        for (uint32_t too_much = 0; too_much < 2; too_much++) {
            struct lli_request_params params = null_engine_params();
            struct lli_timeline *pinned;
            struct llminf_error err;
            int32_t tokens[PINNED * B];
            flight_init(&f, 1 + N_BLOCKS);
            engine_open(&f.e);
            if (cached) { /* blocks of one that is gone */
                flight_add(&f, N_BLOCKS * B, 0, 1, 0);
                flight_run(&f);
                lli_timeline_close(f.t[0]);
                f.t[0] = NULL;
                assert_int_equal(engine_stats(&f.e).kv_blocks_cached, N_BLOCKS);
            }
            null_engine_words(tokens, PINNED * B, 7);
            assert_int_equal(lli_timeline_open(&pinned, f.e.engine, &(struct lli_timeline_options){.is_pinned = 1}, NULL), 0);
            assert_int_equal(lli_timeline_append(pinned, tokens, PINNED * B, NULL), LLMINF_OK);
            params.max_tokens = 0;
            story_generate(pinned, &params);
            while (flight_step(&f))
                ;
            uint32_t i = flight_put(&f, (N_BLOCKS - PINNED) * B - 1 + too_much, 0, 2, 1);
            int32_t status = lli_timeline_generate(f.t[i], &f.params[i], &err);
            assert_int_equal(status, too_much ? LLMINF_E_FULL : LLMINF_OK);
            if (too_much) { /* 37: both numbers */
                assert_non_null(strstr(err.text, "needs up to 7 blocks beside 3 pinned"));
                assert_non_null(strstr(err.text, "the pool has 9"));
                lli_timeline_close(f.t[i]);
                f.t[i] = NULL;
            }
            flight_run(&f);
            assert_int_equal(engine_stats(&f.e).preemptions, 0);
            assert_int_equal(pinned->table.n, PINNED);
            lli_timeline_close(pinned);
            flight_close(&f);
        }
}

/* ---- 32: ageing -------------------------------------------------------------------------------------------------- */

/* One after the other runs; every other step brings one that goes `levels` before the first: none that comes more than
 * levels * AGE steps later passes it. */
static void test_ageing(void **state)
{
    enum { AGE = 3 };
    (void)state;
    for (int levels = 0; levels < 5; levels++) {
        uint64_t came[FLIGHT_MAX], low_ran = 0;
        flight_init(&f, 200 * 16 / B);
        f.e.options.max_running = 1;
        f.e.options.age_steps = AGE;
        engine_open(&f.e);
        flight_add(&f, 4, 0, 0, 8);
        flight_step(&f);
        flight_add(&f, 4, 0, 1, 1);
        came[1] = f.e.engine->batch.plan.number;
        while (low_ran == 0) {
            if (f.n < FLIGHT_MAX) {
                uint32_t i = flight_put(&f, 4, 0, f.n, 3);
                f.params[i].priority = levels;
                came[i] = f.e.engine->batch.plan.number;
                flight_ask(&f, i);
            }
            flight_step(&f);
            flight_step(&f);
            low_ran = f.t[1]->last_step;
        }
        uint32_t n_passed = 0;
        for (uint32_t i = 2; i < f.n; i++) {
            int passed = f.t[i]->last_step > 0 && f.t[i]->last_step < low_ran;
            n_passed += (uint32_t)passed;
            assert_true(!passed || came[i] - came[1] <= (uint64_t)levels * AGE);
        }
        assert_true(levels == 0 ? n_passed == 0 : n_passed > 0);
        flight_run(&f);
        flight_close(&f);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedules), cmocka_unit_test(test_least_pool), cmocka_unit_test(test_leaves_plan),
        cmocka_unit_test(test_exact_fit), cmocka_unit_test(test_ageing),
    };
    if (argc == 2)
        n_schedules = atoi(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
