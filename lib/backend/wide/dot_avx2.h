/* backend/wide/dot_avx2.h - 8 rows. Products of bytes as AVX-VNNI does them, or by pairs without it. Included by dot.h. */
#ifndef LLI_BACKEND_WIDE_DOT_AVX2_H
#define LLI_BACKEND_WIDE_DOT_AVX2_H

#include <immintrin.h>

#include "backend/wide/dot.h"

/* 4 bytes in every lane. */
LLI_INLINE lli_words lli_words_of(const void *at)
{
    int32_t word;
    memcpy(&word, at, sizeof word);
    return (lli_words)_mm256_set1_epi32(word);
}

LLI_INLINE lli_floats lli_floats_of(float x)
{
    return (lli_floats)_mm256_set1_ps(x);
}

LLI_INLINE lli_floats lli_floats_fma(lli_floats a, lli_floats b, lli_floats c)
{
    return (lli_floats)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

/* 8 halves. */
LLI_INLINE lli_floats lli_floats_halves(const uint8_t *at)
{
    return (lli_floats)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)at));
}

LLI_INLINE lli_floats lli_floats_bf16(const uint8_t *at)
{
    return (lli_floats)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)at)), 16);
}

/* 8 bytes, widened. */
LLI_INLINE lli_words lli_words_u8(const uint8_t *at)
{
    return (lli_words)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)at));
}

LLI_INLINE lli_words lli_words_i8(const uint8_t *at)
{
    return (lli_words)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)at));
}

LLI_INLINE lli_floats lli_floats_int(lli_words w)
{
    return (lli_floats)_mm256_cvtepi32_ps((__m256i)w);
}

/* Of each word's two int16. */
LLI_INLINE lli_words lli_words_dot_pairs(lli_words a, lli_words b)
{
    return (lli_words)_mm256_madd_epi16((__m256i)a, (__m256i)b);
}

/* Each byte (below 16) becomes that byte of the table. */
LLI_INLINE lli_words lli_words_look_up(const uint8_t table[16], lli_words w)
{
    __m256i all = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
    return (lli_words)_mm256_shuffle_epi8(all, (__m256i)w);
}

#define LLI_MM(op) _mm256_##op
#define LLI_MM_REGISTER "x"
typedef __m256i lli_integers;

#if defined(LLI_ISA_AVX2_VNNI)
#define LLI_DPBUSD _mm256_dpbusd_avx_epi32
enum { LLI_VNNI_TILE = 3, LLI_VNNI_TILE_OFFSET = 3, LLI_VNNI_TILE_HALVES = 3 };

#include "backend/wide/dot_vnni.h"
#else
enum { LLI_PAIRS_TILE = 3, LLI_PAIRS_TILE_WIDE = 2 };

/* q with the sign of w. */
LLI_INLINE lli_integers lli_signed_as(lli_integers q, lli_integers w)
{
    return _mm256_sign_epi8(q, w);
}

LLI_INLINE lli_integers lli_four_times(const uint8_t bytes[16])
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)bytes));
}

#include "backend/wide/dot_pairs.h"
#endif

#endif
