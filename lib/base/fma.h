/* base/fma.h - fused multiply-add, one rounding, exact for every input: the instruction where the compiler has it, else our
 * own from the other operations, with the same bits. Rounding is to nearest (base/fenv.h). */
#ifndef LLI_BASE_FMA_H
#define LLI_BASE_FMA_H

#include <stdint.h>
#include <string.h>

#if defined(__FMA__) || defined(__aarch64__)

static inline float lli_fma_f32(float a, float b, float c)
{
    return __builtin_fmaf(a, b, c);
}

static inline double lli_fma_f64(double a, double b, double c)
{
    return __builtin_fma(a, b, c);
}

#else

/* s + e as a double whose last bit is set where it is not exact; s is the rounded sum, e its error. What is rounded so can be
 * rounded once more, to fewer bits, as if there had been one rounding (Boldo, Melquiond, "Emulation of FMA and correctly
 * rounded sums", 2008). */
static inline double lli_fma_odd(double s, double e)
{
    uint64_t bits;
    memcpy(&bits, &s, sizeof bits);
    if (e == 0 || (bits & 1) != 0 || (bits >> 52 & 0x7ff) == 0x7ff)
        return s;
    bits += (e > 0) == (s > 0) ? 1 : UINT64_MAX;
    memcpy(&s, &bits, sizeof s);
    return s;
}

static inline double lli_fma_two_sum(double *error, double a, double b)
{
    double s = a + b, part = s - a;
    *error = (a - (s - part)) + (b - part);
    return s;
}

static inline float lli_fma_f32(float a, float b, float c)
{
    double error, s = lli_fma_two_sum(&error, (double)a * (double)b, c);
    return (float)lli_fma_odd(s, error);
}

/* Exact where nothing overflows and no product's error underflows, which holds for all arguments of base/mathx. */
static inline double lli_fma_f64(double a, double b, double c)
{
    double sa = a * 134217729.0, sb = b * 134217729.0; /* 2^27 + 1 cuts a double in two halves */
    double ah = sa - (sa - a), al = a - ah, bh = sb - (sb - b), bl = b - bh;
    double p = a * b, p_low = ((ah * bh - p) + ah * bl + al * bh) + al * bl;
    double u_low, t_low, odd_low;
    double u = lli_fma_two_sum(&u_low, c, p_low), t = lli_fma_two_sum(&t_low, p, u);
    double odd = lli_fma_two_sum(&odd_low, t_low, u_low);
    return t + lli_fma_odd(odd, odd_low);
}

#endif

#endif
