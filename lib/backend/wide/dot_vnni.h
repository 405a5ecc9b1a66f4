/* backend/wide/dot_vnni.h - products of bytes by vpdpbusd: unsigned weights. The offset of the codes is repaid by starting the
 * sum at -bias * (sum of q). Included by dot_avx512.h. */
#ifndef LLI_BACKEND_WIDE_DOT_VNNI_H
#define LLI_BACKEND_WIDE_DOT_VNNI_H

#include "backend/wide/dot.h"

enum { LLI_TILE = 6 };
#define LLI_BYTE_FLIP 0x80808080u

LLI_INLINE int lli_dot_tile(int bits, int halves, int is_expanded)
{
    (void)bits;
    (void)is_expanded;
    return halves ? 4 : 6;
}

LLI_INLINE lli_words lli_half_scale(lli_words scale)
{
    return scale;
}

/* -bias * (sum of q) in every lane; the bias is a power of two. */
LLI_INLINE __m512i start(const struct lli_q8 *x, int bias)
{
    __m512i minus_sum = (__m512i)lli_words_of(&x->minus_sum);
    return bias == 0 ? _mm512_setzero_si512() : _mm512_slli_epi32(minus_sum, (unsigned)__builtin_ctz((unsigned)bias));
}

/* The same of half h. */
LLI_INLINE __m512i start_half(const struct lli_q8 *x, int bias, int h)
{
    uint32_t pair = (uint32_t)(uint16_t)-bias << 16 * h;
    return bias == 0 ? _mm512_setzero_si512() : _mm512_madd_epi16((__m512i)lli_words_of(x->sums), _mm512_set1_epi32((int)pair));
}

LLI_INLINE void lli_dot_whole(lli_floats idot[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS],
                              lli_codes_fn *codes, int bits, int bias, const struct lli_q8 *const x[LLI_TILE], size_t b,
                              int n_x)
{
    __m512i sum[LLI_TILE][LLI_GROUPS];
    (void)bits;
    LLI_UNROLL for (int t = 0; t < n_x; t++) sum[t][0] = sum[t][1] = start(&x[t][b], bias);
    LLI_UNROLL for (int i = 0; i < 8; i++)
    {
        __m512i w0 = (__m512i)codes(planes[0], i), w1 = (__m512i)codes(planes[1], i);
        LLI_UNROLL for (int t = 0; t < n_x; t++)
        {
            __m512i q = (__m512i)lli_words_of(x[t][b].q + 4 * i);
            sum[t][0] = _mm512_dpbusd_epi32(sum[t][0], w0, q);
            sum[t][1] = _mm512_dpbusd_epi32(sum[t][1], w1, q);
        }
    }
    LLI_UNROLL for (int t = 0; t < n_x; t++)
    {
        idot[t][0] = (lli_floats)_mm512_cvtepi32_ps(sum[t][0]);
        idot[t][1] = (lli_floats)_mm512_cvtepi32_ps(sum[t][1]);
    }
}

LLI_INLINE void lli_dot_halves(lli_floats idot[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS],
                               lli_codes_fn *codes, const struct lli_scales *scales, int bits, int bias,
                               const struct lli_q8 *const x[LLI_TILE], size_t b, int n_x)
{
    __m512i total[LLI_TILE][LLI_GROUPS];
    (void)bits;
    LLI_UNROLL for (int h = 0; h < 2; h++)
    {
        __m512i sum[LLI_TILE][LLI_GROUPS];
        LLI_UNROLL for (int t = 0; t < n_x; t++) sum[t][0] = sum[t][1] = start_half(&x[t][b], bias, h);
        LLI_UNROLL for (int i = 4 * h; i < 4 * h + 4; i++)
        {
            __m512i w0 = (__m512i)codes(planes[0], i), w1 = (__m512i)codes(planes[1], i);
            LLI_UNROLL for (int t = 0; t < n_x; t++)
            {
                __m512i q = (__m512i)lli_words_of(x[t][b].q + 4 * i);
                sum[t][0] = _mm512_dpbusd_epi32(sum[t][0], w0, q);
                sum[t][1] = _mm512_dpbusd_epi32(sum[t][1], w1, q);
            }
        }
        LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++)
        {
            __m512i scaled = _mm512_mullo_epi32(sum[t][g], (__m512i)scales[g].half[h]);
            total[t][g] = h == 0 ? scaled : _mm512_add_epi32(total[t][g], scaled);
        }
    }
    LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++) idot[t][g] =
        (lli_floats)_mm512_cvtepi32_ps(total[t][g]);
}

#include "backend/wide/dot_single.h"

#endif
