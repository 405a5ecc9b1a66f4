/* backend/wide/dot_neon_dot.h - products of bytes by sdot: a register of 16 bytes of activations serves four steps, a lane
 * each. Included by dot_neon.h. */
#ifndef LLI_BACKEND_WIDE_DOT_NEON_DOT_H
#define LLI_BACKEND_WIDE_DOT_NEON_DOT_H

#include "backend/wide/dot_neon.h"

LLI_INLINE int lli_neon_tile_dot(int halves)
{
    return halves ? 3 : 4;
}

/* The instruction holds the lane. */
LLI_INLINE int32x4_t dot_lane(int32x4_t sum, int8x16_t w, int8x16_t q, int lane)
{
    switch (lane) {
    case 0:
        return vdotq_laneq_s32(sum, w, q, 0);
    case 1:
        return vdotq_laneq_s32(sum, w, q, 1);
    case 2:
        return vdotq_laneq_s32(sum, w, q, 2);
    default:
        return vdotq_laneq_s32(sum, w, q, 3);
    }
}

LLI_INLINE void lli_neon_add_dot(int32x4_t sum[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS],
                                 lli_codes_fn *codes, int bits, const struct lli_q8 *const x[LLI_TILE], size_t b, int n_x,
                                 int n_g, int first, int last)
{
    (void)bits;
    LLI_UNROLL for (int i = first; i < last; i++)
    {
        int8x16_t w[LLI_GROUPS];
        LLI_UNROLL for (int g = 0; g < n_g; g++) w[g] = (int8x16_t)codes(planes[g], i);
        LLI_UNROLL for (int t = 0; t < n_x; t++)
        {
            int8x16_t q = vld1q_s8(x[t][b].q + i / 4 * 16);
            LLI_UNROLL for (int g = 0; g < n_g; g++)
            {
                sum[t][g] = dot_lane(sum[t][g], w[g], q, i % 4);
                lli_neon_make_now(&sum[t][g]);
            }
        }
    }
}

#endif
