/* backend/wide/vector_avx512.h - 16 floats in one register of AVX-512. The contracts stand in vector.h. */
#ifndef LLI_BACKEND_WIDE_VECTOR_AVX512_H
#define LLI_BACKEND_WIDE_VECTOR_AVX512_H

#include <immintrin.h>
#include <string.h>

#include "backend/wide/wide.h"

typedef __m512 lli_v16;
typedef __mmask16 lli_m16;

/* ---- masks */

LLI_INLINE lli_m16 lli_m16_first(size_t n)
{
    return (__mmask16)((1u << n) - 1);
}

LLI_INLINE lli_m16 lli_m16_not(lli_m16 a)
{
    return (__mmask16)~a;
}

LLI_INLINE int lli_m16_any(lli_m16 a)
{
    return a != 0;
}

/* ---- memory */

LLI_INLINE lli_v16 lli_v16_load(const float *x)
{
    return _mm512_loadu_ps(x);
}

LLI_INLINE lli_v16 lli_v16_load_n(const float *x, size_t n)
{
    return _mm512_maskz_loadu_ps(lli_m16_first(n), x);
}

LLI_INLINE void lli_v16_store(float *out, lli_v16 a)
{
    _mm512_storeu_ps(out, a);
}

LLI_INLINE void lli_v16_store_n(float *out, lli_v16 a, size_t n)
{
    _mm512_mask_storeu_ps(out, lli_m16_first(n), a);
}

LLI_INLINE lli_v16 lli_v16_set(float x)
{
    return _mm512_set1_ps(x);
}

LLI_INLINE lli_v16 lli_v16_set_half(const void *h)
{
    int16_t bits;
    memcpy(&bits, h, sizeof bits);
    return _mm512_cvtph_ps(_mm256_set1_epi16(bits));
}

LLI_INLINE lli_v16 lli_v16_halves(const void *h)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)h));
}

LLI_INLINE lli_v16 lli_v16_halves_n(const void *h, size_t n)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lli_m16_first(n), h));
}

LLI_INLINE lli_v16 lli_v16_bf16s(const void *h)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)h)), 16));
}

LLI_INLINE lli_v16 lli_v16_int8s(const void *q)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)q)));
}

LLI_INLINE lli_v16 lli_v16_int8s_n(const void *q, size_t n)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(lli_m16_first(n), q)));
}

LLI_INLINE void lli_v16_store_halves(uint16_t *out, lli_v16 a)
{
    _mm256_storeu_si256((__m256i *)out, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

LLI_INLINE int lli_v16_store_int8s(int8_t *out, lli_v16 a)
{
    __m128i q = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a));
    __m128i sums = _mm_sad_epu8(_mm_xor_si128(q, _mm_set1_epi8(-128)), _mm_setzero_si128());
    _mm_storeu_si128((__m128i *)out, q);
    return _mm_cvtsi128_si32(sums) + _mm_extract_epi16(sums, 4) - 16 * 128;
}

/* ---- arithmetic */

LLI_INLINE lli_v16 lli_v16_add(lli_v16 a, lli_v16 b)
{
    return _mm512_add_ps(a, b);
}

LLI_INLINE lli_v16 lli_v16_sub(lli_v16 a, lli_v16 b)
{
    return _mm512_sub_ps(a, b);
}

LLI_INLINE lli_v16 lli_v16_mul(lli_v16 a, lli_v16 b)
{
    return _mm512_mul_ps(a, b);
}

LLI_INLINE lli_v16 lli_v16_div(lli_v16 a, lli_v16 b)
{
    return _mm512_div_ps(a, b);
}

LLI_INLINE lli_v16 lli_v16_fma(lli_v16 a, lli_v16 b, lli_v16 c)
{
    return _mm512_fmadd_ps(a, b, c);
}

LLI_INLINE lli_v16 lli_v16_negate(lli_v16 a)
{
    return _mm512_xor_ps(a, _mm512_set1_ps(-0.0f));
}

LLI_INLINE lli_v16 lli_v16_magnitude(lli_v16 a)
{
    return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a);
}

LLI_INLINE lli_v16 lli_v16_signed(lli_v16 a, lli_v16 sign)
{
    return _mm512_or_ps(a, _mm512_and_ps(sign, _mm512_set1_ps(-0.0f)));
}

LLI_INLINE lli_v16 lli_v16_max(lli_v16 m, lli_v16 x)
{
    return _mm512_max_ps(x, m);
}

LLI_INLINE lli_v16 lli_v16_max_bits(lli_v16 a, lli_v16 b)
{
    return _mm512_castsi512_ps(_mm512_max_epu32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
}

LLI_INLINE lli_v16 lli_v16_raise(lli_v16 a, lli_v16 n)
{
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_slli_epi32(_mm512_castps_si512(n), 23)));
}

/* ---- comparisons */

LLI_INLINE lli_m16 lli_v16_less(lli_v16 a, lli_v16 b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}

LLI_INLINE lli_m16 lli_v16_is_nan(lli_v16 a)
{
    return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
}

LLI_INLINE lli_v16 lli_v16_choose(lli_m16 m, lli_v16 a, lli_v16 b)
{
    return _mm512_mask_blend_ps(m, b, a);
}

/* ---- across lanes */

LLI_INLINE float lli_v16_sum(lli_v16 a)
{
    __m256 s = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 t = _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
    t = _mm_add_ps(t, _mm_movehl_ps(t, t));
    return _mm_cvtss_f32(_mm_add_ss(t, _mm_movehdup_ps(t)));
}

LLI_INLINE float lli_v16_top(lli_v16 a)
{
    __m256 s = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 t = _mm_max_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
    t = _mm_max_ps(t, _mm_movehl_ps(t, t));
    return _mm_cvtss_f32(_mm_max_ss(t, _mm_movehdup_ps(t)));
}

LLI_INLINE uint32_t lli_v16_top_bits(lli_v16 a)
{
    return _mm512_reduce_max_epu32(_mm512_castps_si512(a));
}

LLI_INLINE lli_v16 lli_v16_twice_even(lli_v16 a)
{
    return _mm512_moveldup_ps(a);
}

LLI_INLINE lli_v16 lli_v16_twice_odd(lli_v16 a)
{
    return _mm512_movehdup_ps(a);
}

LLI_INLINE lli_v16 lli_v16_zip(const float *a, const float *b)
{
    const __m512i order = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    return _mm512_permutex2var_ps(_mm512_castps256_ps512(_mm256_loadu_ps(a)), order,
                                  _mm512_castps256_ps512(_mm256_loadu_ps(b)));
}

#endif
