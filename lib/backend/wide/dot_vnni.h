/* backend/wide/dot_vnni.h - products of bytes by vpdpbusd: unsigned weights. The offset of the codes is repaid by starting the
 * sum at -bias * (sum of q). Included by dot_avx2.h and dot_avx512.h, which give the width:
 *
 *     LLI_MM(op), LLI_MM_REGISTER, lli_integers                   as in dot_pairs.h
 *     LLI_DPBUSD                                                  the instruction, in the encoding of that width
 *     LLI_VNNI_TILE, LLI_VNNI_TILE_OFFSET, LLI_VNNI_TILE_HALVES   rows of a tile: scales take registers too */
#ifndef LLI_BACKEND_WIDE_DOT_VNNI_H
#define LLI_BACKEND_WIDE_DOT_VNNI_H

#include "backend/wide/dot.h"

enum { LLI_TILE = 6, LLI_FEW = 4, LLI_FEW_GROUPS = 1 };
#define LLI_BYTE_FLIP 0x80808080u

LLI_INLINE int lli_dot_tile(int bits, int halves, int offset, int is_expanded)
{
    (void)bits;
    (void)is_expanded;
    return halves ? LLI_VNNI_TILE_HALVES : offset ? LLI_VNNI_TILE_OFFSET : LLI_VNNI_TILE;
}

LLI_INLINE lli_words lli_half_scale(lli_words scale)
{
    return scale;
}

/* -bias * (sum of q) in every lane; the bias is a power of two. */
LLI_INLINE lli_integers start(const struct lli_q8 *x, int bias)
{
    lli_integers minus_8_sum = (lli_integers)lli_words_of(&x->minus_8_sum);
    if (bias <= 8)
        return bias == 0 ? (lli_integers){0} : minus_8_sum;
    return LLI_MM(slli_epi32)(minus_8_sum, (unsigned)__builtin_ctz((unsigned)bias) - 3);
}

/* The same of half h; by shifts, for which the ports of vpdpbusd are not needed. */
LLI_INLINE lli_integers start_half(const struct lli_q8 *x, int bias, int h)
{
    lli_integers both = (lli_integers)lli_words_of(x->minus_sums);
    if (bias == 0)
        return (lli_integers){0};
    both = LLI_MM(srai_epi32)(h == 0 ? LLI_MM(slli_epi32)(both, 16) : both, 16);
    return LLI_MM(slli_epi32)(both, (unsigned)__builtin_ctz((unsigned)bias));
}

/* The products of a step are added to the sums. */
LLI_INLINE void add_step(lli_integers sum[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS], lli_codes_fn *codes,
                         const struct lli_q8 *const x[LLI_TILE], size_t b, int n_x, int n_g, int i)
{
    lli_integers w[LLI_GROUPS];
    LLI_UNROLL for (int g = 0; g < n_g; g++) w[g] = (lli_integers)codes(planes[g], i);
    LLI_UNROLL for (int t = 0; t < n_x; t++)
    {
        lli_integers q = (lli_integers)lli_words_of(x[t][b].q + 4 * i);
        LLI_UNROLL for (int g = 0; g < n_g; g++) sum[t][g] = LLI_DPBUSD(sum[t][g], w[g], q);
    }
}

LLI_INLINE void lli_dot_whole(lli_floats idot[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS],
                              lli_codes_fn *codes, int bits, int bias, const struct lli_q8 *const x[LLI_TILE], size_t b,
                              int n_x, int n_g)
{
    lli_integers sum[LLI_TILE][LLI_GROUPS];
    (void)bits;
    LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < n_g; g++) sum[t][g] = start(&x[t][b], bias);
    /* 0, 4, 1, 5, ...: what N4 has in one row, so that no register waits for its second half. */
    LLI_UNROLL for (int i = 0; i < 8; i++) add_step(sum, planes, codes, x, b, n_x, n_g, i / 2 + i % 2 * 4);
    LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < n_g; g++) idot[t][g] =
        (lli_floats)LLI_MM(cvtepi32_ps)(sum[t][g]);
}

/* The value is made here: a compiler that keeps the sums of both halves runs out of registers. */
LLI_INLINE void make_now(lli_integers *value)
{
    __asm__ volatile("" : "+" LLI_MM_REGISTER(*value));
}

LLI_INLINE void lli_dot_halves(lli_floats idot[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS],
                               lli_codes_fn *codes, const struct lli_scales *scales, int bits, int bias,
                               const struct lli_q8 *const x[LLI_TILE], size_t b, int n_x, int n_g)
{
    lli_integers total[LLI_TILE][LLI_GROUPS];
    (void)bits;
    LLI_UNROLL for (int h = 0; h < 2; h++)
    {
        lli_integers sum[LLI_TILE][LLI_GROUPS];
        LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < n_g; g++)
        {
            sum[t][g] = start_half(&x[t][b], bias, h);
            make_now(&sum[t][g]);
        }
        LLI_UNROLL for (int i = 4 * h; i < 4 * h + 4; i++) add_step(sum, planes, codes, x, b, n_x, n_g, i);
        LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < n_g; g++)
        {
            lli_integers scaled = LLI_MM(mullo_epi32)(sum[t][g], (lli_integers)scales[g].half[h]);
            total[t][g] = h == 0 ? scaled : LLI_MM(add_epi32)(total[t][g], scaled);
            make_now(&total[t][g]);
        }
    }
    LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < n_g; g++) idot[t][g] =
        (lli_floats)LLI_MM(cvtepi32_ps)(total[t][g]);
}

#include "backend/wide/dot_single.h"

#endif
