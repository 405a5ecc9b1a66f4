/* backend/wide/vector.h - 16 floats as one value: the words in which the wide kernels are written. Lane i is float i, whatever
 * registers an instruction set makes of them; every operation acts on each lane and rounds as its name in C does.
 *
 *     lli_v16_load(x), load_n(x, n)       16 floats in any alignment; the first n <= 16, the others are +0 and not read
 *     lli_v16_store(out, a), store_n      and back
 *     lli_v16_set(x)                      x in all lanes; set_half(h): one F16 in all lanes
 *     lli_v16_halves(h), halves_n(h, n)   16 F16 as binary32, the first n; bf16s(h): 16 BF16
 *     lli_v16_int8s(q), int8s_n(q, n)     16 signed bytes as binary32
 *     lli_v16_store_halves(out, a)        rounded to F16
 *     lli_v16_store_int8s(out, a)         rounded to signed bytes, all |a| < 128; returns their sum
 *     lli_v16_add, sub, mul, div          fma(a, b, c) = a * b + c, negate, magnitude
 *     lli_v16_signed(a, sign)             a >= 0 with the sign bit of sign
 *     lli_v16_max(m, x)                   x > m ? x : m
 *     lli_v16_max_bits(a, b)              of the bits as unsigned integers
 *     lli_v16_raise(a, n)                 (bits of n) << 23 is added to the bits of a
 *     lli_v16_less(a, b), is_nan(a)       masks: one flag a lane. lli_m16_first(n): lanes 0 .. n - 1; not(a), any(a)
 *     lli_v16_choose(mask, a, b)          mask ? a : b
 *     lli_v16_sum(a)                      the lanes become one: h = 8, 4, 2, 1, lane j + lane (j + h)
 *     lli_v16_top(a), top_bits(a)         the greatest lane, as float (no NaN; of zeros either), as unsigned integer
 *     lli_v16_twice_even, twice_odd(a)    lanes 0, 0, 2, 2 ..; 1, 1, 3, 3 ..
 *     lli_v16_zip(a, b)                   a[0], b[0], a[1], b[1] .. a[7], b[7]
 *
 * Below follows what is made of these words for all instruction sets. */
#ifndef LLI_BACKEND_WIDE_VECTOR_H
#define LLI_BACKEND_WIDE_VECTOR_H

#if defined(LLI_ISA_AVX512)
#include "backend/wide/vector_avx512.h"
#elif defined(LLI_ISA_AVX2)
#include "backend/wide/vector_avx2.h"
#else
#include "backend/wide/vector_neon.h"
#endif

enum { LLI_V16 = 16 };

/* lli_exp_f32 of each lane. The integer stands in the last bits of what rounds it, and only its lowest 9 are wanted: no
 * conversion. Lanes beyond the cut-offs compute something and are replaced. */
LLI_INLINE lli_v16 lli_v16_exp(lli_v16 x)
{
    const lli_v16 magic = lli_v16_set(0x1.8p23f), one = lli_v16_set(1.0f);
    lli_v16 shifted = lli_v16_add(lli_v16_mul(x, lli_v16_set(0x1.715476p+0f)), magic), n = lli_v16_sub(shifted, magic);
    lli_v16 r = lli_v16_fma(n, lli_v16_set(0x1.05c610p-29f), lli_v16_fma(n, lli_v16_set(-0x1.62e430p-1f), x));
    lli_v16 y = lli_v16_fma(lli_v16_set(0x1.6d119ap-10f), r, lli_v16_set(0x1.120cp-7f));
    y = lli_v16_fma(y, r, lli_v16_set(0x1.555518p-5f));
    y = lli_v16_fma(y, r, lli_v16_set(0x1.5554dcp-3f));
    y = lli_v16_fma(y, r, lli_v16_set(0.5f));
    y = lli_v16_fma(y, r, one);
    y = lli_v16_raise(lli_v16_fma(y, r, one), shifted);
    y = lli_v16_choose(lli_v16_less(x, lli_v16_set(-64.0f)), lli_v16_set(0.0f), y);
    y = lli_v16_choose(lli_v16_less(lli_v16_set(88.7f), x), lli_v16_set(__builtin_inff()), y);
    return lli_v16_choose(lli_v16_is_nan(x), x, y);
}

/* lli_tanh_f32 of each lane. */
LLI_INLINE lli_v16 lli_v16_tanh(lli_v16 x)
{
    const lli_v16 one = lli_v16_set(1.0f);
    lli_v16 a = lli_v16_magnitude(x), z = lli_v16_mul(a, a), big;
    lli_v16 y = lli_v16_fma(lli_v16_set(-0x1.75e1c4p-8f), z, lli_v16_set(0x1.522698p-6f));
    y = lli_v16_fma(y, z, lli_v16_set(-0x1.b83c5ap-5f));
    y = lli_v16_fma(y, z, lli_v16_set(0x1.110726p-3f));
    y = lli_v16_fma(y, z, lli_v16_set(-0x1.555532p-2f));
    y = lli_v16_fma(lli_v16_mul(y, z), a, a);
    big = lli_v16_sub(one, lli_v16_div(lli_v16_set(2.0f), lli_v16_add(lli_v16_exp(lli_v16_add(a, a)), one)));
    return lli_v16_signed(lli_v16_choose(lli_v16_less(a, lli_v16_set(0.625f)), y, big), x);
}

/* lli_gelu_f32 of each lane. */
LLI_INLINE lli_v16 lli_v16_gelu(lli_v16 x)
{
    lli_v16 slope = lli_v16_fma(lli_v16_mul(x, x), lli_v16_set(0x1.2444f2p-4f), lli_v16_set(0x1.988454p+0f));
    lli_v16 u2 = lli_v16_mul(x, slope);
    return lli_v16_div(x, lli_v16_add(lli_v16_set(1.0f), lli_v16_exp(lli_v16_negate(u2))));
}

/* lli_gelu_erf_f32 of each lane. */
LLI_INLINE lli_v16 lli_v16_gelu_erf(lli_v16 x)
{
    const lli_v16 one = lli_v16_set(1.0f);
    lli_v16 a = lli_v16_magnitude(x), t = lli_v16_div(one, lli_v16_fma(a, lli_v16_set(0.3f), one));
    lli_v16 q = lli_v16_fma(lli_v16_set(0x1.31e39ap-5f), t, lli_v16_set(-0x1.5048c4p-3f)), tail;
    q = lli_v16_fma(q, t, lli_v16_set(0x1.bf96bap-3f));
    q = lli_v16_fma(q, t, lli_v16_set(-0x1.0a8bf8p-4f));
    q = lli_v16_fma(q, t, lli_v16_set(0x1.13df0ap-3f));
    q = lli_v16_fma(q, t, lli_v16_set(0x1.917084p-4f));
    q = lli_v16_fma(q, t, lli_v16_set(0x1.efe588p-4f));
    q = lli_v16_fma(q, t, lli_v16_set(0x1.e9ea1ep-4f));
    tail = lli_v16_mul(lli_v16_mul(t, q), lli_v16_exp(lli_v16_mul(a, lli_v16_mul(a, lli_v16_set(-0.5f)))));
    return lli_v16_choose(lli_v16_less(x, lli_v16_set(0)), lli_v16_mul(x, tail), lli_v16_fma(lli_v16_negate(x), tail, x));
}

#endif
