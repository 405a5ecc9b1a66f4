/* backend/wide/dot_neon_long.h - products of bytes by smull and smlal, for CPUs without dot products. An int16 holds one
 * product of each step, as many as fit: 8 steps of up to 5 bits, 4 of 6 bits, 2 of 8 bits (-128 * -127 * 2 < 2^15). Included
 * by dot_neon.h. */
#ifndef LLI_BACKEND_WIDE_DOT_NEON_LONG_H
#define LLI_BACKEND_WIDE_DOT_NEON_LONG_H

#include "backend/wide/dot_neon.h"

LLI_INLINE int lli_neon_tile_long(int halves)
{
    (void)halves;
    return 2;
}

LLI_INLINE int steps_that_fit(int bits)
{
    return bits <= 5 ? 8 : bits == 6 ? 4 : 2;
}

LLI_INLINE void lli_neon_add_long(int32x4_t sum[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS],
                                  lli_codes_fn *codes, int bits, const struct lli_q8 *const x[LLI_TILE], size_t b, int n_x,
                                  int n_g, int first, int last)
{
    int n = steps_that_fit(bits) < last - first ? steps_that_fit(bits) : last - first;
    LLI_UNROLL for (int g = 0; g < n_g; g++)
    {
        int32x4_t low[LLI_TILE], high[LLI_TILE]; /* rows 0, 0, 1, 1 and 2, 2, 3, 3 of the group */
        LLI_UNROLL for (int from = first; from < last; from += n)
        {
            int16x8_t narrow_low[LLI_TILE], narrow_high[LLI_TILE];
            LLI_UNROLL for (int i = from; i < from + n; i++)
            {
                int8x16_t w = (int8x16_t)codes(planes[g], i);
                LLI_UNROLL for (int t = 0; t < n_x; t++)
                {
                    int8x16_t q = (int8x16_t)lli_words_of(x[t][b].q + 4 * i);
                    int8x8_t w_low = vget_low_s8(w), q_low = vget_low_s8(q);
                    narrow_low[t] = i == from ? vmull_s8(w_low, q_low) : vmlal_s8(narrow_low[t], w_low, q_low);
                    narrow_high[t] = i == from ? vmull_high_s8(w, q) : vmlal_high_s8(narrow_high[t], w, q);
                }
            }
            LLI_UNROLL for (int t = 0; t < n_x; t++)
            {
                low[t] = from == first ? vpaddlq_s16(narrow_low[t]) : vpadalq_s16(low[t], narrow_low[t]);
                high[t] = from == first ? vpaddlq_s16(narrow_high[t]) : vpadalq_s16(high[t], narrow_high[t]);
                lli_neon_make_now(&low[t]);
                lli_neon_make_now(&high[t]);
            }
        }
        LLI_UNROLL for (int t = 0; t < n_x; t++)
        {
            sum[t][g] = vaddq_s32(sum[t][g], vpaddq_s32(low[t], high[t]));
            lli_neon_make_now(&sum[t][g]);
        }
    }
}

#endif
