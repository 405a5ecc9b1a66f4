/* Steps that are to last no longer than a target: how it bounds the rows of prompts, and how the engine learns what a step
 * costs. Time is made here: a forward without arithmetic has none. Numbers in comments: the oracles of the engine's design. */
#include "engine/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "engine/calibrate.h"
#include "llminf/status.h"
#include "support/flight.h"

static struct flight f;

/* A row takes 1 ns, a sequence 0.25, and every 64 positions that a row sees 1 more. */
static const struct lli_cost row_cost = {.body_flops = 64, .attention_flops = 1};
static const struct lli_rates row_rates = {.bytes = 1, .flops = 64e9, .attention_flops = 64e9, .seq_ns = 0.25};

static void open_flight(int64_t target_ns, int mode)
{
    flight_init(&f, 300 * 16 / LLI_BLOCK_TOKENS);
    f.e.options.step_tokens = 64;
    f.e.options.max_running = 12;
    f.e.options.step_target_ns = target_ns;
    f.e.options.cost = row_cost;
    f.e.options.rates = &row_rates;
    f.e.options.batching = mode;
    engine_open(&f.e);
}

/* What the step that just ran had. */
struct step {
    uint32_t n_decodes, n_prompts, n_prompt_rows;
};

static struct step last_step(void)
{
    const struct lli_batch *batch = &f.e.engine->batch;
    struct step step = {0};
    for (uint32_t i = 0; i < batch->n_rides; i++) {
        const struct lli_ride *ride = &batch->rides[i];
        int is_prompt = ride->first + 1 < ride->timeline->request.n_prompt;
        step.n_decodes += !is_prompt;
        step.n_prompts += is_prompt;
        step.n_prompt_rows += is_prompt ? ride->n_rows : 0;
    }
    return step;
}

/* Sessions that decode, then prompts beside them: no step that decodes lasts longer, unless for one row of one prompt; there is
 * always that one while a prompt is there, and everybody tells what it would tell alone. */
static void test_bound(void **state)
{
    static const int64_t targets[] = {1, 5, 7, 10, 20, 60, 1000};
    (void)state;
    for (size_t k = 0; k < sizeof targets / sizeof *targets; k++)
        for (int mode = LLI_BATCHING_CONTINUOUS; mode <= LLI_BATCHING_INFLIGHT; mode++) {
            uint32_t most = 0;
            open_flight(targets[k], mode);
            for (uint32_t i = 0; i < 4; i++)
                flight_add(&f, 2 + i, 0, i, 100);
            for (int i = 0; i < 4; i++)
                flight_step(&f);
            for (uint32_t i = 0; i < 3; i++)
                flight_add(&f, 60 + i, 0, 10 + i, 5);
            for (int n = 0; flight_step(&f); n++) {
                struct step step = last_step();
                double ns = f.e.engine->batch.predicted_ns;
                if (step.n_decodes == 0 || step.n_prompts == 0)
                    continue;
                assert_true(mode == LLI_BATCHING_INFLIGHT);
                assert_true(ns <= (double)targets[k] || step.n_prompt_rows == 1);
                most = step.n_prompt_rows > most ? step.n_prompt_rows : most;
            }
            if (mode == LLI_BATCHING_INFLIGHT)
                assert_true(targets[k] < 7 ? most == 1 : most > 1 && most <= targets[k]);
            flight_run(&f);
            flight_close(&f);
        }
}

/* With nobody who decodes the target bounds nothing. */
static void test_alone(void **state)
{
    (void)state;
    open_flight(1, LLI_BATCHING_INFLIGHT);
    flight_add(&f, 128, 0, 1, 2);
    assert_true(flight_step(&f));
    assert_int_equal(last_step().n_prompt_rows, 64);
    flight_run(&f);
    flight_close(&f);
}

/* A prompt moves in every step, whoever is in front of it in the queue decodes or waits. */
static void test_moves(void **state)
{
    (void)state;
    open_flight(1, LLI_BATCHING_INFLIGHT);
    for (uint32_t i = 0; i < 3; i++)
        flight_add(&f, 1, 0, i, 200);
    flight_step(&f);
    flight_add(&f, 90, 0, 7, 1);
    uint32_t other = flight_add(&f, 40, 0, 8, 1);
    for (uint32_t n = 0; n < 89; n++) { /* its last row counts as one that decodes */
        assert_true(flight_step(&f));
        assert_int_equal(last_step().n_prompt_rows, 1);
        assert_int_equal(f.t[other]->table.n_computed, 0);
    }
    flight_run(&f);
    flight_close(&f);
}

static uint64_t run_hashed(int64_t target_ns)
{
    uint64_t hash = 0;
    open_flight(target_ns, LLI_BATCHING_INFLIGHT);
    for (uint32_t i = 0; i < 12; i++)
        flight_add(&f, 1 + i * 37 % 90, i * 23 % 60, i / 2, 10 + i);
    while (flight_step(&f))
        hash = lli_hash(f.e.engine->batch.plan.rows, f.e.engine->batch.plan.n_rows * sizeof(struct lli_row), hash);
    flight_close(&f);
    return hash;
}

/* 34: at fixed rates the same calls give the same plans; a target that nothing reaches changes none. */
static void test_same_plans(void **state)
{
    (void)state;
    assert_true(run_hashed(12) == run_hashed(12));
    assert_true(run_hashed(0) == run_hashed(1000000));
    assert_true(run_hashed(0) != run_hashed(12));
}

/* 60: what is foreseen is the formula at the rates as they are, exactly; the sum is a number of the context. */
static void test_prediction(void **state)
{
    double sum = 0;
    (void)state;
    flight_init(&f, 300 * 16 / LLI_BLOCK_TOKENS);
    f.e.options.cost = (struct lli_cost){
        .body_flops = 3, .head_flops = 5, .attention_flops = 0.25, .weights = {.layers = 30, .head = 20}, .kv_bytes = 2};
    engine_open(&f.e);
    for (uint32_t i = 0; i < 10; i++)
        flight_add(&f, 1 + 9 * i, 0, i, 10 + i);
    for (int n = 0;; n++) {
        const struct lli_engine *engine = f.e.engine;
        struct lli_rates rates = engine->calibration.rates;
        struct lli_load load = {0};
        if (!flight_step(&f))
            break;
        for (uint32_t i = 0; i < engine->batch.plan.n_seqs; i++) {
            const struct lli_seq *seq = &engine->batch.plan.seqs[i];
            const struct lli_row *row = &engine->batch.plan.rows[seq->first_row];
            load.seqs++;
            load.positions += row[seq->n_rows - 1].pos + 1;
            for (uint32_t k = 0; k < seq->n_rows; k++) {
                load.rows++;
                load.logits += row[k].flags & LLI_ROW_LOGITS;
                load.contexts += row[k].pos + 1;
            }
        }
        double want = n == 0 ? 0 : lli_cost_step_ns(&engine->calibration.cost, &rates, &load);
        assert_true(engine->batch.predicted_ns == want);
        sum += (double)(int64_t)want;
    }
    assert_true(engine_stats(&f.e).predicted_ns == (int64_t)sum && sum > 0);
    flight_close(&f);
}

/* ---- learning ---------------------------------------------------------------------------------------------------- */

/* A machine of its own, as of a model of 1.2e9 parameters on two cores. */
static const struct lli_cost big = {.body_flops = 2.2e9,
                                    .head_flops = 1.3e8,
                                    .attention_flops = 1.8e5,
                                    .weights = {.layers = 6e8, .head = 4e7},
                                    .kv_bytes = 45000};
static const struct lli_rates truth = {.bytes = 35e9, .flops = 1.2e12, .attention_flops = 2e11};

static uint64_t seed;

/* The step as it lasts there, 3 % more or less; now and then something holds it up. */
static double run_step(struct lli_calibration *c, const struct lli_rates *machine, const struct lli_load *load)
{
    double ns = lli_cost_step_ns(&c->cost, machine, load);
    double noisy = ns * (1 + 0.03 * (double)support_random_float(&seed)) * (support_random(&seed) % 50 == 0 ? 5 : 1);
    lli_calibrate_learn(c, load, (int64_t)noisy);
    return ns;
}

static struct lli_load decodes(double n, double context)
{
    return (struct lli_load){.rows = n, .seqs = n, .logits = n, .contexts = n * context, .positions = n * context};
}

/* The prompt's steps beside n decodes under a target. How many lasted more than 15 % longer; *rows_out: all of its rows. */
static uint32_t read_prompt(double *rows_out, struct lli_calibration *c, const struct lli_rates *machine, double n,
                            int64_t target)
{
    uint32_t n_late = 0;
    *rows_out = 0;
    for (uint32_t i = 0, first = 0; i < 300; i++) {
        struct lli_load load = decodes(n, 200 + i);
        uint32_t rows = lli_calibrate_rows(c, &load, first, 512, target);
        rows = rows > 0 ? rows : 1;
        lli_load_add(&load, first, rows, 0);
        first += rows;
        *rows_out += rows;
        n_late += run_step(c, machine, &load) > 1.15 * (double)target;
    }
    return n_late;
}

/* What a scheduler that knows the machine would have given. */
static double best_rows(const struct lli_calibration *c, const struct lli_rates *machine, double n, int64_t target)
{
    double rows = 0;
    for (uint32_t i = 0; i < 300; i++) {
        struct lli_load load = decodes(n, 200 + i);
        double more = lli_cost_rows(&c->cost, machine, &load, rows, 512, (double)target);
        rows += more > 1 ? more : 1;
    }
    return rows;
}

/* From nothing: after some decodes steps stay under the target but for some, and prompts get nearly what they could. */
static void test_learning(void **state)
{
    static const double sessions[] = {1, 2, 8, 16};
    (void)state;
    for (int i = 0; i < 4; i++)
        for (double slower = 1; slower < 5; slower *= 2) { /* from one machine to another behind it: half as fast */
            struct lli_calibration c;
            struct lli_load load = decodes(sessions[i], 200);
            double rows, best;
            seed = 5;
            lli_calibrate_init(&c, &big, NULL);
            assert_true(lli_calibrate_predict(&c, &load) == 0);
            assert_int_equal(lli_calibrate_rows(&c, &load, 0, 77, 1), 77);
            for (int n = 0; n < 50; n++)
                run_step(&c, &truth, &load);
            struct lli_rates machine = {.bytes = truth.bytes / slower,
                                        .flops = truth.flops / slower,
                                        .attention_flops = truth.attention_flops / slower};
            int64_t target = (int64_t)(1.6 * lli_cost_step_ns(&big, &machine, &load));
            uint32_t n_late = read_prompt(&rows, &c, &machine, sessions[i], target);
            best = best_rows(&c, &machine, sessions[i], target);
            if (n_late > (slower > 1 ? 25 : 12) || rows < 0.8 * best)
                fail_msg("%g sessions, %g x slower: %u late, %g rows of %g", sessions[i], slower, n_late, rows, best);
        }
}

/* Rates stay positive and finite whatever comes. */
static void test_any_load(void **state)
{
    struct lli_calibration c;
    (void)state;
    seed = 9;
    lli_calibrate_init(&c, &big, NULL);
    for (int i = 0; i < 100000; i++) {
        struct lli_load load = {0};
        lli_load_add(&load, (double)(support_random(&seed) % 100000), (double)(1 + support_random(&seed) % 600), 1);
        lli_calibrate_learn(&c, &load, (int64_t)(support_random(&seed) >> (support_random(&seed) % 60)));
        assert_true(c.rates.bytes > 0 && c.rates.bytes < 1e300);
        assert_true(c.rates.flops > 0 && c.rates.flops < 1e300);
        assert_true(c.rates.attention_flops > 0 && c.rates.attention_flops < 1e300);
        for (int k = 0; k < LLI_N_RATES; k++)
            assert_true(c.variance[k] >= 0 && c.variance[k] < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound),      cmocka_unit_test(test_alone),      cmocka_unit_test(test_moves),
        cmocka_unit_test(test_same_plans), cmocka_unit_test(test_prediction), cmocka_unit_test(test_learning),
        cmocka_unit_test(test_any_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
