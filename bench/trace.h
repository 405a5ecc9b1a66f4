/* trace.h - an open-loop load through the public functions: requests arrive when the trace says, whatever became of those
 * before.
 *
 * A line of a trace: seconds since the start, tokens of the prompt, tokens to make, id of a prefix (0: none), tokens of the
 * prefix (absent: half the prompt). "#" begins a comment. */
#ifndef BENCH_TRACE_H
#define BENCH_TRACE_H

#include "options.h"
#include "report.h"

/* 0, or -1 (said on stderr). */
int trace_run(const struct options *o, struct report *report);

#endif
