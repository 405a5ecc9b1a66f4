/* engine/calibrate.c - see calibrate.h. A Kalman filter whose state are the logarithms of the three rates, taken as independent
 * of each other: a step's time in logarithms changes with each by its share of that time. What a step did in its time bounds
 * every rate from below, at once. */
#include "engine/calibrate.h"

#define NS 1e9
#define NOISE (0.05 * 0.05)   /* of a step's time, as variance */
#define DRIFT (0.01 * 0.01)   /* of a rate from one step to the next */
#define MAX_DRIFT (0.1 * 0.1) /* of a rate that no step tells about */
#define UNKNOWN (0.5 * 0.5)   /* of one that no step told about yet */
#define SLOW_FLOPS 100e9        /* what a machine does at least, while no step told */
#define MAX_EXPECTED_NS 1e13    /* of a step */
#define MAX_ERROR 0.5         /* a step may have been held up by others on the machine: it is not believed more than this */

void lli_calibrate_init(struct lli_calibration *c, const struct lli_cost *cost, const struct lli_rates *rates)
{
    *c = (struct lli_calibration){.cost = *cost, .is_fixed = rates != NULL};
    if (rates)
        c->rates = *rates;
}

static int is_known(const struct lli_calibration *c)
{
    return c->cost.body_flops > 0 && c->rates.flops > 0;
}

double lli_calibrate_predict(const struct lli_calibration *c, const struct lli_load *load)
{
    return is_known(c) ? lli_cost_step_ns(&c->cost, &c->rates, load) : 0;
}

int64_t lli_calibrate_expect(const struct lli_calibration *c, const struct lli_load *load, double predicted_ns)
{
    double ns = predicted_ns > 0 ? predicted_ns : lli_cost_step_flops(&c->cost, load) / SLOW_FLOPS * NS;
    return ns < MAX_EXPECTED_NS ? (int64_t)ns : (int64_t)MAX_EXPECTED_NS;
}

uint32_t lli_calibrate_rows(const struct lli_calibration *c, const struct lli_load *load, uint32_t first, uint32_t n,
                            int64_t target_ns)
{
    struct lli_rates rates = c->rates;
    if (!is_known(c))
        return n;
    rates.flops *= 1 + 2 * c->variance[LLI_RATE_FLOPS]; /* so that it can be seen */
    return (uint32_t)lli_cost_rows(&c->cost, &rates, load, first, n, (double)target_ns);
}

/* ---- learning ---------------------------------------------------------------------------------------------------- */

/* What the step did a second, if nothing else took time. */
static void measure(double least[LLI_N_RATES], const struct lli_calibration *c, const struct lli_load *load, double ns)
{
    double attention = lli_cost_attention_flops(&c->cost, load);
    least[LLI_RATE_BYTES] = lli_cost_step_bytes(&c->cost, load) / ns * NS;
    least[LLI_RATE_FLOPS] = (lli_cost_step_flops(&c->cost, load) - attention) / ns * NS;
    least[LLI_RATE_ATTENTION] = attention / ns * NS;
}

static void bound(struct lli_calibration *c, double *const rates[LLI_N_RATES], const double least[LLI_N_RATES])
{
    for (int i = 0; i < LLI_N_RATES; i++) {
        if (*rates[i] >= least[i])
            continue;
        double change = least[i] / *rates[i] - 1;
        c->variance[i] += change < 0.5 ? change * change : UNKNOWN;
        *rates[i] = least[i];
    }
}

/* Attention is taken to be as fast as products until it is seen to be slower. */
static void begin(struct lli_calibration *c, double *const rates[LLI_N_RATES], const double least[LLI_N_RATES])
{
    for (int i = 0; i < LLI_N_RATES; i++) {
        *rates[i] = least[i];
        c->variance[i] = UNKNOWN;
    }
    c->rates.attention_flops = c->rates.flops;
}

/* Each rate's share of the time that is foreseen, which is returned. */
static double share(double shares[LLI_N_RATES], const struct lli_calibration *c, const struct lli_load *load)
{
    struct lli_step_cost step;
    lli_cost_step(&step, &c->cost, &c->rates, load);
    double all = step.layers + step.head + step.attention;
    for (int i = 0; i < LLI_N_RATES; i++)
        shares[i] = 0;
    shares[step.layers_read ? LLI_RATE_BYTES : LLI_RATE_FLOPS] += step.layers / all;
    shares[step.head_read ? LLI_RATE_BYTES : LLI_RATE_FLOPS] += step.head / all;
    shares[step.attention_read ? LLI_RATE_BYTES : LLI_RATE_ATTENTION] += step.attention / all;
    return all;
}

void lli_calibrate_learn(struct lli_calibration *c, const struct lli_load *load, int64_t ns)
{
    double *const rates[] = {&c->rates.bytes, &c->rates.flops, &c->rates.attention_flops};
    double least[LLI_N_RATES], shares[LLI_N_RATES], uncertainty = NOISE, error;
    if (c->is_fixed || !(c->cost.body_flops > 0) || ns <= 0)
        return;
    measure(least, c, load, (double)ns);
    if (is_known(c))
        bound(c, rates, least);
    else
        begin(c, rates, least);
    error = (double)ns / share(shares, c, load) - 1;
    error = error > MAX_ERROR ? MAX_ERROR : error < -MAX_ERROR ? -MAX_ERROR : error;
    for (int i = 0; i < LLI_N_RATES; i++)
        uncertainty += c->variance[i] * shares[i] * shares[i];
    for (int i = 0; i < LLI_N_RATES; i++) {
        double gain = c->variance[i] * shares[i] / uncertainty;
        *rates[i] /= 1 + gain * error;
        c->variance[i] *= 1 - gain * shares[i];
        c->variance[i] += c->variance[i] < MAX_DRIFT ? DRIFT : 0;
    }
}
