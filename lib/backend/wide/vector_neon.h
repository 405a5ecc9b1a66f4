/* backend/wide/vector_neon.h - 16 floats in four registers of NEON. The contracts stand in vector.h. */
#ifndef LLI_BACKEND_WIDE_VECTOR_NEON_H
#define LLI_BACKEND_WIDE_VECTOR_NEON_H

#include <arm_neon.h>
#include <string.h>

#include "backend/wide/wide.h"

typedef struct {
    float32x4_t a, b, c, d;
} lli_v16;

typedef struct {
    uint32x4_t a, b, c, d; /* all bits of a lane, or none */
} lli_m16;

/* The same operation on each of the four registers. */
#define LLI_V16_1(f, x) ((lli_v16){f((x).a), f((x).b), f((x).c), f((x).d)})
#define LLI_V16_2(f, x, y) ((lli_v16){f((x).a, (y).a), f((x).b, (y).b), f((x).c, (y).c), f((x).d, (y).d)})
#define LLI_V16_3(f, x, y, z)                                                                                                  \
    ((lli_v16){f((x).a, (y).a, (z).a), f((x).b, (y).b, (z).b), f((x).c, (y).c, (z).c), f((x).d, (y).d, (z).d)})
#define LLI_M16_2(f, x, y) ((lli_m16){f((x).a, (y).a), f((x).b, (y).b), f((x).c, (y).c), f((x).d, (y).d)})

/* ---- masks */

LLI_INLINE lli_m16 lli_m16_first(size_t n)
{
    static const uint32_t lanes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    uint32x4_t limit = vdupq_n_u32((uint32_t)n);
    return (lli_m16){vcltq_u32(vld1q_u32(lanes), limit), vcltq_u32(vld1q_u32(lanes + 4), limit),
                     vcltq_u32(vld1q_u32(lanes + 8), limit), vcltq_u32(vld1q_u32(lanes + 12), limit)};
}

LLI_INLINE lli_m16 lli_m16_not(lli_m16 x)
{
    return (lli_m16){vmvnq_u32(x.a), vmvnq_u32(x.b), vmvnq_u32(x.c), vmvnq_u32(x.d)};
}

LLI_INLINE int lli_m16_any(lli_m16 x)
{
    return vmaxvq_u32(vorrq_u32(vorrq_u32(x.a, x.b), vorrq_u32(x.c, x.d))) != 0;
}

/* ---- memory */

LLI_INLINE lli_v16 lli_v16_load(const float *x)
{
    return (lli_v16){vld1q_f32(x), vld1q_f32(x + 4), vld1q_f32(x + 8), vld1q_f32(x + 12)};
}

LLI_INLINE lli_v16 lli_v16_load_n(const float *x, size_t n)
{
    float copy[16] = {0};
    memcpy(copy, x, n * sizeof *copy);
    return lli_v16_load(copy);
}

LLI_INLINE void lli_v16_store(float *out, lli_v16 x)
{
    vst1q_f32(out, x.a);
    vst1q_f32(out + 4, x.b);
    vst1q_f32(out + 8, x.c);
    vst1q_f32(out + 12, x.d);
}

LLI_INLINE void lli_v16_store_n(float *out, lli_v16 x, size_t n)
{
    float copy[16];
    lli_v16_store(copy, x);
    memcpy(out, copy, n * sizeof *copy);
}

LLI_INLINE lli_v16 lli_v16_set(float x)
{
    float32x4_t v = vdupq_n_f32(x);
    return (lli_v16){v, v, v, v};
}

LLI_INLINE lli_v16 lli_v16_set_half(const void *h)
{
    uint16_t bits;
    float32x4_t v;
    memcpy(&bits, h, sizeof bits);
    v = vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(bits)));
    return (lli_v16){v, v, v, v};
}

LLI_INLINE lli_v16 lli_v16_halves(const void *h)
{
    const uint8_t *at = h;
    float16x8_t low = vreinterpretq_f16_u8(vld1q_u8(at)), high = vreinterpretq_f16_u8(vld1q_u8(at + 16));
    return (lli_v16){vcvt_f32_f16(vget_low_f16(low)), vcvt_high_f32_f16(low), vcvt_f32_f16(vget_low_f16(high)),
                     vcvt_high_f32_f16(high)};
}

LLI_INLINE lli_v16 lli_v16_halves_n(const void *h, size_t n)
{
    uint16_t copy[16] = {0};
    memcpy(copy, h, n * sizeof *copy);
    return lli_v16_halves(copy);
}

LLI_INLINE lli_v16 lli_v16_bf16s(const void *h)
{
    const uint8_t *at = h;
    uint16x8_t low = vreinterpretq_u16_u8(vld1q_u8(at)), high = vreinterpretq_u16_u8(vld1q_u8(at + 16));
    return (lli_v16){
        vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(low), 16)), vreinterpretq_f32_u32(vshll_high_n_u16(low, 16)),
        vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(high), 16)), vreinterpretq_f32_u32(vshll_high_n_u16(high, 16))};
}

LLI_INLINE lli_v16 lli_v16_int8s(const void *q)
{
    int8x16_t bytes = vld1q_s8(q);
    int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
    return (lli_v16){vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), vcvtq_f32_s32(vmovl_high_s16(low)),
                     vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))), vcvtq_f32_s32(vmovl_high_s16(high))};
}

LLI_INLINE lli_v16 lli_v16_int8s_n(const void *q, size_t n)
{
    int8_t copy[16] = {0};
    memcpy(copy, q, n);
    return lli_v16_int8s(copy);
}

LLI_INLINE void lli_v16_store_halves(uint16_t *out, lli_v16 x)
{
    vst1q_u16(out, vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(x.a), x.b)));
    vst1q_u16(out + 8, vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(x.c), x.d)));
}

LLI_INLINE int lli_v16_store_int8s(int8_t *out, lli_v16 x)
{
    int16x8_t low = vcombine_s16(vmovn_s32(vcvtnq_s32_f32(x.a)), vmovn_s32(vcvtnq_s32_f32(x.b)));
    int16x8_t high = vcombine_s16(vmovn_s32(vcvtnq_s32_f32(x.c)), vmovn_s32(vcvtnq_s32_f32(x.d)));
    int8x16_t q = vcombine_s8(vmovn_s16(low), vmovn_s16(high));
    vst1q_s8(out, q);
    return vaddlvq_s8(q);
}

/* ---- arithmetic */

LLI_INLINE lli_v16 lli_v16_add(lli_v16 x, lli_v16 y)
{
    return LLI_V16_2(vaddq_f32, x, y);
}

LLI_INLINE lli_v16 lli_v16_sub(lli_v16 x, lli_v16 y)
{
    return LLI_V16_2(vsubq_f32, x, y);
}

LLI_INLINE lli_v16 lli_v16_mul(lli_v16 x, lli_v16 y)
{
    return LLI_V16_2(vmulq_f32, x, y);
}

LLI_INLINE lli_v16 lli_v16_div(lli_v16 x, lli_v16 y)
{
    return LLI_V16_2(vdivq_f32, x, y);
}

LLI_INLINE lli_v16 lli_v16_fma(lli_v16 x, lli_v16 y, lli_v16 z)
{
    return LLI_V16_3(vfmaq_f32, z, x, y);
}

LLI_INLINE lli_v16 lli_v16_negate(lli_v16 x)
{
    return LLI_V16_1(vnegq_f32, x);
}

LLI_INLINE lli_v16 lli_v16_magnitude(lli_v16 x)
{
    return LLI_V16_1(vabsq_f32, x);
}

LLI_INLINE lli_v16 lli_v16_choose(lli_m16 m, lli_v16 x, lli_v16 y)
{
    return LLI_V16_3(vbslq_f32, m, x, y);
}

LLI_INLINE float32x4_t lli_neon_signed(float32x4_t x, float32x4_t sign)
{
    return vbslq_f32(vdupq_n_u32(0x80000000), sign, x);
}

LLI_INLINE lli_v16 lli_v16_signed(lli_v16 x, lli_v16 sign)
{
    return LLI_V16_2(lli_neon_signed, x, sign);
}

/* vmaxq_f32 would let a NaN through and order the zeros. */
LLI_INLINE lli_v16 lli_v16_max(lli_v16 m, lli_v16 x)
{
    return lli_v16_choose(LLI_M16_2(vcgtq_f32, x, m), x, m);
}

LLI_INLINE float32x4_t lli_neon_max_bits(float32x4_t x, float32x4_t y)
{
    return vreinterpretq_f32_u32(vmaxq_u32(vreinterpretq_u32_f32(x), vreinterpretq_u32_f32(y)));
}

LLI_INLINE lli_v16 lli_v16_max_bits(lli_v16 x, lli_v16 y)
{
    return LLI_V16_2(lli_neon_max_bits, x, y);
}

LLI_INLINE float32x4_t lli_neon_raise(float32x4_t x, float32x4_t n)
{
    return vreinterpretq_f32_u32(vaddq_u32(vreinterpretq_u32_f32(x), vshlq_n_u32(vreinterpretq_u32_f32(n), 23)));
}

LLI_INLINE lli_v16 lli_v16_raise(lli_v16 x, lli_v16 n)
{
    return LLI_V16_2(lli_neon_raise, x, n);
}

/* ---- comparisons */

LLI_INLINE lli_m16 lli_v16_less(lli_v16 x, lli_v16 y)
{
    return LLI_M16_2(vcltq_f32, x, y);
}

LLI_INLINE lli_m16 lli_v16_is_nan(lli_v16 x)
{
    return lli_m16_not(LLI_M16_2(vceqq_f32, x, x));
}

/* ---- across lanes */

LLI_INLINE float lli_v16_sum(lli_v16 x)
{
    float32x4_t s = vaddq_f32(vaddq_f32(x.a, x.c), vaddq_f32(x.b, x.d)); /* lanes 8 apart, then 4 */
    float32x2_t t = vadd_f32(vget_low_f32(s), vget_high_f32(s));
    return vget_lane_f32(t, 0) + vget_lane_f32(t, 1);
}

LLI_INLINE float lli_v16_top(lli_v16 x)
{
    float lanes[16], top;
    lli_v16_store(lanes, x);
    top = lanes[0];
    for (size_t i = 1; i < 16; i++)
        top = lanes[i] > top ? lanes[i] : top;
    return top;
}

LLI_INLINE uint32_t lli_v16_top_bits(lli_v16 x)
{
    return vmaxvq_u32(vreinterpretq_u32_f32(lli_neon_max_bits(lli_neon_max_bits(x.a, x.b), lli_neon_max_bits(x.c, x.d))));
}

LLI_INLINE float32x4_t lli_neon_twice_even(float32x4_t x)
{
    return vtrn1q_f32(x, x);
}

LLI_INLINE float32x4_t lli_neon_twice_odd(float32x4_t x)
{
    return vtrn2q_f32(x, x);
}

LLI_INLINE lli_v16 lli_v16_twice_even(lli_v16 x)
{
    return LLI_V16_1(lli_neon_twice_even, x);
}

LLI_INLINE lli_v16 lli_v16_twice_odd(lli_v16 x)
{
    return LLI_V16_1(lli_neon_twice_odd, x);
}

LLI_INLINE lli_v16 lli_v16_zip(const float *a, const float *b)
{
    float32x4_t x = vld1q_f32(a), y = vld1q_f32(a + 4), z = vld1q_f32(b), w = vld1q_f32(b + 4);
    return (lli_v16){vzip1q_f32(x, z), vzip2q_f32(x, z), vzip1q_f32(y, w), vzip2q_f32(y, w)};
}

#endif
