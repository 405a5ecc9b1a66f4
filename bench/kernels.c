#include "kernels.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/fenv.h"

struct timing {
    round_fn *round;
    void *arg;
    double least_seconds;
};

static double time_rounds(void *arg)
{
    const struct timing *t = arg;
    int64_t start = lli_clock_ns(), n_rounds = 0;
    double seconds = 0;
    for (int64_t n = 1; seconds < t->least_seconds; n *= 2) {
        for (int64_t i = 0; i < n; i++)
            t->round(t->arg);
        n_rounds += n;
        seconds = seconds_since(start);
    }
    return seconds / (double)n_rounds;
}

void kernels_time(struct measured *m, struct kernel_bench *b, const struct work *work, round_fn *round, void *arg)
{
    struct timing t = {round, arg, b->options->kernel_seconds};
    round(arg); /* pages and caches */
    limits_repeat(m, b->limits, work, b->options->runs, time_rounds, &t);
}

int kernels_fail(const char *what, const char *text)
{
    fprintf(stderr, "llminf-bench: %s: %s\n", what, text);
    return -1;
}

/* Splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
uint64_t kernels_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void kernels_random_floats(float *out, size_t n, uint64_t *state)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(int32_t)(kernels_random(state) >> 40) * 0x1p-23f - 1;
}

int kernels_run(const struct options *o, const struct lli_backend *backend, struct limits *limits, struct report *report)
{
    struct kernel_bench b = {.options = o, .backend = backend, .limits = limits, .report = report};
    uint64_t state = lli_fenv_enter();
    int status;
    lli_registry_fill(&b.kernels, backend);
    status = kernels_products(&b);
    if (status == 0 && o->types == 0)
        status = kernels_rows(&b);
    if (status == 0 && o->types == 0)
        status = kernels_attention(&b);
    lli_fenv_leave(state);
    return status;
}
