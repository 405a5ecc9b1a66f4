/* kernels.h - each kernel of a backend alone, on all workers at once. */
#ifndef BENCH_KERNELS_H
#define BENCH_KERNELS_H

#include "limits.h"
#include "options.h"
#include "report.h"

/* 0, or -1: said on stderr. */
int kernels_run(const struct options *o, const struct lli_backend *backend, struct limits *limits, struct report *report);

#endif
