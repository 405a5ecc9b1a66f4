/* backend/wide/dot_neon_matrix.h - products of bytes by smmla: 2 weight rows x 8 elements times 2 rows of activations x 8
 * elements. Two word rows of a group zip into two such pairs of weight rows; a pair's 2 x 2 sums begin and end zipped. A
 * single row of activations goes by sdot. Included by dot_neon.h. */
#ifndef LLI_BACKEND_WIDE_DOT_NEON_MATRIX_H
#define LLI_BACKEND_WIDE_DOT_NEON_MATRIX_H

#include "backend/wide/dot_neon.h"
#include "backend/wide/dot_neon_dot.h"

LLI_INLINE int lli_neon_tile_matrix(int halves)
{
    return halves ? 2 : 6;
}

/* 8 elements of rows x and y. */
LLI_INLINE int8x16_t pair_of(const int8_t *x, const int8_t *y)
{
    return vcombine_s8(vld1_s8(x), vld1_s8(y));
}

/* Steps i and i + 1 of a group: of its first two rows, and of its second two. */
struct lli_neon_rows {
    int8x16_t first, second;
};

LLI_INLINE struct lli_neon_rows rows_of(const uint8_t *planes, lli_codes_fn *codes, int i)
{
    uint32x4_t even = (uint32x4_t)codes(planes, i), odd = (uint32x4_t)codes(planes, i + 1);
    return (struct lli_neon_rows){vreinterpretq_s8_u32(vzip1q_u32(even, odd)), vreinterpretq_s8_u32(vzip2q_u32(even, odd))};
}

LLI_INLINE void lli_neon_add_matrix(int32x4_t sum[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS],
                                    lli_codes_fn *codes, int bits, const struct lli_q8 *const x[LLI_TILE], size_t b, int n_x,
                                    int n_g, int first, int last)
{
    /* [t], [t + 1]: of the group's first and second two rows with rows t, t + 1; a last one stands twice in its pair. */
    int32x4_t square[LLI_TILE][LLI_GROUPS];
    if (n_x == 1) {
        lli_neon_add_dot(sum, planes, codes, bits, x, b, n_x, n_g, first, last);
        return;
    }
    LLI_UNROLL for (int t = 0; t < n_x; t += 2) LLI_UNROLL for (int g = 0; g < n_g; g++)
    {
        int other = t + 1 < n_x ? t + 1 : t;
        square[t][g] = vzip1q_s32(sum[t][g], sum[other][g]);
        square[t + 1][g] = vzip2q_s32(sum[t][g], sum[other][g]);
    }
    LLI_UNROLL for (int i = first; i < last; i += 2)
    {
        size_t at = 4 * (size_t)i;
        int8x16_t q[LLI_TILE];
        LLI_UNROLL for (int t = 0; t < n_x; t += 2) q[t] = pair_of(x[t][b].q + at, x[t + 1 < n_x ? t + 1 : t][b].q + at);
        LLI_UNROLL for (int g = 0; g < n_g; g++)
        {
            struct lli_neon_rows w = rows_of(planes[g], codes, i);
            LLI_UNROLL for (int t = 0; t < n_x; t += 2)
            {
                square[t][g] = vmmlaq_s32(square[t][g], w.first, q[t]);
                square[t + 1][g] = vmmlaq_s32(square[t + 1][g], w.second, q[t]);
                lli_neon_make_now(&square[t][g]);
                lli_neon_make_now(&square[t + 1][g]);
            }
        }
    }
    LLI_UNROLL for (int t = 0; t < n_x; t += 2) LLI_UNROLL for (int g = 0; g < n_g; g++)
    {
        sum[t][g] = vuzp1q_s32(square[t][g], square[t + 1][g]);
        if (t + 1 < n_x)
            sum[t + 1][g] = vuzp2q_s32(square[t][g], square[t + 1][g]);
    }
}

#endif
