/* backend/wide/dot_vnni.h - products of bytes by vpdpbusd: unsigned weights. The offset of the codes is repaid by starting the
 * sum at -bias * (sum of q). Included by dot_avx512.h. */
#ifndef LLI_BACKEND_WIDE_DOT_VNNI_H
#define LLI_BACKEND_WIDE_DOT_VNNI_H

#include "backend/wide/dot.h"

enum { LLI_TILE = 6, LLI_FEW = 4, LLI_FEW_GROUPS = 1 };
#define LLI_BYTE_FLIP 0x80808080u

LLI_INLINE int lli_dot_tile(int bits, int halves, int offset, int is_expanded)
{
    (void)bits;
    (void)is_expanded;
    return halves ? 4 : offset ? 5 : 6; /* the scales take registers too */
}

LLI_INLINE lli_words lli_half_scale(lli_words scale)
{
    return scale;
}

/* -bias * (sum of q) in every lane; the bias is a power of two. */
LLI_INLINE __m512i start(const struct lli_q8 *x, int bias)
{
    __m512i minus_8_sum = (__m512i)lli_words_of(&x->minus_8_sum);
    if (bias <= 8)
        return bias == 0 ? _mm512_setzero_si512() : minus_8_sum;
    return _mm512_slli_epi32(minus_8_sum, (unsigned)__builtin_ctz((unsigned)bias) - 3);
}

/* The same of half h; by shifts, for which the ports of vpdpbusd are not needed. */
LLI_INLINE __m512i start_half(const struct lli_q8 *x, int bias, int h)
{
    __m512i both = (__m512i)lli_words_of(x->minus_sums);
    if (bias == 0)
        return _mm512_setzero_si512();
    both = _mm512_srai_epi32(h == 0 ? _mm512_slli_epi32(both, 16) : both, 16);
    return _mm512_slli_epi32(both, (unsigned)__builtin_ctz((unsigned)bias));
}

/* The products of a step are added to the sums. */
LLI_INLINE void add_step(__m512i sum[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS], lli_codes_fn *codes,
                         const struct lli_q8 *const x[LLI_TILE], size_t b, int n_x, int n_g, int i)
{
    __m512i w[LLI_GROUPS];
    LLI_UNROLL for (int g = 0; g < n_g; g++) w[g] = (__m512i)codes(planes[g], i);
    LLI_UNROLL for (int t = 0; t < n_x; t++)
    {
        __m512i q = (__m512i)lli_words_of(x[t][b].q + 4 * i);
        LLI_UNROLL for (int g = 0; g < n_g; g++) sum[t][g] = _mm512_dpbusd_epi32(sum[t][g], w[g], q);
    }
}

LLI_INLINE void lli_dot_whole(lli_floats idot[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS],
                              lli_codes_fn *codes, int bits, int bias, const struct lli_q8 *const x[LLI_TILE], size_t b,
                              int n_x, int n_g)
{
    __m512i sum[LLI_TILE][LLI_GROUPS];
    (void)bits;
    LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < n_g; g++) sum[t][g] = start(&x[t][b], bias);
    /* 0, 4, 1, 5, ...: what N4 has in one row, so that no register waits for its second half. */
    LLI_UNROLL for (int i = 0; i < 8; i++) add_step(sum, planes, codes, x, b, n_x, n_g, i / 2 + i % 2 * 4);
    LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < n_g; g++) idot[t][g] =
        (lli_floats)_mm512_cvtepi32_ps(sum[t][g]);
}

/* The value is made here: a compiler that keeps the sums of both halves runs out of registers. */
LLI_INLINE void make_now(__m512i *value)
{
    __asm__ volatile("" : "+v"(*value));
}

LLI_INLINE void lli_dot_halves(lli_floats idot[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS],
                               lli_codes_fn *codes, const struct lli_scales *scales, int bits, int bias,
                               const struct lli_q8 *const x[LLI_TILE], size_t b, int n_x, int n_g)
{
    __m512i total[LLI_TILE][LLI_GROUPS];
    (void)bits;
    LLI_UNROLL for (int h = 0; h < 2; h++)
    {
        __m512i sum[LLI_TILE][LLI_GROUPS];
        LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < n_g; g++)
        {
            sum[t][g] = start_half(&x[t][b], bias, h);
            make_now(&sum[t][g]);
        }
        LLI_UNROLL for (int i = 4 * h; i < 4 * h + 4; i++) add_step(sum, planes, codes, x, b, n_x, n_g, i);
        LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < n_g; g++)
        {
            __m512i scaled = _mm512_mullo_epi32(sum[t][g], (__m512i)scales[g].half[h]);
            total[t][g] = h == 0 ? scaled : _mm512_add_epi32(total[t][g], scaled);
            make_now(&total[t][g]);
        }
    }
    LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < n_g; g++) idot[t][g] =
        (lli_floats)_mm512_cvtepi32_ps(total[t][g]);
}

#include "backend/wide/dot_single.h"

#endif
