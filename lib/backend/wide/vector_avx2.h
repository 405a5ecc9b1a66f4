/* backend/wide/vector_avx2.h - 16 floats in two registers of AVX2. The contracts stand in vector.h. */
#ifndef LLI_BACKEND_WIDE_VECTOR_AVX2_H
#define LLI_BACKEND_WIDE_VECTOR_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "backend/wide/wide.h"

typedef struct {
    __m256 a, b;
} lli_v16;

typedef lli_v16 lli_m16; /* all bits of a lane, or none */

LLI_INLINE lli_v16 lli_v16_of(__m256 a, __m256 b)
{
    return (lli_v16){a, b};
}

LLI_INLINE lli_v16 lli_v16_of_ints(__m256i a, __m256i b)
{
    return (lli_v16){_mm256_castsi256_ps(a), _mm256_castsi256_ps(b)};
}

/* ---- masks */

LLI_INLINE lli_m16 lli_m16_first(size_t n)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), limit = _mm256_set1_epi32((int)n);
    return lli_v16_of_ints(_mm256_cmpgt_epi32(limit, lanes),
                           _mm256_cmpgt_epi32(limit, _mm256_add_epi32(lanes, _mm256_set1_epi32(8))));
}

LLI_INLINE lli_m16 lli_m16_not(lli_m16 x)
{
    const __m256 all = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
    return lli_v16_of(_mm256_xor_ps(x.a, all), _mm256_xor_ps(x.b, all));
}

LLI_INLINE int lli_m16_any(lli_m16 x)
{
    return _mm256_movemask_ps(_mm256_or_ps(x.a, x.b)) != 0;
}

/* ---- memory */

LLI_INLINE lli_v16 lli_v16_load(const float *x)
{
    return lli_v16_of(_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8));
}

LLI_INLINE lli_v16 lli_v16_load_n(const float *x, size_t n)
{
    lli_m16 m = lli_m16_first(n);
    return lli_v16_of(_mm256_maskload_ps(x, _mm256_castps_si256(m.a)), _mm256_maskload_ps(x + 8, _mm256_castps_si256(m.b)));
}

LLI_INLINE void lli_v16_store(float *out, lli_v16 x)
{
    _mm256_storeu_ps(out, x.a);
    _mm256_storeu_ps(out + 8, x.b);
}

LLI_INLINE void lli_v16_store_n(float *out, lli_v16 x, size_t n)
{
    lli_m16 m = lli_m16_first(n);
    _mm256_maskstore_ps(out, _mm256_castps_si256(m.a), x.a);
    _mm256_maskstore_ps(out + 8, _mm256_castps_si256(m.b), x.b);
}

LLI_INLINE lli_v16 lli_v16_set(float x)
{
    __m256 v = _mm256_set1_ps(x);
    return lli_v16_of(v, v);
}

LLI_INLINE lli_v16 lli_v16_set_half(const void *h)
{
    int16_t bits;
    __m256 v;
    memcpy(&bits, h, sizeof bits);
    v = _mm256_cvtph_ps(_mm_set1_epi16(bits));
    return lli_v16_of(v, v);
}

LLI_INLINE lli_v16 lli_v16_halves(const void *h)
{
    const __m128i *at = h;
    return lli_v16_of(_mm256_cvtph_ps(_mm_loadu_si128(at)), _mm256_cvtph_ps(_mm_loadu_si128(at + 1)));
}

LLI_INLINE lli_v16 lli_v16_halves_n(const void *h, size_t n)
{
    uint16_t copy[16] = {0};
    memcpy(copy, h, n * sizeof *copy);
    return lli_v16_halves(copy);
}

LLI_INLINE lli_v16 lli_v16_bf16s(const void *h)
{
    const __m128i *at = h;
    return lli_v16_of_ints(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(at)), 16),
                           _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(at + 1)), 16));
}

LLI_INLINE lli_v16 lli_v16_int8s(const void *q)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)q);
    return lli_v16_of(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
                      _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8))));
}

LLI_INLINE lli_v16 lli_v16_int8s_n(const void *q, size_t n)
{
    int8_t copy[16] = {0};
    memcpy(copy, q, n);
    return lli_v16_int8s(copy);
}

LLI_INLINE void lli_v16_store_halves(uint16_t *out, lli_v16 x)
{
    _mm_storeu_si128((__m128i *)out, _mm256_cvtps_ph(x.a, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128((__m128i *)(out + 8), _mm256_cvtps_ph(x.b, _MM_FROUND_TO_NEAREST_INT));
}

LLI_INLINE int lli_v16_store_int8s(int8_t *out, lli_v16 x)
{
    __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)); /* 0-3, 8-11, 4-7, 12-15 */
    __m128i q = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)), sums;
    q = _mm_shuffle_epi32(q, 0xd8);
    sums = _mm_sad_epu8(_mm_xor_si128(q, _mm_set1_epi8(-128)), _mm_setzero_si128());
    _mm_storeu_si128((__m128i *)out, q);
    return _mm_cvtsi128_si32(sums) + _mm_extract_epi16(sums, 4) - 16 * 128;
}

/* ---- arithmetic */

LLI_INLINE lli_v16 lli_v16_add(lli_v16 x, lli_v16 y)
{
    return lli_v16_of(_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b));
}

LLI_INLINE lli_v16 lli_v16_sub(lli_v16 x, lli_v16 y)
{
    return lli_v16_of(_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b));
}

LLI_INLINE lli_v16 lli_v16_mul(lli_v16 x, lli_v16 y)
{
    return lli_v16_of(_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b));
}

LLI_INLINE lli_v16 lli_v16_div(lli_v16 x, lli_v16 y)
{
    return lli_v16_of(_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b));
}

LLI_INLINE lli_v16 lli_v16_fma(lli_v16 x, lli_v16 y, lli_v16 z)
{
    return lli_v16_of(_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b));
}

LLI_INLINE lli_v16 lli_v16_negate(lli_v16 x)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return lli_v16_of(_mm256_xor_ps(x.a, sign), _mm256_xor_ps(x.b, sign));
}

LLI_INLINE lli_v16 lli_v16_magnitude(lli_v16 x)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return lli_v16_of(_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b));
}

LLI_INLINE lli_v16 lli_v16_signed(lli_v16 x, lli_v16 sign)
{
    const __m256 bit = _mm256_set1_ps(-0.0f);
    return lli_v16_of(_mm256_or_ps(x.a, _mm256_and_ps(sign.a, bit)), _mm256_or_ps(x.b, _mm256_and_ps(sign.b, bit)));
}

LLI_INLINE lli_v16 lli_v16_max(lli_v16 m, lli_v16 x)
{
    return lli_v16_of(_mm256_max_ps(x.a, m.a), _mm256_max_ps(x.b, m.b));
}

LLI_INLINE lli_v16 lli_v16_max_bits(lli_v16 x, lli_v16 y)
{
    return lli_v16_of_ints(_mm256_max_epu32(_mm256_castps_si256(x.a), _mm256_castps_si256(y.a)),
                           _mm256_max_epu32(_mm256_castps_si256(x.b), _mm256_castps_si256(y.b)));
}

LLI_INLINE lli_v16 lli_v16_raise(lli_v16 x, lli_v16 n)
{
    return lli_v16_of_ints(_mm256_add_epi32(_mm256_castps_si256(x.a), _mm256_slli_epi32(_mm256_castps_si256(n.a), 23)),
                           _mm256_add_epi32(_mm256_castps_si256(x.b), _mm256_slli_epi32(_mm256_castps_si256(n.b), 23)));
}

/* ---- comparisons */

LLI_INLINE lli_m16 lli_v16_less(lli_v16 x, lli_v16 y)
{
    return lli_v16_of(_mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ));
}

LLI_INLINE lli_m16 lli_v16_is_nan(lli_v16 x)
{
    return lli_v16_of(_mm256_cmp_ps(x.a, x.a, _CMP_UNORD_Q), _mm256_cmp_ps(x.b, x.b, _CMP_UNORD_Q));
}

LLI_INLINE lli_v16 lli_v16_choose(lli_m16 m, lli_v16 x, lli_v16 y)
{
    return lli_v16_of(_mm256_blendv_ps(y.a, x.a, m.a), _mm256_blendv_ps(y.b, x.b, m.b));
}

/* ---- across lanes */

LLI_INLINE float lli_v16_sum(lli_v16 x)
{
    __m256 s = _mm256_add_ps(x.a, x.b);
    __m128 t = _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
    t = _mm_add_ps(t, _mm_movehl_ps(t, t));
    return _mm_cvtss_f32(_mm_add_ss(t, _mm_movehdup_ps(t)));
}

LLI_INLINE float lli_v16_top(lli_v16 x)
{
    __m256 s = _mm256_max_ps(x.a, x.b);
    __m128 t = _mm_max_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
    t = _mm_max_ps(t, _mm_movehl_ps(t, t));
    return _mm_cvtss_f32(_mm_max_ss(t, _mm_movehdup_ps(t)));
}

LLI_INLINE uint32_t lli_v16_top_bits(lli_v16 x)
{
    __m256i s = _mm256_max_epu32(_mm256_castps_si256(x.a), _mm256_castps_si256(x.b));
    __m128i t = _mm_max_epu32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
    t = _mm_max_epu32(t, _mm_shuffle_epi32(t, 0x4e));
    return (uint32_t)_mm_cvtsi128_si32(_mm_max_epu32(t, _mm_shuffle_epi32(t, 0xb1)));
}

LLI_INLINE lli_v16 lli_v16_twice_even(lli_v16 x)
{
    return lli_v16_of(_mm256_moveldup_ps(x.a), _mm256_moveldup_ps(x.b));
}

LLI_INLINE lli_v16 lli_v16_twice_odd(lli_v16 x)
{
    return lli_v16_of(_mm256_movehdup_ps(x.a), _mm256_movehdup_ps(x.b));
}

LLI_INLINE lli_v16 lli_v16_zip(const float *a, const float *b)
{
    __m256 x = _mm256_loadu_ps(a), y = _mm256_loadu_ps(b);
    __m256 low = _mm256_unpacklo_ps(x, y), high = _mm256_unpackhi_ps(x, y);
    return lli_v16_of(_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31));
}

#endif
