/* sample/penalty.h - logits of recent tokens are made smaller. */
#ifndef LLI_SAMPLE_PENALTY_H
#define LLI_SAMPLE_PENALTY_H

#include <stddef.h>
#include <stdint.h>

#include "sample/chain.h"

/* For each token that occurs in the window: a positive logit is divided by repeat_penalty and another multiplied, then
 * frequency_penalty * occurrences + presence_penalty is subtracted. counts [n] is all 0 before and after. */
void lli_penalty_apply(float *logits, uint32_t *counts, uint32_t n, const struct lli_sampler_params *params,
                       const int32_t *history, size_t n_history);

#endif
