/* backend/wide/dot.h - the vocabulary of products: a vector of LLI_LANES words (4 bytes of one weight row each), one of as
 * many floats, and the integer dot products of a block for a tile of rows of activations x groups of weight rows.
 *
 * Every dot_<isa>.h gives, beside the types and the small operations:
 *
 *     LLI_TILE, lli_dot_tile      rows of activations of a tile at most, and for codes of so many bits in whole blocks or in
 *                                 two scaled halves, with an offset or without, packed or expanded: what the registers hold
 *     LLI_FEW, LLI_FEW_GROUPS     up to so many rows of activations a tile has so many groups: with one, memory is read in
 *                                 one stream (Zen 5, one row: 92 % of what a loop of loads reads, 78 % in four streams)
 *     LLI_BYTE_FLIP               what 8-bit weights are xored with: 0x80 where the dot product wants them unsigned
 *     lli_dot_whole               idot[t][g] = (float) sum of (codes - bias) * q over a block; n_x rows, n_g groups
 *     lli_dot_halves              the same with each half of the block multiplied by an integer scale
 *     lli_doubles                 1 for codes of so many bits that an expanded chunk holds as int16, with the activations:
 *                                 lli_codes_double, lli_double and lli_dot_doubled then
 *     LLI_DIRECT_BYTES            rows of activations up to which 8-bit weights are not expanded
 *
 * Codes are unsigned and at most `bits` wide; with LLI_BYTE_FLIP 0 and 8 bits they are signed. */
#ifndef LLI_BACKEND_WIDE_DOT_H
#define LLI_BACKEND_WIDE_DOT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "backend/wide/wide.h"

typedef uint32_t lli_words __attribute__((vector_size(4 * LLI_LANES)));
typedef float lli_floats __attribute__((vector_size(4 * LLI_LANES)));

/* Word row i of a block's codes: elements 4i .. 4i + 3. */
typedef lli_words lli_codes_fn(const uint8_t *planes, int i);

/* What a block's numbers are worth; each kind of sum uses some. */
struct lli_scales {
    lli_floats d, m;
    lli_words half[2]; /* scales of 16 elements, as lli_dot_halves wants them (lli_half_scale) */
    lli_words minima;  /* two int16: of the first and of the second half */
};

enum { LLI_CHUNK = 16 }; /* blocks of an expanded chunk: with the activations of a tile in 32 KiB */

LLI_INLINE lli_words lli_words_load(const uint8_t *at)
{
    lli_words w;
    memcpy(&w, at, sizeof w);
    return w;
}

LLI_INLINE void lli_words_store(uint8_t *at, lli_words w)
{
    memcpy(at, &w, sizeof w);
}

LLI_INLINE lli_floats lli_floats_load(const uint8_t *at)
{
    lli_floats f;
    memcpy(&f, at, sizeof f);
    return f;
}

LLI_INLINE void lli_floats_store(void *at, lli_floats f)
{
    memcpy(at, &f, sizeof f);
}

#if defined(LLI_ISA_AVX512)
#include "backend/wide/dot_avx512.h"
#elif defined(LLI_ISA_AVX2)
#include "backend/wide/dot_avx2.h"
#else
#include "backend/wide/dot_neon.h"
#endif

#endif
