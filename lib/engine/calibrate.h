/* engine/calibrate.h - how long steps take here, learned from those that ran.
 *
 * The prediction is cost/'s formula at rates of reading, computing and attention. Each step that ran corrects them a little,
 * those most that it lasted longest by and that are known least. The formula need not be right far away: steps are alike from
 * one to the next, so the rates become those with which it is right about the steps of now. Nothing here allocates; all under
 * the engine's lock. */
#ifndef LLI_ENGINE_CALIBRATE_H
#define LLI_ENGINE_CALIBRATE_H

#include <stdint.h>

#include "cost/cost.h"

enum { LLI_RATE_BYTES, LLI_RATE_FLOPS, LLI_RATE_ATTENTION, LLI_N_RATES };

struct lli_calibration {
    struct lli_cost cost;         /* all zero: nothing is predicted */
    struct lli_rates rates;       /* zero: no step ran yet */
    double variance[LLI_N_RATES]; /* of the rates, relative */
    int is_fixed;                 /* the rates stay */
};

/* rates: they stay; NULL: they are learned. */
void lli_calibrate_init(struct lli_calibration *c, const struct lli_cost *cost, const struct lli_rates *rates);

/* How long a step will last, in ns; 0: that is not known. */
double lli_calibrate_predict(const struct lli_calibration *c, const struct lli_load *load);

/* The same as a bound for waits, where a machine that nothing is known about yet is taken for a slow one. */
int64_t lli_calibrate_expect(const struct lli_calibration *c, const struct lli_load *load, double predicted_ns);

/* Of n rows of a prompt from position `first` on: how many the step may get so that it lasts no longer than target_ns. All of
 * them while nothing is known; and a little more than was seen to work while it was not seen where computing
 * becomes the limit. */
uint32_t lli_calibrate_rows(const struct lli_calibration *c, const struct lli_load *load, uint32_t first, uint32_t n,
                            int64_t target_ns);

/* The step lasted so long. */
void lli_calibrate_learn(struct lli_calibration *c, const struct lli_load *load, int64_t ns);

#endif
