/* backend/wide/dot_neon_matrix.h - products of bytes by smmla: 2 weight rows x 8 elements times 2 rows of activations x 8
 * elements. Two word rows of a group zip into such pairs of rows; the 2 x 2 sums are sorted by rows of activations at the
 * end. A row of activations without a second one goes by sdot. Included by dot_neon.h. */
#ifndef LLI_BACKEND_WIDE_DOT_NEON_MATRIX_H
#define LLI_BACKEND_WIDE_DOT_NEON_MATRIX_H

#include "backend/wide/dot_neon.h"

LLI_INLINE int lli_dot_tile(int bits, int halves)
{
    (void)bits;
    (void)halves;
    return 4;
}

/* Elements 8 at a time of rows x and y. */
LLI_INLINE int8x16_t pair_of(const int8_t *x, const int8_t *y)
{
    return vcombine_s8(vld1_s8(x), vld1_s8(y));
}

/* Steps i and i + 1 of a row of activations. */
LLI_INLINE void add_row(int32x4_t sum[LLI_GROUPS], const int8x16_t w[2][LLI_GROUPS], const int8_t *q)
{
    int8x8_t both = vld1_s8(q);
    LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++) sum[g] =
        vdotq_lane_s32(vdotq_lane_s32(sum[g], w[0][g], both, 0), w[1][g], both, 1);
}

LLI_INLINE void lli_neon_add(int32x4_t sum[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS], lli_codes_fn *codes,
                             int bits, const struct lli_tile_rows *x, size_t b, int n_x, int first, int last)
{
    int32x4_t square[LLI_TILE][LLI_GROUPS]; /* of a pair of rows: those of the group's first and of its second two rows */
    int paired = n_x - n_x % 2;
    (void)bits;
    LLI_UNROLL for (int t = 0; t < paired; t++) LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++) square[t][g] = vdupq_n_s32(0);
    LLI_UNROLL for (int i = first; i < last; i += 2)
    {
        size_t at = b * LLI_ACT_BLOCK + 4 * (size_t)i;
        int8x16_t w[2][LLI_GROUPS];
        LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++)
        {
            w[0][g] = (int8x16_t)codes(planes[g], i);
            w[1][g] = (int8x16_t)codes(planes[g], i + 1);
        }
        if (paired < n_x)
            add_row(sum[paired], w, x->q[paired] + at);
        LLI_UNROLL for (int t = 0; t < paired; t += 2)
        {
            int8x16_t q = pair_of(x->q[t] + at, x->q[t + 1] + at);
            LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++)
            {
                int32x4_t w0 = vreinterpretq_s32_s8(w[0][g]), w1 = vreinterpretq_s32_s8(w[1][g]);
                square[t][g] = vmmlaq_s32(square[t][g], vreinterpretq_s8_s32(vzip1q_s32(w0, w1)), q);
                square[t + 1][g] = vmmlaq_s32(square[t + 1][g], vreinterpretq_s8_s32(vzip2q_s32(w0, w1)), q);
            }
        }
    }
    LLI_UNROLL for (int t = 0; t < paired; t += 2) LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++)
    {
        sum[t][g] = vaddq_s32(sum[t][g], vuzp1q_s32(square[t][g], square[t + 1][g]));
        sum[t + 1][g] = vaddq_s32(sum[t + 1][g], vuzp2q_s32(square[t][g], square[t + 1][g]));
    }
}

#endif
