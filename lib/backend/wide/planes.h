/* backend/wide/planes.h - packed blocks (backend/pack.h) as vectors: word rows of codes, and scales. */
#ifndef LLI_BACKEND_WIDE_PLANES_H
#define LLI_BACKEND_WIDE_PLANES_H

#include "backend/wide/dot.h"

enum { WORD_ROW = 4 * LLI_LANES }; /* bytes */

/* ---- codes */

/* N4: the low nibbles are steps 0 .. 3, the high ones 4 .. 7. */
LLI_INLINE lli_words lli_codes_n4(const uint8_t *planes, int i)
{
    lli_words w = lli_words_load(planes + i % 4 * WORD_ROW);
    return (i < 4 ? w : w >> 4) & 0x0f0f0f0f;
}

/* N4, H1. */
LLI_INLINE lli_words lli_codes_n4_h1(const uint8_t *planes, int i)
{
    lli_words high = lli_words_load(planes + 4 * WORD_ROW);
    return lli_codes_n4(planes, i) | ((i < 4 ? high << (4 - i) : high >> (i - 4)) & 0x10101010);
}

/* N4, H2. */
LLI_INLINE lli_words lli_codes_n4_h2(const uint8_t *planes, int i)
{
    lli_words high = lli_words_load(planes + (4 + i / 4) * WORD_ROW);
    int shift = 4 - 2 * (i % 4);
    return lli_codes_n4(planes, i) | ((shift >= 0 ? high << shift : high >> -shift) & 0x30303030);
}

/* H2. */
LLI_INLINE lli_words lli_codes_h2(const uint8_t *planes, int i)
{
    return lli_words_load(planes + i / 4 * WORD_ROW) >> 2 * (i % 4) & 0x03030303;
}

/* H2, H1. */
LLI_INLINE lli_words lli_codes_h2_h1(const uint8_t *planes, int i)
{
    lli_words high = lli_words_load(planes + 2 * WORD_ROW);
    return lli_codes_h2(planes, i) | ((i < 2 ? high << (2 - i) : high >> (i - 2)) & 0x04040404);
}

/* B8. */
LLI_INLINE lli_words lli_codes_b8(const uint8_t *planes, int i)
{
    return lli_words_load(planes + i * WORD_ROW) ^ LLI_BYTE_FLIP;
}

/* N4, through the table of IQ4_NL and IQ4_XS. */
LLI_INLINE lli_words lli_codes_table(const uint8_t *planes, int i)
{
    static const uint8_t values[16] = {0x81, 0x98, 0xad, 0xbf, 0xcf, 0xdd, 0xea, 0xf6,
                                       0x01, 0x0d, 0x19, 0x26, 0x35, 0x45, 0x59, 0x71}; /* -127 .. 113 as int8 */
    return lli_words_look_up(values, lli_codes_n4(planes, i)) ^ LLI_BYTE_FLIP;
}

/* N4, through the table of MXFP4: twice its numbers. */
LLI_INLINE lli_words lli_codes_mxfp4(const uint8_t *planes, int i)
{
    static const uint8_t values[16] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x06, 0x08, 0x0c,
                                       0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfa, 0xf8, 0xf4};
    return lli_words_look_up(values, lli_codes_n4(planes, i)) ^ LLI_BYTE_FLIP;
}

/* What an expanded block has: the codes of all steps. */
LLI_INLINE lli_words lli_codes_expanded(const uint8_t *planes, int i)
{
    return lli_words_load(planes + i * WORD_ROW);
}

/* ---- scales: of a block at `block` in the unit at `unit` */

typedef void lli_scales_fn(struct lli_scales *out, const uint8_t *unit, const uint8_t *block);

/* d */
LLI_INLINE void lli_scales_d(struct lli_scales *out, const uint8_t *unit, const uint8_t *block)
{
    (void)block;
    out->d = lli_floats_halves(unit);
}

/* d, in the upper half of a binary32 */
LLI_INLINE void lli_scales_bf16(struct lli_scales *out, const uint8_t *unit, const uint8_t *block)
{
    (void)block;
    out->d = lli_floats_bf16(unit);
}

/* d, m */
LLI_INLINE void lli_scales_d_m(struct lli_scales *out, const uint8_t *unit, const uint8_t *block)
{
    (void)block;
    out->d = lli_floats_halves(unit);
    out->m = lli_floats_halves(unit + 2 * LLI_LANES);
}

/* d, dmin; scale, minimum */
LLI_INLINE void lli_scales_q4_k(struct lli_scales *out, const uint8_t *unit, const uint8_t *block)
{
    out->d = lli_floats_halves(unit) * lli_floats_int(lli_words_u8(block));
    out->m = -(lli_floats_halves(unit + 2 * LLI_LANES) * lli_floats_int(lli_words_u8(block + LLI_LANES)));
}

/* d; scale */
LLI_INLINE void lli_scales_iq4_xs(struct lli_scales *out, const uint8_t *unit, const uint8_t *block)
{
    out->d = lli_floats_halves(unit) * lli_floats_int(lli_words_i8(block));
}

/* d; two scales */
LLI_INLINE void lli_scales_q6_k(struct lli_scales *out, const uint8_t *unit, const uint8_t *block)
{
    out->d = lli_floats_halves(unit);
    out->half[0] = lli_half_scale(lli_words_i8(block));
    out->half[1] = lli_half_scale(lli_words_i8(block + LLI_LANES));
}

/* d, dmin; two bytes of a scale and a minimum */
LLI_INLINE void lli_scales_q2_k(struct lli_scales *out, const uint8_t *unit, const uint8_t *block)
{
    lli_words first = lli_words_u8(block), second = lli_words_u8(block + LLI_LANES);
    out->d = lli_floats_halves(unit);
    out->m = lli_floats_halves(unit + 2 * LLI_LANES);
    out->half[0] = lli_half_scale(first & 15);
    out->half[1] = lli_half_scale(second & 15);
    out->minima = first >> 4 | second >> 4 << 16;
}

#endif
