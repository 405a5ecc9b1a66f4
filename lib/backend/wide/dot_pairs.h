/* backend/wide/dot_pairs.h - products of bytes by vpmaddubsw, of either width. Sums stay in int16 as long as they fit: 8 steps
 * of 4-bit codes, 4 of 5 bits, 2 of 6 bits. 8-bit weights are signed: |w| times q with the sign of w, or both as int16 in an
 * expanded chunk. Included by dot_avx2.h and dot_avx512.h, which give the width:
 *
 *     LLI_MM(op), LLI_MM_REGISTER, lli_integers      an operation, a register of inline assembly, its type
 *     LLI_PAIRS_TILE, LLI_PAIRS_TILE_WIDE            rows of a tile whose sums are int16, and int32
 *     lli_signed_as, lli_four_times                  q with the sign of w; 16 bytes in every quarter */
#ifndef LLI_BACKEND_WIDE_DOT_PAIRS_H
#define LLI_BACKEND_WIDE_DOT_PAIRS_H

#include "backend/wide/dot.h"

enum {
    LLI_TILE = 6,
    LLI_FEW = 4,
    LLI_FEW_GROUPS = 1,
    LLI_CODES_ROWS = 16 /* word rows of an expanded block */
};
#define LLI_BYTE_FLIP 0u
#define LLI_DIRECT_BYTES 8

LLI_INLINE int lli_doubles(int bits)
{
    return bits == 8;
}

LLI_INLINE int lli_dot_tile(int bits, int halves, int offset, int is_expanded)
{
    (void)offset;
    if (is_expanded && lli_doubles(bits))
        return 5;
    return bits <= 4 && !halves ? LLI_PAIRS_TILE : LLI_PAIRS_TILE_WIDE;
}

/* Twice as int16, for vpmaddwd. */
LLI_INLINE lli_words lli_half_scale(lli_words scale)
{
    return (scale & 0xffff) | scale << 16;
}

/* The value is made here: a compiler that puts off the sums of all steps runs out of registers (gcc 12: 90 spills a block). */
LLI_INLINE void make_now(lli_integers *value)
{
    __asm__ volatile("" : "+" LLI_MM_REGISTER(*value));
}

/* Steps whose sums fit int16: 2^15 / (2 * 127 * the largest code). */
LLI_INLINE int steps_that_fit(int bits)
{
    return bits <= 4 ? 8 : bits == 5 ? 4 : bits == 6 ? 2 : 1;
}

/* Pairs of products of one step. */
LLI_INLINE lli_integers multiply_step(lli_integers w, lli_integers q, int bits)
{
    if (bits == 8)
        return LLI_MM(maddubs_epi16)(LLI_MM(abs_epi8)(w), lli_signed_as(q, w));
    return LLI_MM(maddubs_epi16)(w, q);
}

/* sum (from zero if `opens`) += `by` times the products of steps first .. last - 1, which fit int16 together. */
LLI_INLINE void add_steps(lli_integers sum[LLI_TILE][LLI_GROUPS], int opens, const lli_integers by[LLI_GROUPS],
                          const uint8_t *const planes[LLI_GROUPS], lli_codes_fn *codes, int bits,
                          const struct lli_q8 *const x[LLI_TILE], size_t b, int n_x, int n_g, int first, int last)
{
    lli_integers narrow[LLI_TILE][LLI_GROUPS];
    LLI_UNROLL for (int i = first; i < last; i++)
    {
        lli_integers w[LLI_GROUPS];
        LLI_UNROLL for (int g = 0; g < n_g; g++) w[g] = (lli_integers)codes(planes[g], i);
        LLI_UNROLL for (int t = 0; t < n_x; t++)
        {
            lli_integers q = (lli_integers)lli_words_of(x[t][b].q + 4 * i);
            LLI_UNROLL for (int g = 0; g < n_g; g++)
            {
                lli_integers pairs = multiply_step(w[g], q, bits);
                narrow[t][g] = i == first ? pairs : LLI_MM(add_epi16)(narrow[t][g], pairs);
                make_now(&narrow[t][g]);
            }
        }
    }
    LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < n_g; g++)
    {
        lli_integers wide = LLI_MM(madd_epi16)(narrow[t][g], by[g]);
        sum[t][g] = opens ? wide : LLI_MM(add_epi32)(sum[t][g], wide);
        make_now(&sum[t][g]);
    }
}

LLI_INLINE void lli_dot_whole(lli_floats idot[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS],
                              lli_codes_fn *codes, int bits, int bias, const struct lli_q8 *const x[LLI_TILE], size_t b,
                              int n_x, int n_g)
{
    const lli_integers ones[LLI_GROUPS] = {LLI_MM(set1_epi16)(1), LLI_MM(set1_epi16)(1)};
    lli_integers sum[LLI_TILE][LLI_GROUPS];
    int n = steps_that_fit(bits);
    LLI_UNROLL for (int i = 0; i < 8; i += n) add_steps(sum, i == 0, ones, planes, codes, bits, x, b, n_x, n_g, i, i + n);
    LLI_UNROLL for (int t = 0; t < n_x; t++)
    {
        lli_integers minus_8_sum = (lli_integers)lli_words_of(&x[t][b].minus_8_sum);
        LLI_UNROLL for (int g = 0; g < n_g; g++)
        {
            if (bias != 0)
                sum[t][g] = LLI_MM(add_epi32)(sum[t][g], LLI_MM(slli_epi32)(minus_8_sum, __builtin_ctz((unsigned)bias / 8)));
            idot[t][g] = (lli_floats)LLI_MM(cvtepi32_ps)(sum[t][g]);
        }
    }
}

/* Owed: -bias * (scale of the first half * its sum of q + scale of the second * its). */
LLI_INLINE void lli_dot_halves(lli_floats idot[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS],
                               lli_codes_fn *codes, const struct lli_scales *scales, int bits, int bias,
                               const struct lli_q8 *const x[LLI_TILE], size_t b, int n_x, int n_g)
{
    lli_integers sum[LLI_TILE][LLI_GROUPS], owed[LLI_GROUPS];
    int n = steps_that_fit(bits) < 4 ? steps_that_fit(bits) : 4;
    LLI_UNROLL for (int h = 0; h < 2; h++)
    {
        lli_integers by[LLI_GROUPS];
        LLI_UNROLL for (int g = 0; g < n_g; g++) by[g] = (lli_integers)scales[g].half[h];
        LLI_UNROLL for (int i = 4 * h; i < 4 * h + 4; i += n)
            add_steps(sum, i == 0, by, planes, codes, bits, x, b, n_x, n_g, i, i + n);
    }
    LLI_UNROLL for (int g = 0; g < n_g; g++)
    {
        lli_words both = (scales[g].half[0] & 0xffff) | (scales[g].half[1] & 0xffff0000);
        owed[g] = LLI_MM(mullo_epi16)((lli_integers)both, LLI_MM(set1_epi16)((int16_t)bias));
    }
    LLI_UNROLL for (int t = 0; t < n_x; t++)
    {
        lli_integers minus_sums = (lli_integers)lli_words_of(x[t][b].minus_sums);
        LLI_UNROLL for (int g = 0; g < n_g; g++) idot[t][g] =
            (lli_floats)LLI_MM(cvtepi32_ps)(LLI_MM(add_epi32)(sum[t][g], LLI_MM(madd_epi16)(minus_sums, owed[g])));
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
    static const uint8_t low[16] = {0, 0, 1, 1, 4, 4, 5, 5, 8, 8, 9, 9, 12, 12, 13, 13};
    lli_integers first = lli_four_times(low), second = LLI_MM(add_epi8)(first, LLI_MM(set1_epi8)(2));
    codes += 2 * i * 4 * LLI_LANES;
    lli_words_store(codes, (lli_words)LLI_MM(srai_epi16)(LLI_MM(shuffle_epi8)((lli_integers)w, first), 8));
    lli_words_store(codes + 4 * LLI_LANES, (lli_words)LLI_MM(srai_epi16)(LLI_MM(shuffle_epi8)((lli_integers)w, second), 8));
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
    lli_integers sum[LLI_TILE][LLI_GROUPS];
    LLI_UNROLL for (int i = 0; i < 16; i++)
    {
        lli_integers w0 = (lli_integers)lli_words_load(planes[0] + i * 4 * LLI_LANES);
        lli_integers w1 = (lli_integers)lli_words_load(planes[1] + i * 4 * LLI_LANES);
        LLI_UNROLL for (int t = 0; t < n_x; t++)
        {
            lli_integers q = (lli_integers)lli_words_of(x->q[t][b] + 2 * i);
            lli_integers p0 = LLI_MM(madd_epi16)(w0, q), p1 = LLI_MM(madd_epi16)(w1, q);
            sum[t][0] = i == 0 ? p0 : LLI_MM(add_epi32)(sum[t][0], p0);
            sum[t][1] = i == 0 ? p1 : LLI_MM(add_epi32)(sum[t][1], p1);
            make_now(&sum[t][0]);
            make_now(&sum[t][1]);
        }
    }
    LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < LLI_GROUPS; g++) idot[t][g] =
        (lli_floats)LLI_MM(cvtepi32_ps)(sum[t][g]);
}

#endif
