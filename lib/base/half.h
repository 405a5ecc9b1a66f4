/* base/half.h - binary16 and bfloat16 to and from binary32, round to nearest even, without the CPU's help. */
#ifndef LLI_BASE_HALF_H
#define LLI_BASE_HALF_H

#include <stdint.h>
#include <string.h>

float lli_half_to_f32(uint16_t h);
uint16_t lli_half_from_f32(float f); /* overflow gives Inf, NaN stays NaN */

static inline float lli_bf16_to_f32(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

uint16_t lli_bf16_from_f32(float f);

#endif
