/* backend/wide/dot_avx2.h - products of bytes by vpmaddubsw: 8 rows. Sums stay in int16 as long as they fit: 8 steps of 4-bit
 * codes, 4 of 5 bits, 2 of 6 bits. 8-bit weights are signed: |w| times q with the sign of w. Included by dot.h. */
#ifndef LLI_BACKEND_WIDE_DOT_AVX2_H
#define LLI_BACKEND_WIDE_DOT_AVX2_H

#include <immintrin.h>

#include "backend/wide/dot.h"

enum {
    LLI_TILE = 5,
    LLI_CODES_ROWS = 16 /* word rows of an expanded block */
};
#define LLI_BYTE_FLIP 0u
#define LLI_DIRECT_BYTES 8

LLI_INLINE int lli_doubles(int bits)
{
    return bits == 8;
}

LLI_INLINE int lli_dot_tile(int bits, int halves, int is_expanded)
{
    return is_expanded && lli_doubles(bits) ? 5 : bits <= 4 && !halves ? 3 : 2;
}

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

/* Twice as int16, for vpmaddwd. */
LLI_INLINE lli_words lli_half_scale(lli_words scale)
{
    return (scale & 0xffff) | scale << 16;
}

/* The value is made here: a compiler that puts off the sums of all steps runs out of registers (gcc 12: 90 spills a block). */
LLI_INLINE void make_now(__m256i *value)
{
    __asm__ volatile("" : "+x"(*value));
}

/* Steps whose sums fit int16: 2^15 / (2 * 127 * the largest code). */
LLI_INLINE int steps_that_fit(int bits)
{
    return bits <= 4 ? 8 : bits == 5 ? 4 : bits == 6 ? 2 : 1;
}

/* Pairs of products of one step. */
LLI_INLINE __m256i multiply_step(__m256i w, __m256i q, int bits)
{
    if (bits == 8)
        return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(q, w));
    return _mm256_maddubs_epi16(w, q);
}

/* sum (from zero if `opens`) += `by` times the products of steps first .. last - 1, which fit int16 together. */
LLI_INLINE void add_steps(__m256i sum[LLI_TILE][LLI_GROUPS], int opens, const __m256i by[LLI_GROUPS],
                          const uint8_t *const planes[LLI_GROUPS], lli_codes_fn *codes, int bits,
                          const struct lli_q8 *const x[LLI_TILE], size_t b, int n_x, int first, int last)
{
    __m256i narrow[LLI_TILE][LLI_GROUPS];
    LLI_UNROLL for (int i = first; i < last; i++)
    {
        __m256i w0 = (__m256i)codes(planes[0], i), w1 = (__m256i)codes(planes[1], i);
        LLI_UNROLL for (int t = 0; t < n_x; t++)
        {
            __m256i q = (__m256i)lli_words_of(x[t][b].q + 4 * i);
            __m256i p0 = multiply_step(w0, q, bits), p1 = multiply_step(w1, q, bits);
            narrow[t][0] = i == first ? p0 : _mm256_add_epi16(narrow[t][0], p0);
            narrow[t][1] = i == first ? p1 : _mm256_add_epi16(narrow[t][1], p1);
            make_now(&narrow[t][0]);
            make_now(&narrow[t][1]);
        }
    }
    LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++)
    {
        __m256i wide = _mm256_madd_epi16(narrow[t][g], by[g]);
        sum[t][g] = opens ? wide : _mm256_add_epi32(sum[t][g], wide);
        make_now(&sum[t][g]);
    }
}

LLI_INLINE void lli_dot_whole(lli_floats idot[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS],
                              lli_codes_fn *codes, int bits, int bias, const struct lli_q8 *const x[LLI_TILE], size_t b,
                              int n_x)
{
    const __m256i ones[LLI_GROUPS] = {_mm256_set1_epi16(1), _mm256_set1_epi16(1)};
    __m256i sum[LLI_TILE][LLI_GROUPS];
    int n = steps_that_fit(bits);
    LLI_UNROLL for (int i = 0; i < 8; i += n) add_steps(sum, i == 0, ones, planes, codes, bits, x, b, n_x, i, i + n);
    LLI_UNROLL for (int t = 0; t < n_x; t++)
    {
        __m256i minus_sum = (__m256i)lli_words_of(&x[t][b].minus_sum);
        LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++)
        {
            if (bias != 0)
                sum[t][g] = _mm256_add_epi32(sum[t][g], _mm256_slli_epi32(minus_sum, __builtin_ctz((unsigned)bias)));
            idot[t][g] = (lli_floats)_mm256_cvtepi32_ps(sum[t][g]);
        }
    }
}

/* Owed: -bias * (scale of the first half * its sum of q + scale of the second * its). */
LLI_INLINE void lli_dot_halves(lli_floats idot[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS],
                               lli_codes_fn *codes, const struct lli_scales *scales, int bits, int bias,
                               const struct lli_q8 *const x[LLI_TILE], size_t b, int n_x)
{
    __m256i sum[LLI_TILE][LLI_GROUPS], owed[LLI_GROUPS];
    int n = steps_that_fit(bits) < 4 ? steps_that_fit(bits) : 4;
    LLI_UNROLL for (int h = 0; h < 2; h++)
    {
        const __m256i by[LLI_GROUPS] = {(__m256i)scales[0].half[h], (__m256i)scales[1].half[h]};
        LLI_UNROLL for (int i = 4 * h; i < 4 * h + 4; i += n)
            add_steps(sum, i == 0, by, planes, codes, bits, x, b, n_x, i, i + n);
    }
    LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++) owed[g] = _mm256_mullo_epi16(
        _mm256_blend_epi16((__m256i)scales[g].half[0], (__m256i)scales[g].half[1], 0xaa), _mm256_set1_epi16((int16_t)-bias));
    LLI_UNROLL for (int t = 0; t < n_x; t++)
    {
        __m256i sums = (__m256i)lli_words_of(x[t][b].sums);
        LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++) idot[t][g] =
            (lli_floats)_mm256_cvtepi32_ps(_mm256_add_epi32(sum[t][g], _mm256_madd_epi16(sums, owed[g])));
    }
}

/* ---- expanded: 8 bits as int16 */

/* Activations of a tile. */
struct lli_doubled {
    int16_t q[LLI_TILE][LLI_CHUNK][LLI_ACT_BLOCK];
};

/* Step i becomes two rows of pairs: elements 4i, 4i + 1, and 4i + 2, 4i + 3. A byte comes to both halves of its int16; the
 * shift then extends its sign. */
LLI_INLINE void lli_codes_double(uint8_t *codes, int i, lli_words w)
{
    const __m256i first =
        _mm256_setr_epi32(0x01010000, 0x05050404, 0x09090808, 0x0d0d0c0c, 0x01010000, 0x05050404, 0x09090808, 0x0d0d0c0c);
    __m256i second = _mm256_add_epi8(first, _mm256_set1_epi8(2));
    codes += 2 * i * 4 * LLI_LANES;
    lli_words_store(codes, (lli_words)_mm256_srai_epi16(_mm256_shuffle_epi8((__m256i)w, first), 8));
    lli_words_store(codes + 4 * LLI_LANES, (lli_words)_mm256_srai_epi16(_mm256_shuffle_epi8((__m256i)w, second), 8));
}

LLI_INLINE void lli_double(struct lli_doubled *out, const struct lli_q8 *const x[LLI_TILE], size_t first, size_t n, int n_x)
{
    for (size_t b = 0; b < n; b++)
        LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int h = 0; h < 2; h++)
        {
            __m128i q = _mm_loadu_si128((const __m128i *)(const void *)(x[t][first + b].q + 16 * h));
            _mm256_storeu_si256((__m256i *)(void *)(out->q[t][b] + 16 * h), _mm256_cvtepi8_epi16(q));
        }
}

/* Two operations for 2 k where bytes take four for 4, three of them on two ports. */
LLI_INLINE void lli_dot_doubled(lli_floats idot[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS],
                                const struct lli_doubled *x, size_t b, int n_x)
{
    __m256i sum[LLI_TILE][LLI_GROUPS];
    LLI_UNROLL for (int i = 0; i < 16; i++)
    {
        __m256i w0 = (__m256i)lli_words_load(planes[0] + i * 4 * LLI_LANES);
        __m256i w1 = (__m256i)lli_words_load(planes[1] + i * 4 * LLI_LANES);
        LLI_UNROLL for (int t = 0; t < n_x; t++)
        {
            __m256i q = (__m256i)lli_words_of(x->q[t][b] + 2 * i);
            __m256i p0 = _mm256_madd_epi16(w0, q), p1 = _mm256_madd_epi16(w1, q);
            sum[t][0] = i == 0 ? p0 : _mm256_add_epi32(sum[t][0], p0);
            sum[t][1] = i == 0 ? p1 : _mm256_add_epi32(sum[t][1], p1);
            make_now(&sum[t][0]);
            make_now(&sum[t][1]);
        }
    }
    LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++) idot[t][g] =
        (lli_floats)_mm256_cvtepi32_ps(sum[t][g]);
}

#endif
