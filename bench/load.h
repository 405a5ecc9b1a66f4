/* load.h - opening a model through the public functions, in a process of its own so that its peak memory is its own. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "options.h"

struct loaded {
    double model_seconds, context_seconds, token_seconds; /* to open both; from then to the first token */
    double file_bytes, peak_rss_bytes;
    int cold; /* the file was dropped from the page cache before */
};

/* Before this program has threads. 0, or -1: said on stderr. */
int load_run(struct loaded *out, const struct options *o, int cold);

#endif
