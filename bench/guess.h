/* guess.h - speculation by prompt lookup, through the public functions. */
#ifndef BENCH_GUESS_H
#define BENCH_GUESS_H

#include "options.h"
#include "report.h"

/* 0, or -1: said on stderr. */
int guess_run(const struct options *o, struct report *report);

#endif
