/* forecast.h - the cost model against the clock: what docs/costs.md foresees for a batch and a context, and what it takes. */
#ifndef BENCH_FORECAST_H
#define BENCH_FORECAST_H

#include "network.h"
#include "options.h"
#include "report.h"

/* The room that the points need. */
struct network_room forecast_room(const struct options *o, const struct network *network);

/* 0, or -1 when a step failed. */
int forecast_run(const struct options *o, struct network *network, struct report *report);

#endif
