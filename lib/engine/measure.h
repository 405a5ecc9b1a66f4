/* engine/measure.h - how fast this machine is for this model: steps that nobody asked for, timed between those of sessions.
 *
 * A step of one row reads every weight; one of many computes with each of them as often as there are rows. They store nothing
 * and look at the null block alone, so no session sees them. What they reach is what a forecast needs: kernels, their meetings
 * at the end of each product, and the rows' own work are in it. */
#ifndef LLI_ENGINE_MEASURE_H
#define LLI_ENGINE_MEASURE_H

#include <stdint.h>

#include "cost/cost.h"

struct llminf_error;
struct lli_engine;

enum { LLI_MEASURED_ROWS = 64 }; /* of a step at most, each a sequence of its own */

/* Times steps for max_ns, at least one of each kind, while other steps wait: bytes, flops and overlap of *out. May block for
 * the step in flight. BUSY while another thread measures or, host-driven, runs steps; STATE in a child; MEMORY. */
int32_t lli_measure_rates(struct lli_rates *out, struct lli_engine *engine, int64_t max_ns, struct llminf_error *err);

/* For whoever runs the steps, under the lock, which it gives up meanwhile: what was asked for. 1 if there was something. */
int lli_measure_serve(struct lli_engine *engine);

/* The rates by which steps of these loads last so long, with LLI_OVERLAP: `one` reads longer than it computes, `many` the other
 * way. */
void lli_measure_solve(struct lli_rates *out, const struct lli_cost *cost, const struct lli_load *one, double one_ns,
                       const struct lli_load *many, double many_ns);

#endif
