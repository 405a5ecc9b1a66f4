/* engine/measure.c - see measure.h. Invariant: `measuring` names the question from when it is asked until it is answered, and
 * its memory is the asker's, who waits for that. */
#include "engine/measure.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/mathx.h"
#include "engine/engine.h"
#include "engine/roster.h"
#include "engine/thread.h"

enum { MAX_RUNS = 63, TOKEN_STRIDE = 7919 };

struct lli_measuring {
    struct lli_row rows[LLI_MEASURED_ROWS];
    struct lli_seq seqs[LLI_MEASURED_ROWS];
    uint32_t many; /* rows of the larger step */
    int64_t max_ns;
    int64_t one_ns[MAX_RUNS], many_ns[MAX_RUNS];
    uint32_t n_runs;
    int is_done;
    struct llminf_error failure;
};

/* ---- steps ------------------------------------------------------------------------------------------------------- */

/* As many rows, each at position 0 of a sequence of its own. */
static struct lli_load first_rows(const struct lli_cost *cost, uint32_t n)
{
    struct lli_load load = {.window = cost->window};
    for (uint32_t i = 0; i < n; i++)
        lli_load_add(&load, 0, 1, 1);
    return load;
}

/* Rows of as many sequences, each at position 0, of tokens that differ. */
static int64_t time_step(struct lli_measuring *m, struct lli_engine *engine, uint32_t n)
{
    static const uint32_t null_block = 0;
    struct lli_plan plan = {.n_rows = n, .n_seqs = n, .n_logits = n, .rows = m->rows, .seqs = m->seqs};
    for (uint32_t i = 0; i < n; i++) {
        m->rows[i] = (struct lli_row){(int32_t)(i * TOKEN_STRIDE % engine->config->n_vocab), 0, (uint16_t)i,
                                      LLI_ROW_LOGITS | LLI_ROW_NO_STORE};
        m->seqs[i] = (struct lli_seq){.first_row = i, .n_rows = 1};
        for (uint32_t g = 0; g < LLI_GROUPS_MAX; g++)
            m->seqs[i].blocks[g] = &null_block;
    }
    const struct lli_load load = first_rows(&engine->calibration.cost, n);
    int64_t expected_ns = lli_calibrate_expect(&engine->calibration, &load, 0), start_ns = lli_clock_ns();
    m->failure.status = engine->executor.run(engine->executor.state, &plan, expected_ns, &m->failure);
    return lli_clock_ns() - start_ns;
}

/* In turn, so that a drift of the machine meets both. The first ones only warm up, where there is time. */
static void time_steps(struct lli_measuring *m, struct lli_engine *engine)
{
    int64_t start_ns = lli_clock_ns();
    for (uint32_t i = 0; i < MAX_RUNS; i++) {
        m->one_ns[m->n_runs] = time_step(m, engine, 1);
        m->many_ns[m->n_runs] = time_step(m, engine, m->many);
        int is_over = lli_clock_ns() - start_ns >= m->max_ns || m->failure.status != LLMINF_OK;
        m->n_runs += i > 0 || is_over;
        if (is_over)
            return;
    }
}

int lli_measure_serve(struct lli_engine *engine)
{
    struct lli_measuring *m = engine->measuring;
    if (!m)
        return 0;
    pthread_mutex_unlock(&engine->lock);
    time_steps(m, engine);
    pthread_mutex_lock(&engine->lock);
    m->is_done = 1;
    if (m->failure.status != LLMINF_OK)
        lli_roster_abandon(engine, &m->failure);
    engine->measuring = NULL;
    pthread_cond_broadcast(&engine->landed);
    return 1;
}

/* ---- what they tell ---------------------------------------------------------------------------------------------- */

static double median(int64_t *values, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = i; k > 0 && values[k] < values[k - 1]; k--) {
            int64_t kept = values[k];
            values[k] = values[k - 1];
            values[k - 1] = kept;
        }
    return (double)values[n / 2] > 1 ? (double)values[n / 2] : 1;
}

/* What is left of a time that is not hidden behind `other`. */
static double without(double all, double other)
{
    double part = other / all;
    return part < 0.95 ? all * lli_pow_f64(1 - lli_pow_f64(part, LLI_OVERLAP), 1 / LLI_OVERLAP) : all;
}

/* One row computes too, many rows read: each time tells the other what to leave out, until both stand still. */
void lli_measure_solve(struct lli_rates *out, const struct lli_cost *cost, const struct lli_load *one, double one_ns,
                       const struct lli_load *many, double many_ns)
{
    double reads = lli_cost_step_bytes(cost, many) / lli_cost_step_bytes(cost, one);
    double computes = lli_cost_step_flops(cost, one) / lli_cost_step_flops(cost, many);
    double read_ns = one_ns, computed_ns = many_ns;
    for (int i = 0; i < 4; i++) {
        computed_ns = without(many_ns, read_ns * reads);
        read_ns = without(one_ns, computed_ns * computes);
    }
    *out = (struct lli_rates){.bytes = lli_cost_step_bytes(cost, one) / read_ns * 1e9,
                              .flops = lli_cost_step_flops(cost, many) / computed_ns * 1e9,
                              .overlap = LLI_OVERLAP};
    out->attention_flops = out->flops;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

/* On the engine's thread, and this one waits; or here, where the host runs the steps. */
static int32_t ask(struct lli_measuring *m, struct lli_engine *engine, struct llminf_error *err)
{
    uint32_t nobody = 0;
    int32_t status = LLMINF_OK;
    if (engine->host_driven && !atomic_compare_exchange_strong(&engine->is_stepping, &nobody, 1))
        return lli_fail(err, LLMINF_E_BUSY, "context", "another thread runs its steps");
    pthread_mutex_lock(&engine->lock);
    if (engine->measuring) {
        status = lli_fail(err, LLMINF_E_BUSY, "context", "another thread measures");
    } else {
        engine->measuring = m;
        if (engine->host_driven)
            lli_measure_serve(engine);
        else
            lli_thread_wake(engine);
        while (!m->is_done)
            pthread_cond_wait(&engine->landed, &engine->lock);
    }
    pthread_mutex_unlock(&engine->lock);
    if (engine->host_driven)
        atomic_store(&engine->is_stepping, 0);
    return status;
}

int32_t lli_measure_rates(struct lli_rates *out, struct lli_engine *engine, int64_t max_ns, struct llminf_error *err)
{
    int32_t status = lli_engine_check(engine, err);
    if (status != LLMINF_OK)
        return status;
    struct lli_measuring *m = lli_alloc_zero(engine->heap, 1, sizeof *m);
    if (!m)
        return lli_fail_memory(err, "measuring", sizeof *m);
    uint32_t room = engine->batch.max_rows < engine->batch.max_logits ? engine->batch.max_rows : engine->batch.max_logits;
    m->many = room < LLI_MEASURED_ROWS ? room : LLI_MEASURED_ROWS;
    m->max_ns = max_ns;
    status = ask(m, engine, err);
    if (status == LLMINF_OK && m->failure.status != LLMINF_OK) {
        status = m->failure.status;
        if (err)
            *err = m->failure;
    }
    if (status == LLMINF_OK) {
        const struct lli_cost *cost = &engine->calibration.cost;
        const struct lli_load one = first_rows(cost, 1), many = first_rows(cost, m->many);
        lli_measure_solve(out, cost, &one, median(m->one_ns, m->n_runs), &many, median(m->many_ns, m->n_runs));
    }
    lli_free(engine->heap, m);
    return status;
}
