/* api/stats.h - the numbers of a context, by key and all together. */
#ifndef LLI_API_STATS_H
#define LLI_API_STATS_H

#include <stdint.h>

#include "base/buffer.h"

struct llminf_context;

/* 1: known. */
int lli_stats_find(int64_t *out, const struct llminf_context *context, const char *key);

/* Appends all of them in Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/). 0 or -1: no
 * memory. */
int lli_stats_write(struct lli_buffer *out, const struct llminf_context *context);

#endif
