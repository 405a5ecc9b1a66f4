/* base/half.c - binary16 and bfloat16 in integer arithmetic: exact one way, round to nearest even the other. A NaN keeps
 * the payload bits that fit, so every 16-bit pattern survives the way through binary32. */
#include "base/half.h"

#define F32_SIGN 0x80000000u
#define F32_INF 0x7F800000u
#define HALF_MIN_NORMAL 0x38800000u /* 2^-14 */
#define HALF_OVERFLOW 0x477FF000u   /* 65520, half way between the largest half and what would follow it */

static uint32_t bits_of(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* v / 2^shift to the nearest integer, ties to even; shift >= 1. */
static uint32_t shift_round(uint32_t v, unsigned shift)
{
    uint32_t odd = (v >> shift) & 1;
    return (v + (1u << (shift - 1)) - 1 + odd) >> shift;
}

float lli_half_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31u, mantissa = h & 0x3FFu;
    if (exponent == 31)
        return float_of(sign | F32_INF | mantissa << 13);
    if (exponent != 0)
        return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
    /* Subnormal: mantissa * 2^-24, exact in binary32. */
    return float_of(sign | bits_of((float)mantissa * 0x1p-24f));
}

uint16_t lli_half_from_f32(float f)
{
    uint32_t bits = bits_of(f), sign = (bits & F32_SIGN) >> 16, magnitude = bits & ~F32_SIGN;
    if (magnitude > F32_INF) {
        uint32_t payload = (magnitude >> 13) & 0x3FF;
        return (uint16_t)(sign | 0x7C00 | (payload ? payload : 0x200));
    }
    if (magnitude >= HALF_OVERFLOW)
        return (uint16_t)(sign | 0x7C00);
    if (magnitude >= HALF_MIN_NORMAL) /* a carry out of the mantissa is the next exponent */
        return (uint16_t)(sign | shift_round(magnitude - (112u << 23), 13));
    unsigned shift = 126 - (magnitude >> 23); /* from mantissa * 2^(e - 150) to units of 2^-24 */
    if (shift > 24)
        return (uint16_t)sign;
    return (uint16_t)(sign | shift_round((magnitude & 0x7FFFFF) | 0x800000, shift));
}

uint16_t lli_bf16_from_f32(float f)
{
    uint32_t bits = bits_of(f);
    if ((bits & ~F32_SIGN) > F32_INF) {
        uint32_t high = bits >> 16;
        return (uint16_t)(high & 0x7F ? high : high | 0x40);
    }
    return (uint16_t)((bits & F32_SIGN) >> 16 | shift_round(bits & ~F32_SIGN, 16));
}
