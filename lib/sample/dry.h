/* sample/dry.h - a token that would go on with a repetition is made less likely the longer the repetition is ("DRY", published
 * as a change to text-generation-webui in 2024). */
#ifndef LLI_SAMPLE_DRY_H
#define LLI_SAMPLE_DRY_H

#include <stddef.h>
#include <stdint.h>

#include "sample/chain.h"

#define LLI_DRY_LONGEST 512u /* a longer repetition counts as one of so many tokens */
#define LLI_DRY_WORST 1e30   /* no penalty is larger, so that no logit becomes -Inf */

/* For each token that stood in the window behind the same L tokens as stand at the end of the history, L as large as can be:
 * from dry_length on multiplier * base ^ (L - dry_length) is subtracted. No repetition reaches back over a token that ends a
 * sequence. counts [n] is all 0 before and after. */
void lli_dry_apply(float *logits, uint32_t *counts, uint32_t n, const struct lli_sampler_params *params,
                   const struct lli_breaks *breaks, const int32_t *history, size_t n_history);

#endif
