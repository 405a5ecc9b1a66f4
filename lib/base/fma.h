/* base/fma.h - fused multiply-add, one rounding, exact for every input: the instruction where the compiler has it, else our
 * own with the same bits. Rounding is to nearest (base/fenv.h). */
#ifndef LLI_BASE_FMA_H
#define LLI_BASE_FMA_H

#include <stdint.h>
#include <string.h>

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)

#define LLI_FMA_INSTRUCTION 1

static inline float lli_fma_f32(float a, float b, float c)
{
    return __builtin_fmaf(a, b, c);
}

#else

#define LLI_FMA_INSTRUCTION 0

/* In binary64 the product is exact and an error-free sum leaves what the addition lost. If anything was lost the sum is
 * rounded to odd: of the two doubles around the exact value, the one whose last bit is set. Rounding that to binary32 is
 * then as good as one rounding (Boldo, Melquiond, "Emulation of FMA and correctly rounded sums", 2008). */
static inline float lli_fma_f32(float a, float b, float c)
{
    double p = (double)a * (double)b, s = p + c, part = s - p, lost = (p - (s - part)) + (c - part);
    uint64_t bits;
    memcpy(&bits, &s, sizeof bits);
    if (lost != 0 && (bits & 1) == 0 && (bits >> 52 & 0x7ff) != 0x7ff) {
        bits += (lost > 0) == (s > 0) ? 1 : UINT64_MAX;
        memcpy(&s, &bits, sizeof s);
    }
    return (float)s;
}

#endif

double lli_fma_f64(double a, double b, double c);

#endif
