/* kernel_rows.c - kernels that work row by row: every worker has rows of its own, which stay in its caches.
 *
 * Their share is of the float peak: the operations that docs/numerics.md writes for an element, a multiply-add as two. What
 * is no multiply-add reaches half of that peak at best. */
#include "kernels.h"

#include <stdlib.h>
#include <string.h>

#include "backend/kernels.h"

enum { ALIGN = 64, WIDTH = 8192, ROUNDS = 64, HEAD_DIM = 64 };

/* What one worker works on. */
struct desk {
    float *x, *y, *out; /* [WIDTH] */
    struct lli_q8 *q8;
};

struct row_job {
    struct kernel_bench *b;
    const struct row_kernel *kernel;
    struct desk *desks;
};

typedef void row_fn(const struct lli_kernels *k, struct desk *d);

struct row_kernel {
    const char *name;
    double n, ops; /* elements of a row; operations of an element */
    row_fn *run;
};

static void run_quantise(const struct lli_kernels *k, struct desk *d)
{
    k->quantise(d->q8, d->x, 2048);
}

static void run_rmsnorm(const struct lli_kernels *k, struct desk *d)
{
    k->rmsnorm(d->out, d->x, d->y, 2048, 1e-5f);
}

static void run_swiglu(const struct lli_kernels *k, struct desk *d)
{
    k->swiglu(d->out, d->x, d->y, WIDTH);
}

static void run_add(const struct lli_kernels *k, struct desk *d)
{
    k->add(d->out, d->x, d->y, 2048);
}

/* In place, so the row is copied first. */
static void run_exp(const struct lli_kernels *k, struct desk *d)
{
    float max, sum;
    memcpy(d->out, d->x, 256 * sizeof *d->out);
    k->exp(d->out, 256, &max, &sum);
}

/* A rotation keeps the length of a vector: in place, again and again. */
static void run_rope_adjacent(const struct lli_kernels *k, struct desk *d)
{
    k->rope_adjacent(d->out, 2048 / HEAD_DIM, HEAD_DIM, d->y, d->y + HEAD_DIM / 2, HEAD_DIM / 2);
}

static void run_rope_halves(const struct lli_kernels *k, struct desk *d)
{
    k->rope_halves(d->out, 2048 / HEAD_DIM, HEAD_DIM, d->y, d->y + HEAD_DIM / 2, HEAD_DIM / 2);
}

static const struct row_kernel row_kernels[] = {
    {"quantise", 2048, 4, run_quantise}, /* largest, product, rounding, sum */
    {"rmsnorm", 2048, 4, run_rmsnorm},   /* square and sum, two products */
    {"exp", 256, 20, run_exp},           /* largest, difference, exp 17, sum */
    {"swiglu", WIDTH, 20, run_swiglu},   /* exp 17, sum, quotient, product */
    {"add", 2048, 1, run_add},
    {"rope_adjacent", 2048, 3, run_rope_adjacent}, /* two products, two multiply-adds a pair */
    {"rope_halves", 2048, 3, run_rope_halves},
};

/* ---- desks */

static void clear_desks(struct desk *desks, int n)
{
    for (int i = 0; i < n && desks; i++) {
        free(desks[i].x);
        free(desks[i].q8);
    }
    free(desks);
}

/* x and y hold -1 .. 1, out small angles' cosines and sines before a rotation uses it. */
static int set_desk(struct desk *d, uint64_t seed)
{
    d->x = aligned_alloc(ALIGN, 3 * WIDTH * sizeof *d->x);
    d->q8 = aligned_alloc(ALIGN, lli_q8_blocks(WIDTH) * sizeof *d->q8);
    if (!d->x || !d->q8)
        return -1;
    d->y = d->x + WIDTH;
    d->out = d->y + WIDTH;
    kernels_random_floats(d->x, 3 * WIDTH, &seed);
    return 0;
}

static struct desk *make_desks(int n)
{
    struct desk *desks = calloc((size_t)n, sizeof *desks);
    for (int i = 0; i < n && desks; i++)
        if (set_desk(&desks[i], (uint64_t)i) < 0) {
            clear_desks(desks, n);
            return NULL;
        }
    return desks;
}

/* The rotations' angle: 0.6 + 0.8 i has length 1. */
static void set_angles(struct desk *d)
{
    for (int i = 0; i < HEAD_DIM / 2; i++) {
        d->y[i] = 0.6f;
        d->y[HEAD_DIM / 2 + i] = 0.8f;
    }
}

/* ---- rounds */

static void work_rows(void *arg, int index, int n)
{
    const struct row_job *j = arg;
    (void)n;
    for (int i = 0; i < ROUNDS; i++)
        j->kernel->run(&j->b->kernels, &j->desks[index]);
}

static void run_round(void *arg)
{
    struct row_job *j = arg;
    lli_workers_run(j->b->limits->workers, work_rows, j);
}

static void measure(struct row_job *j)
{
    struct kernel_bench *b = j->b;
    double n = j->kernel->n * ROUNDS * b->limits->workers->n;
    struct work work = {.fp_ops = n * j->kernel->ops};
    struct measured m;
    kernels_time(&m, b, &work, run_round, j);
    report_begin(b->report, "kernel");
    report_text(b->report, "kernel", j->kernel->name);
    report_number(b->report, "n", j->kernel->n, 0);
    report_number(b->report, "gelements_per_second", n / m.seconds / 1e9, 3);
    report_number(b->report, "limit_share", m.share, 4);
    report_text(b->report, "bound", m.bound);
    report_number(b->report, "limit_drift", m.drift, 3);
    report_end(b->report);
}

int kernels_rows(struct kernel_bench *b)
{
    int n_workers = b->limits->workers->n;
    struct row_job j = {.b = b, .desks = make_desks(n_workers)};
    if (!j.desks)
        return kernels_fail("kernels", "no memory");
    for (size_t i = 0; i < sizeof row_kernels / sizeof *row_kernels; i++) {
        j.kernel = &row_kernels[i];
        if (i == sizeof row_kernels / sizeof *row_kernels - 2)
            for (int d = 0; d < n_workers; d++)
                set_angles(&j.desks[d]);
        measure(&j);
    }
    clear_desks(j.desks, n_workers);
    return 0;
}
