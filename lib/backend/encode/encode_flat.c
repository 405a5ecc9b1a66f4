/* backend/encode/encode_flat.c - blocks of 32 with a scale, or a scale and a minimum, of their own. */
#include <string.h>

#include "backend/encode/encoders.h"
#include "backend/encode/fit.h"
#include "backend/encode/codes.h"

enum { BLOCK = 32 };

static inline void put_half(uint8_t *at, uint16_t h)
{
    memcpy(at, &h, sizeof h);
}

/* ---- what codes are worth */

LLI_FIT_INLINE lli_vec snap_4(lli_vec v)
{
    return lli_fit_snap(v, -8.0f, 7.0f);
}

LLI_FIT_INLINE lli_vec snap_5(lli_vec v)
{
    return lli_fit_snap(v, -16.0f, 15.0f);
}

/* ---- how codes stand in a block */

static void put_nibbles(uint8_t *at, const uint8_t *code)
{
    for (size_t i = 0; i < 16; i++)
        at[i] = (uint8_t)((code[i] & 15) | (code[16 + i] & 15) << 4);
}

static void put_fifths(uint8_t *at, const uint8_t *code)
{
    memset(at, 0, 4);
    for (size_t i = 0; i < BLOCK; i++)
        at[i / 8] = (uint8_t)(at[i / 8] | (code[i] >> 4 & 1) << i % 8);
}

/* The scale and the codes of 32 elements. */
LLI_FIT_INLINE uint16_t encode_block(uint8_t *code, const float *from, float low, float high, int zero, lli_fit_snap_fn *snap)
{
    float x[BLOCK], s;
    struct lli_fit_range range;
    uint16_t half;
    if (!lli_fit_normalise(x, &range, from, BLOCK)) {
        memset(code, zero, BLOCK);
        return 0;
    }
    s = lli_fit_scale(x, BLOCK, low, high, snap);
    half = lli_fit_half(&s, &range);
    lli_fit_choose(code, x, BLOCK, s, low, high, zero);
    return half;
}

void lli_encode_q4_0(uint8_t *out, const float *x, size_t n)
{
    for (; n > 0; n -= BLOCK, x += BLOCK, out += 18) {
        uint8_t code[BLOCK];
        put_half(out, encode_block(code, x, -8, 7, 8, snap_4));
        put_nibbles(out + 2, code);
    }
}

void lli_encode_q5_0(uint8_t *out, const float *x, size_t n)
{
    for (; n > 0; n -= BLOCK, x += BLOCK, out += 22) {
        uint8_t code[BLOCK];
        put_half(out, encode_block(code, x, -16, 15, 16, snap_5));
        put_fifths(out + 2, code);
        put_nibbles(out + 6, code);
    }
}

/* The largest element keeps its place: with 255 codes there is nothing to win. */
void lli_encode_q8_0(uint8_t *out, const float *x, size_t n)
{
    for (; n > 0; n -= BLOCK, x += BLOCK, out += 34) {
        float v[BLOCK], s;
        struct lli_fit_range range;
        memset(out, 0, 34);
        if (!lli_fit_normalise(v, &range, x, BLOCK))
            continue;
        s = lli_fit_extreme(v, BLOCK) / 127.0f;
        s = s < 0.0f ? -s : s;
        put_half(out, lli_fit_half(&s, &range));
        lli_fit_choose(out + 2, v, BLOCK, s, -127, 127, 0);
    }
}

void lli_encode_iq4_nl(uint8_t *out, const float *x, size_t n)
{
    for (; n > 0; n -= BLOCK, x += BLOCK, out += 18) {
        float v[BLOCK], s;
        uint8_t code[BLOCK];
        struct lli_fit_range range;
        memset(out, 0, 2);
        memset(code, 8, BLOCK); /* worth 1, times 0 */
        if (lli_fit_normalise(v, &range, x, BLOCK)) {
            s = lli_fit_scale(v, BLOCK, -127, 113, lli_codes_snap);
            put_half(out, lli_fit_half(&s, &range));
            lli_codes_choose(code, v, BLOCK, s);
        }
        put_nibbles(out + 2, code);
    }
}

/* Codes 0 .. top, and the scale and minimum of 32 elements at `at`. */
LLI_FIT_INLINE void encode_line(uint8_t *at, uint8_t *code, const float *from, float top)
{
    float x[BLOCK], s, m;
    struct lli_fit_range range;
    memset(at, 0, 4);
    memset(code, 0, BLOCK);
    if (!lli_fit_normalise(x, &range, from, BLOCK))
        return;
    lli_fit_line(&s, &m, x, BLOCK, top, 0);
    m = -m;
    put_half(at + 2, lli_fit_offset(&m, &range));
    if (!(s > 0.0f))
        return;
    put_half(at, lli_fit_half(&s, &range));
    for (size_t i = 0; i < BLOCK; i++)
        x[i] -= m;
    lli_fit_choose(code, x, BLOCK, s, 0, top, 0);
}

void lli_encode_q4_1(uint8_t *out, const float *x, size_t n)
{
    for (; n > 0; n -= BLOCK, x += BLOCK, out += 20) {
        uint8_t code[BLOCK];
        encode_line(out, code, x, 15);
        put_nibbles(out + 4, code);
    }
}

void lli_encode_q5_1(uint8_t *out, const float *x, size_t n)
{
    for (; n > 0; n -= BLOCK, x += BLOCK, out += 24) {
        uint8_t code[BLOCK];
        encode_line(out, code, x, 31);
        put_fifths(out + 4, code);
        put_nibbles(out + 8, code);
    }
}
