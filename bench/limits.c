#include "limits.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/cpu.h"
#include "base/clock.h"

enum { MAX_RUNS = 64, ALIGN = 4096, FRESH_NS = 20000000, PASS_NS = 8000000, FIRST_PASSES = 8, PASSES = 3 };

#define MIN_BUFFER ((size_t)512 << 20)

/* ---- which peaks */

static const struct peak *const peaks[] = {
#if defined(__x86_64__)
    &peak_avx512,
    &peak_avx2_vnni,
    &peak_avx2,
#elif defined(__aarch64__)
    &peak_i8mm,
    &peak_dot,
    &peak_neon,
#endif
    &peak_plain,
};

const struct peak *peak_find(uint64_t features)
{
    for (size_t i = 0; i + 1 < sizeof peaks / sizeof *peaks; i++)
        if ((peaks[i]->needs & features) == peaks[i]->needs)
            return peaks[i];
    return &peak_plain;
}

/* What a backend uses here. */
static uint64_t find_features(const struct lli_backend *backend)
{
    return backend->needs | (lli_cpu_features() & backend->likes);
}

/* ---- passes: all workers at once */

double seconds_since(int64_t start_ns)
{
    return (double)(lli_clock_ns() - start_ns) / 1e9;
}

struct pass {
    const struct limits *limits;
    int64_t n_rounds;
    _Atomic uint64_t sink;
};

/* Every worker's part of the buffer, a multiple of a page. */
static size_t part_bytes(const struct limits *l)
{
    return l->buffer_bytes / (size_t)l->workers->n / ALIGN * ALIGN;
}

static void fill_part(void *arg, int index, int n)
{
    struct pass *p = arg;
    size_t part = part_bytes(p->limits);
    (void)n;
    memset(p->limits->buffer + (size_t)index * part, 0x55, part);
}

static void read_part(void *arg, int index, int n)
{
    struct pass *p = arg;
    size_t part = part_bytes(p->limits);
    (void)n;
    atomic_fetch_add(&p->sink, p->limits->peak->read(p->limits->buffer + (size_t)index * part, part));
}

static void multiply(void *arg, int index, int n)
{
    struct pass *p = arg;
    (void)index;
    (void)n;
    atomic_fetch_add(&p->sink, p->limits->peak->integer(p->n_rounds));
}

static void fuse(void *arg, int index, int n)
{
    struct pass *p = arg;
    (void)index;
    (void)n;
    atomic_fetch_add(&p->sink, p->limits->peak->fp(p->n_rounds));
}

static double pass_seconds(const struct limits *l, lli_work_fn *work, int64_t n_rounds)
{
    struct pass pass = {.limits = l, .n_rounds = n_rounds};
    int64_t start = lli_clock_ns();
    lli_workers_run(l->workers, work, &pass);
    return seconds_since(start);
}

/* As many rounds as take some milliseconds. */
static int64_t find_rounds(const struct limits *l, lli_work_fn *work)
{
    int64_t n = 1024;
    while (pass_seconds(l, work, n) < PASS_NS / 1e9)
        n *= 2;
    return n;
}

static double higher(double a, double b)
{
    return a > b ? a : b;
}

/* The three limits in turn, so that one disturbance does not meet all passes of one. */
void limits_measure(struct limits *l, int n_passes)
{
    double n = l->workers->n;
    struct rates best = {0};
    for (int i = 0; i < n_passes; i++) {
        double read = pass_seconds(l, read_part, 0), integer = pass_seconds(l, multiply, l->integer_rounds);
        double fp = pass_seconds(l, fuse, l->fp_rounds);
        best.bytes = higher(best.bytes, n * (double)part_bytes(l) / read);
        best.integer_ops = higher(best.integer_ops, n * l->peak->integer_ops * (double)l->integer_rounds / integer);
        best.fp_ops = higher(best.fp_ops, n * l->peak->fp_ops * (double)l->fp_rounds / fp);
    }
    l->now = best;
    l->now_ns = lli_clock_ns();
}

/* ---- life */

#ifndef _SC_LEVEL3_CACHE_SIZE
#define _SC_LEVEL3_CACHE_SIZE (-1)
#endif

static size_t default_bytes(void)
{
    long cache = sysconf(_SC_LEVEL3_CACHE_SIZE); /* 0 or -1: the system does not know */
    size_t bytes = cache > 0 ? 4 * (size_t)cache : 0;
    return bytes > MIN_BUFFER ? bytes : MIN_BUFFER;
}

int limits_init(struct limits *l, struct lli_workers *workers, const struct lli_backend *backend, size_t buffer_bytes)
{
    struct pass pass = {.limits = l};
    *l = (struct limits){.workers = workers, .peak = peak_find(find_features(backend))};
    l->buffer_bytes = buffer_bytes > 0 ? buffer_bytes : default_bytes();
    if (l->buffer_bytes < (size_t)ALIGN * (size_t)workers->n)
        l->buffer_bytes = (size_t)ALIGN * (size_t)workers->n;
    l->buffer = mmap(NULL, l->buffer_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (l->buffer == MAP_FAILED) {
        l->buffer = NULL;
        return -1;
    }
    madvise(l->buffer, l->buffer_bytes, MADV_HUGEPAGE);
    lli_workers_run(workers, fill_part, &pass);
    l->integer_rounds = find_rounds(l, multiply);
    l->fp_rounds = find_rounds(l, fuse);
    limits_measure(l, FIRST_PASSES);
    return 0;
}

void limits_finish(struct limits *l)
{
    if (l->buffer)
        munmap(l->buffer, l->buffer_bytes);
    *l = (struct limits){0};
}

/* ---- runs between limits */

double limits_seconds(const struct rates *rates, const struct work *work, const char **bound_out)
{
    double read = work->bytes / rates->bytes, integer = work->integer_ops / rates->integer_ops;
    double fp = work->fp_ops / rates->fp_ops;
    *bound_out = read > integer + fp ? "read" : integer > fp ? "integer" : "float";
    return read > integer + fp ? read : integer + fp;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static double change(double a, double b)
{
    double high = a > b ? a : b, low = a > b ? b : a;
    return 1 - low / high;
}

int limits_repeat(struct measured *out, struct limits *l, const struct work *work, int n_runs, run_fn *run, void *arg)
{
    double seconds[MAX_RUNS], limit[MAX_RUNS], share[MAX_RUNS];
    *out = (struct measured){.bound = "none"};
    n_runs = n_runs < 1 ? 1 : n_runs > MAX_RUNS ? MAX_RUNS : n_runs;
    if (work && (l->now_ns == 0 || lli_clock_ns() - l->now_ns > FRESH_NS))
        limits_measure(l, PASSES);
    for (int i = 0; i < n_runs; i++) {
        seconds[i] = run(arg);
        if (seconds[i] < 0)
            return -1;
        limit[i] = share[i] = 0;
        if (!work)
            continue;
        double before = limits_seconds(&l->now, work, &out->bound), after, moved;
        limits_measure(l, PASSES);
        after = limits_seconds(&l->now, work, &out->bound);
        moved = change(before, after);
        out->drift = moved > out->drift ? moved : out->drift;
        limit[i] = 2 / (1 / before + 1 / after); /* the mean of speeds: a disturbed calibration weighs little */
        share[i] = limit[i] / seconds[i];
    }
    out->seconds = median(seconds, n_runs);
    out->limit_seconds = median(limit, n_runs);
    out->share = median(share, n_runs);
    return 0;
}
