/* sample/pick.h - the last stage: one token of those that are left. */
#ifndef LLI_SAMPLE_PICK_H
#define LLI_SAMPLE_PICK_H

#include <stdint.h>

#include "sample/rank.h"

/* The largest logit, the lowest id where several are equal; n >= 1. */
int32_t lli_pick_greedy(const float *logits, uint32_t n);

/* The place of the candidate at which the sum of the weights, best first, exceeds the share u / 2^53 of all; u < 2^53. */
size_t lli_pick_draw(struct lli_ranking *r, double temperature, uint64_t u);

#endif
