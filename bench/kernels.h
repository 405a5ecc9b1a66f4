/* kernels.h - each kernel of a backend alone, on all workers at once. */
#ifndef BENCH_KERNELS_H
#define BENCH_KERNELS_H

#include <stdint.h>

#include "limits.h"
#include "options.h"
#include "report.h"

struct kernel_bench {
    const struct options *options;
    const struct lli_backend *backend;
    struct limits *limits; /* its buffer is where weights, keys and values lie */
    struct report *report;
    struct lli_kernels kernels;
};

/* 0, or -1: said on stderr. */
int kernels_run(const struct options *o, const struct lli_backend *backend, struct limits *limits, struct report *report);

/* The parts of kernels_run. */
int kernels_products(struct kernel_bench *b);
int kernels_rows(struct kernel_bench *b);
int kernels_attention(struct kernel_bench *b);

/* Repeats a round until --kernel-ms have passed, --runs times. m->seconds is of one round, whose work is `work`. The round
 * runs on the caller's thread and takes the workers itself. */
typedef void round_fn(void *arg);
void kernels_time(struct measured *m, struct kernel_bench *b, const struct work *work, round_fn *round, void *arg);

int kernels_fail(const char *what, const char *text); /* -1 */

/* Numbers that are the same in each run. */
uint64_t kernels_random(uint64_t *state);
void kernels_random_floats(float *out, size_t n, uint64_t *state); /* -1 .. 1 */

#endif
