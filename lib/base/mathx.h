/* base/mathx.h - transcendental functions in our own bits: only + - * / and fma, fixed polynomials, so that two C libraries
 * cannot disagree (docs/numerics.md). */
#ifndef LLI_BASE_MATHX_H
#define LLI_BASE_MATHX_H

#include <stdint.h>
#include <string.h>

#include "base/fma.h"

/* The nearest integer, ties to even, |x| < 2^22. */
static inline float lli_round_f32(float x)
{
    return (x + 0x1.8p23f) - 0x1.8p23f;
}

/* exp to 1 ulp; +0 below -64, +Inf above 88.7, NaN stays NaN. The power of two is added to the exponent's bits, since a product
 * with it would overflow above 88.376. */
static inline float lli_exp_f32(float x)
{
    float n, r, y;
    uint32_t bits;
    if (x != x)
        return x;
    if (x < -64.0f)
        return 0.0f;
    if (x > 88.7f)
        return __builtin_inff();
    n = lli_round_f32(x * 0x1.715476p+0f);
    r = lli_fma_f32(n, -0x1.62e430p-1f, x);
    r = lli_fma_f32(n, 0x1.05c610p-29f, r);
    y = 0x1.6d119ap-10f;
    y = lli_fma_f32(y, r, 0x1.120cp-7f);
    y = lli_fma_f32(y, r, 0x1.555518p-5f);
    y = lli_fma_f32(y, r, 0x1.5554dcp-3f);
    y = lli_fma_f32(y, r, 0.5f);
    y = lli_fma_f32(y, r, 1.0f);
    y = lli_fma_f32(y, r, 1.0f);
    memcpy(&bits, &y, sizeof bits);
    bits += (uint32_t)(int32_t)n << 23;
    memcpy(&y, &bits, sizeof y);
    return y;
}

/* tanh to 2 ulp: an odd polynomial below 0.625, else 1 - 2 / (exp(2a) + 1), both of a = |x|; then the sign of x. */
static inline float lli_tanh_f32(float x)
{
    uint32_t bits, sign;
    float a, z, y;
    memcpy(&bits, &x, sizeof bits);
    sign = bits & 0x80000000;
    bits ^= sign;
    memcpy(&a, &bits, sizeof a);
    if (a < 0.625f) {
        z = a * a;
        y = lli_fma_f32(-0x1.75e1c4p-8f, z, 0x1.522698p-6f);
        y = lli_fma_f32(y, z, -0x1.b83c5ap-5f);
        y = lli_fma_f32(y, z, 0x1.110726p-3f);
        y = lli_fma_f32(y, z, -0x1.555532p-2f);
        y = lli_fma_f32(y * z, a, a);
    } else {
        y = 1.0f - 2.0f / (lli_exp_f32(a + a) + 1.0f);
    }
    memcpy(&bits, &y, sizeof bits);
    bits |= sign;
    memcpy(&y, &bits, sizeof y);
    return y;
}

/* GELU in the tanh form, x / 2 * (1 + tanh(u)) with u = sqrt(2 / pi) (x + 0.044715 x^3), which is x / (1 + exp(-2 u)). */
static inline float lli_gelu_f32(float x)
{
    float u2 = x * lli_fma_f32(x * x, 0x1.2444f2p-4f, 0x1.988454p+0f);
    return x / (1.0f + lli_exp_f32(-u2));
}

/* GELU as it is defined, x * P(x), P the normal distribution. Its tail P(-a) = exp(-a^2 / 2) t Q(t) with t = 1 / (1 + 0.3 a), a
 * form of Hastings' ("Approximations for Digital Computers", 1955); Q is fitted to 6e-8 of it. 8e-7 of the result at most for
 * |x| below 5. */
static inline float lli_gelu_erf_f32(float x)
{
    float a = x < 0 ? -x : x, t = 1.0f / lli_fma_f32(a, 0.3f, 1.0f), q = 0x1.31e39ap-5f, tail;
    q = lli_fma_f32(q, t, -0x1.5048c4p-3f);
    q = lli_fma_f32(q, t, 0x1.bf96bap-3f);
    q = lli_fma_f32(q, t, -0x1.0a8bf8p-4f);
    q = lli_fma_f32(q, t, 0x1.13df0ap-3f);
    q = lli_fma_f32(q, t, 0x1.917084p-4f);
    q = lli_fma_f32(q, t, 0x1.efe588p-4f);
    q = lli_fma_f32(q, t, 0x1.e9ea1ep-4f);
    tail = t * q * lli_exp_f32(a * (a * -0.5f));
    return x < 0 ? x * tail : lli_fma_f32(-x, tail, x);
}

/* binary64, at most 2 ulp over the arguments that the library uses. Where there is no result it is NaN, as in C. */
double lli_exp_f64(double x);
double lli_log_f64(double x);
double lli_pow_f64(double x, double y);                          /* finite x > 0, else NaN */
void lli_sincos_f64(double *sin_out, double *cos_out, double x); /* |x| <= 2^31, else NaN */

#endif
