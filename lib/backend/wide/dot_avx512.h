/* backend/wide/dot_avx512.h - 16 rows. Products of bytes as VNNI does them, or by pairs without it. Included by dot.h. */
#ifndef LLI_BACKEND_WIDE_DOT_AVX512_H
#define LLI_BACKEND_WIDE_DOT_AVX512_H

#include <immintrin.h>

#include "backend/wide/dot.h"

/* 4 bytes in every lane. */
LLI_INLINE lli_words lli_words_of(const void *at)
{
    int32_t word;
    memcpy(&word, at, sizeof word);
    return (lli_words)_mm512_set1_epi32(word);
}

LLI_INLINE lli_floats lli_floats_of(float x)
{
    return (lli_floats)_mm512_set1_ps(x);
}

LLI_INLINE lli_floats lli_floats_fma(lli_floats a, lli_floats b, lli_floats c)
{
    return (lli_floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

/* 16 halves. */
LLI_INLINE lli_floats lli_floats_halves(const uint8_t *at)
{
    return (lli_floats)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)at));
}

LLI_INLINE lli_floats lli_floats_bf16(const uint8_t *at)
{
    return (lli_floats)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)at)), 16);
}

/* 16 bytes, widened. */
LLI_INLINE lli_words lli_words_u8(const uint8_t *at)
{
    return (lli_words)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)at));
}

LLI_INLINE lli_words lli_words_i8(const uint8_t *at)
{
    return (lli_words)_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)at));
}

LLI_INLINE lli_floats lli_floats_int(lli_words w)
{
    return (lli_floats)_mm512_cvtepi32_ps((__m512i)w);
}

/* Of each word's two int16. */
LLI_INLINE lli_words lli_words_dot_pairs(lli_words a, lli_words b)
{
    return (lli_words)_mm512_madd_epi16((__m512i)a, (__m512i)b);
}

/* Each byte (below 16) becomes that byte of the table. */
LLI_INLINE lli_words lli_words_look_up(const uint8_t table[16], lli_words w)
{
    __m512i all = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)table));
    return (lli_words)_mm512_shuffle_epi8(all, (__m512i)w);
}

#define LLI_MM(op) _mm512_##op
#define LLI_MM_REGISTER "v"
typedef __m512i lli_integers;

#if defined(LLI_ISA_AVX512_VNNI)
#define LLI_DPBUSD _mm512_dpbusd_epi32
enum { LLI_VNNI_TILE = 6, LLI_VNNI_TILE_OFFSET = 5, LLI_VNNI_TILE_HALVES = 4 };

#include "backend/wide/dot_vnni.h"
#else
enum { LLI_PAIRS_TILE = 6, LLI_PAIRS_TILE_WIDE = 4 };

/* q with the sign of w. Where w is 0, any number: the product is 0. */
LLI_INLINE lli_integers lli_signed_as(lli_integers q, lli_integers w)
{
    return _mm512_mask_sub_epi8(q, _mm512_movepi8_mask(w), _mm512_setzero_si512(), q);
}

LLI_INLINE lli_integers lli_four_times(const uint8_t bytes[16])
{
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)bytes));
}

#include "backend/wide/dot_pairs.h"
#endif

#endif
