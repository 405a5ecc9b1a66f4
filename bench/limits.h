/* limits.h - what the machine can do at this moment: reading memory in order, multiplying bytes, multiplying floats; on
 * all threads at once and with the instructions of the backend that is measured.
 *
 * A machine's speed drifts, most of all a virtual one's. So every measurement has the limits measured before and after each
 * of its runs, and its share is of their mean. */
#ifndef BENCH_LIMITS_H
#define BENCH_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#include "backend/registry.h"
#include "base/workers.h"
#include "peak.h"

/* Per second. */
struct rates {
    double bytes, integer_ops, fp_ops;
};

struct limits {
    struct lli_workers *workers;
    const struct peak *peak;
    uint8_t *buffer; /* far larger than the caches; other tests may write to it while no limit is measured */
    size_t buffer_bytes;
    int64_t integer_rounds, fp_rounds; /* of one pass */
    struct rates now;
    int64_t now_ns; /* when `now` was measured; 0: never */
};

/* buffer_bytes 0: four times the last cache, 512 MiB at least. 0, or -1 without memory. */
int limits_init(struct limits *l, struct lli_workers *workers, const struct lli_backend *backend, size_t buffer_bytes);
void limits_finish(struct limits *l);

/* Best of n_passes each, to l->now. */
void limits_measure(struct limits *l, int n_passes);

/* What a run has to do at least. */
struct work {
    double bytes, integer_ops, fp_ops;
};

/* The shortest time for it: the longer of reading and computing. */
double limits_seconds(const struct rates *rates, const struct work *work, const char **bound_out);

/* A run that is repeated; medians. */
struct measured {
    double seconds, limit_seconds, share, drift; /* drift: largest change of the limit around a run, as a part of it */
    const char *bound;                           /* "read", "integer", "float" */
};

/* Runs once and gives its seconds; negative when it failed. */
typedef double run_fn(void *arg);

/* work may be NULL: no limits then. 0, or -1 when a run failed. */
int limits_repeat(struct measured *out, struct limits *l, const struct work *work, int n_runs, run_fn *run, void *arg);

double seconds_since(int64_t start_ns);

#endif
