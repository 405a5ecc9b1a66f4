/* forecast.c - a machine's speed drifts more within minutes than a formula may be wrong. So around every point the rates are
 * found anew, from four steps that are no points: one row, 64 rows, two rows behind a long context, a part of a prompt behind
 * a long one. The formula and its exponent are those of cost/, and the same everywhere. */
#include "forecast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cost/cost.h"
#include "engine/measure.h"
#include "model/figures.h"
#include "steps.h"

enum { TRIES = 4, MANY = 64, DEEP_SEQS = 2, DEEP = 8000, CHUNK = 128, ROUNDS = 3, MAX_RUNS = 64, STEPS = 3, MAX_POINTS = 512 };

#define MOST_DRIFT 0.08
#define UNBOUND 1e18 /* operations a second of what only reads */

struct anchor {
    double one, many, deep, chunk; /* ns */
};

struct forecast {
    const struct options *o;
    struct network *network;
    struct report *report;
    struct lli_cost cost;
    struct anchor before;
    double errors[MAX_POINTS];
    int n_errors, failed;
};

struct network_room forecast_room(const struct options *o, const struct network *network)
{
    size_t block = lli_forward_block_bytes(&network->config, o->kv_type);
    size_t most = o->budget_bytes > 0 ? o->budget_bytes : (size_t)4400 << 20;
    block = block > 0 ? block * network->n_groups : most; /* a file that did not open */
    return (struct network_room){
        .n_blocks = (uint32_t)(most / block),
        .rows = STEPS_CHUNK,
        .logits = MANY,
        .positions = (uint32_t)(most / block) * LLI_PAGE_TOKENS,
        .prefault = 1, /* K and V that were never written would be one page of zeros, in the cache */
    };
}

static int ascending(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, ascending);
    return values[n / 2];
}

/* ---- what is timed ----------------------------------------------------------------------------------------------- */

/* A token of each session at position `pos`; or n positions of the first from there on. ns; what fails is remembered. */
static double time_decode(struct forecast *f, uint32_t n_seqs, uint32_t pos)
{
    struct steps s;
    int status = steps_init(&s, f->network, n_seqs, pos + STEPS);
    int64_t start = lli_clock_ns();
    for (uint32_t i = 0; status == 0 && i < STEPS; i++)
        status = steps_decode(&s, pos + i);
    double ns = (double)(lli_clock_ns() - start) / STEPS;
    steps_finish(&s);
    f->failed |= status < 0;
    return ns;
}

static double time_chunk(struct forecast *f, uint32_t first, uint32_t n)
{
    struct steps s;
    int status = steps_init(&s, f->network, 1, first + n);
    int64_t start = lli_clock_ns();
    if (status == 0)
        status = steps_prompt(&s, first, n);
    double ns = (double)(lli_clock_ns() - start);
    steps_finish(&s);
    f->failed |= status < 0;
    return ns;
}

static struct anchor time_anchors(struct forecast *f, int with_chunk)
{
    double one[ROUNDS], many[ROUNDS], deep[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        one[i] = time_decode(f, 1, 0);
        many[i] = time_decode(f, MANY, 0);
        deep[i] = time_decode(f, DEEP_SEQS, DEEP);
    }
    return (struct anchor){median(one, ROUNDS), median(many, ROUNDS), median(deep, ROUNDS),
                           with_chunk ? time_chunk(f, DEEP, CHUNK) : 0};
}

/* ---- what is foreseen -------------------------------------------------------------------------------------------- */

static struct lli_load decodes(const struct forecast *f, uint32_t n_seqs, uint32_t pos)
{
    struct lli_load load = {.window = f->cost.window};
    for (uint32_t i = 0; i < n_seqs; i++)
        lli_load_add(&load, pos + (STEPS - 1) / 2.0, 1, 1);
    return load;
}

static void solve(struct lli_rates *out, const struct forecast *f, const struct anchor *a)
{
    struct lli_load one = decodes(f, 1, 0), many = decodes(f, MANY, 0), deep = decodes(f, DEEP_SEQS, DEEP),
                    alone = decodes(f, DEEP_SEQS, 0);
    struct lli_load chunk = {.window = f->cost.window}, rows;
    lli_measure_solve(out, &f->cost, &one, a->one, &many, a->many);
    out->attention_flops = UNBOUND;
    double rest = a->deep - lli_cost_step_ns(&f->cost, out, &alone);
    out->kv_bytes = rest > 0 ? lli_cost_attention_bytes(&f->cost, &deep) / rest * 1e9 : out->bytes;
    lli_load_add(&chunk, DEEP, CHUNK, 1);
    rows = chunk;
    rows.contexts = rows.positions = rows.local_contexts = rows.local_positions = 0;
    rest = a->chunk - lli_cost_step_ns(&f->cost, out, &rows);
    out->attention_flops = a->chunk > 0 && rest > 0 ? lli_cost_attention_flops(&f->cost, &chunk) / rest * 1e9 : out->flops;
}

static double change(double a, double b)
{
    return a > b ? a / b - 1 : b / a - 1;
}

/* The rates before and after a point's runs: their mean. How much they differ, or the runs do. */
static double foresee(struct lli_rates *out, struct forecast *f, double *ns, int n, int with_chunk)
{
    struct anchor after = time_anchors(f, with_chunk), *before = &f->before;
    struct anchor mean = {(before->one + after.one) / 2, (before->many + after.many) / 2, (before->deep + after.deep) / 2,
                          (before->chunk + after.chunk) / 2};
    double drift = change(before->one, after.one), other = change(before->many, after.many);
    f->before = after;
    solve(out, f, &mean);
    median(ns, n); /* in order then */
    drift = drift > other ? drift : other;
    return drift > ns[n - 1] / ns[0] - 1 ? drift : ns[n - 1] / ns[0] - 1;
}

/* ---- points ------------------------------------------------------------------------------------------------------ */

static void report_point(struct forecast *f, const char *phase, uint32_t sessions, uint32_t context, double measured,
                         double predicted, const struct lli_rates *rates, const struct lli_load *load, double drift)
{
    struct report *r = f->report;
    double error = predicted / measured - 1;
    report_begin(r, "forecast");
    report_text(r, "phase", phase);
    report_number(r, "sessions", sessions, 0);
    report_number(r, "context", context, 0);
    report_number(r, "tokens_per_second", measured, 2);
    report_number(r, "predicted", predicted, 2);
    report_number(r, "error", error, 3);
    report_number(r, "drift", drift, 3);
    report_number(r, "intensity", lli_cost_step_flops(&f->cost, load) / lli_cost_step_bytes(&f->cost, load), 3);
    report_number(r, "step_gop_per_second", lli_cost_step_flops(&f->cost, load) * measured / load->rows / 1e9, 2);
    report_number(r, "read_gb_per_second", rates->bytes / 1e9, 2);
    report_number(r, "gop_per_second", rates->flops / 1e9, 1);
    report_number(r, "attention_gb_per_second", rates->kv_bytes / 1e9, 2);
    if (rates->attention_flops < UNBOUND)
        report_number(r, "attention_gop_per_second", rates->attention_flops / 1e9, 1);
    else
        report_unknown(r, "attention_gop_per_second");
    report_number(r, "b_star", rates->flops / rates->bytes * f->cost.weights.layers / f->cost.body_flops, 1);
    report_end(r);
    if (f->n_errors < MAX_POINTS)
        f->errors[f->n_errors++] = error < 0 ? -error : error;
}

/* A point beside which the machine's speed changed says nothing: it is measured again, but not for ever. */
static void decode_point(struct forecast *f, uint32_t sessions, uint32_t context)
{
    double ns[MAX_RUNS], drift = 1;
    struct lli_rates rates;
    struct lli_load load = decodes(f, sessions, context);
    for (int try = 0; try < TRIES && drift > MOST_DRIFT; try++) {
        for (int i = 0; i < f->o->runs; i++)
            ns[i] = time_decode(f, sessions, context);
        drift = foresee(&rates, f, ns, f->o->runs, 0);
    }
    rates.attention_flops = UNBOUND; /* a row of each sequence: bound by reading */
    report_point(f, "decode", sessions, context, sessions * 1e9 / median(ns, f->o->runs),
                 sessions * 1e9 / lli_cost_step_ns(&f->cost, &rates, &load), &rates, &load, drift);
}

static double prompt_ns(const struct forecast *f, const struct lli_rates *rates, uint32_t n)
{
    double ns = 0;
    for (uint32_t first = 0; first < n; first += STEPS_CHUNK) {
        struct lli_load load = {.window = f->cost.window};
        uint32_t rows = n - first < STEPS_CHUNK ? n - first : STEPS_CHUNK;
        lli_load_add(&load, first, rows, first + rows == n);
        ns += lli_cost_step_ns(&f->cost, rates, &load);
    }
    return ns;
}

static void prefill_point(struct forecast *f, uint32_t n)
{
    double ns[MAX_RUNS], drift = 1;
    struct lli_rates rates;
    struct lli_load load = {.window = f->cost.window};
    int runs = n > 2048 ? 1 : f->o->runs;
    if (f->before.chunk == 0)
        f->before = time_anchors(f, 1);
    for (int try = 0; try < TRIES && drift > MOST_DRIFT; try++) {
        for (int i = 0; i < runs; i++)
            ns[i] = time_chunk(f, 0, n);
        drift = foresee(&rates, f, ns, runs, 1);
    }
    lli_load_add(&load, 0, n, 1);
    report_point(f, "prefill", 1, n, n * 1e9 / median(ns, runs), n * 1e9 / prompt_ns(f, &rates, n), &rates, &load, drift);
}

static void report_worst(struct forecast *f)
{
    double worst = 0;
    int n_over = 0;
    for (int i = 0; i < f->n_errors; i++) {
        worst = f->errors[i] > worst ? f->errors[i] : worst;
        n_over += f->errors[i] > 0.15;
    }
    report_begin(f->report, "forecast_all");
    report_number(f->report, "points", f->n_errors, 0);
    report_number(f->report, "median_error", f->n_errors > 0 ? median(f->errors, f->n_errors) : 0, 3);
    report_number(f->report, "worst_error", worst, 3);
    report_number(f->report, "over_0.15", n_over, 0);
    report_end(f->report);
}

int forecast_run(const struct options *o, struct network *network, struct report *report)
{
    struct forecast f = {.o = o, .network = network, .report = report};
    struct network_room room = forecast_room(o, network);
    struct lli_shape shape;
    struct lli_weight_bytes weights;
    double position = (double)lli_forward_block_bytes(&network->config, o->kv_type) / LLI_PAGE_TOKENS;
    lli_figures_shape(&shape, &network->config, &network->weights);
    lli_figures_weights(&weights, &network->config, &network->weights);
    lli_cost_init(&f.cost, &shape, &weights, position);
    if (steps_blocks(DEEP_SEQS, DEEP + CHUNK) > room.n_blocks) {
        fprintf(stderr, "llminf-bench: --budget is too small for a context of %d\n", DEEP);
        return -1;
    }
    if (shape.n_positions > 0 && shape.n_positions < DEEP + CHUNK) {
        fprintf(stderr, "llminf-bench: --forecast wants a model without a table of positions, or a longer one\n");
        return -1;
    }
    time_anchors(&f, 1); /* warm */
    f.before = time_anchors(&f, 0);
    for (int c = 0; c < o->contexts.n; c++)
        for (int b = 0; b < o->sessions.n && !f.failed; b++)
            if (o->sessions.at[b] <= MANY && steps_blocks(o->sessions.at[b], o->contexts.at[c] + STEPS) <= room.n_blocks)
                decode_point(&f, o->sessions.at[b], o->contexts.at[c]);
    for (int c = 0; c < o->contexts.n && !f.failed; c++)
        if (steps_blocks(1, o->contexts.at[c]) <= room.n_blocks)
            prefill_point(&f, o->contexts.at[c]);
    if (f.failed) {
        fprintf(stderr, "llminf-bench: forecast: no memory, or NaN or Inf in a step\n");
        return -1;
    }
    report_worst(&f);
    return 0;
}
