/* forward/rotary.h - RoPE's frequencies, with the scaling rule applied once, in binary64. */
#ifndef LLI_FORWARD_ROTARY_H
#define LLI_FORWARD_ROTARY_H

#include <stdint.h>

#include "base/alloc.h"
#include "model/config.h"
#include "model/weights.h"

struct llminf_error;

struct lli_rotary {
    struct lli_heap *heap;
    double *theta;    /* [n_pairs] angle of one position; owned; no pairs: nothing is rotated */
    double magnitude; /* cos and sin are multiplied by it: YaRN's, else 1 */
    uint32_t n_pairs;
};

/* factors: the model's rope_freqs, data NULL if it has none. NUMERIC for factors that are not positive, LIMIT if an angle
 * of positions below max_pos passes 2^31. */
int32_t lli_rotary_init(struct lli_rotary *rotary, struct lli_heap *heap, const struct lli_rope *rope,
                        const struct lli_matrix *factors, uint32_t max_pos, struct llminf_error *err);
void lli_rotary_finish(struct lli_rotary *rotary); /* accepts a zeroed struct */

/* cos[n_pairs] and sin[n_pairs] of a position, rounded once. */
void lli_rotary_at(const struct lli_rotary *rotary, uint32_t pos, float *cos, float *sin);

#endif
