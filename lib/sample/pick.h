/* sample/pick.h - one token from candidates in order. */
#ifndef LLI_SAMPLE_PICK_H
#define LLI_SAMPLE_PICK_H

#include <stddef.h>
#include <stdint.h>

#include "sample/chain.h"

/* The largest logit, the lowest id where several are equal. */
int32_t lli_pick_greedy(const float *logits, uint32_t n);

/* Draws by the softmax of logit / temperature; u in [0, 1). Candidates are ordered, weights [n] is scratch. */
int32_t lli_pick_draw(const struct lli_candidate *c, double *weights, size_t n, double temperature, double u);

#endif
