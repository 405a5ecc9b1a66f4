/* backend/wide/dot_neon.h - the vocabulary of products in registers of NEON: 4 rows. Wider values would have no register of
 * their own (gcc keeps them in memory), so a tile takes four groups instead of two. Bytes are signed on both sides; the
 * products stand in a header for each generation: widening multiplications, dot products, or 2 x 2 matrices. Included by
 * dot.h. */
#ifndef LLI_BACKEND_WIDE_DOT_NEON_H
#define LLI_BACKEND_WIDE_DOT_NEON_H

#include <arm_neon.h>

#include "backend/wide/dot.h"

enum { LLI_TILE = 6, LLI_FEW = 1, LLI_FEW_GROUPS = LLI_GROUPS };
#define LLI_BYTE_FLIP 0u

/* 4 bytes in every lane. */
LLI_INLINE lli_words lli_words_of(const void *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return (lli_words)vdupq_n_u32(word);
}

LLI_INLINE lli_floats lli_floats_of(float x)
{
    return (lli_floats)vdupq_n_f32(x);
}

LLI_INLINE lli_floats lli_floats_fma(lli_floats a, lli_floats b, lli_floats c)
{
    return (lli_floats)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}

/* 4 halves. */
LLI_INLINE lli_floats lli_floats_halves(const uint8_t *at)
{
    return (lli_floats)vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(at)));
}

LLI_INLINE lli_floats lli_floats_bf16(const uint8_t *at)
{
    return (lli_floats)vshll_n_u16(vreinterpret_u16_u8(vld1_u8(at)), 16);
}

/* 4 bytes, widened. */
LLI_INLINE lli_words lli_words_u8(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return (lli_words)vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(word)))));
}

LLI_INLINE lli_words lli_words_i8(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return (lli_words)vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(word)))));
}

LLI_INLINE lli_floats lli_floats_int(lli_words w)
{
    return (lli_floats)vcvtq_f32_s32((int32x4_t)w);
}

/* Of each word's two int16. */
LLI_INLINE lli_words lli_words_dot_pairs(lli_words a, lli_words b)
{
    int16x8_t x = (int16x8_t)a, y = (int16x8_t)b;
    return (lli_words)vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y));
}

/* Each byte (below 16) becomes that byte of the table. */
LLI_INLINE lli_words lli_words_look_up(const uint8_t table[16], lli_words w)
{
    return (lli_words)vqtbl1q_u8(vld1q_u8(table), (uint8x16_t)w);
}

LLI_INLINE lli_words lli_half_scale(lli_words scale)
{
    return scale;
}

/* The value is made here: a compiler that puts off sums, or loads early for all steps, runs out of registers. */
LLI_INLINE void lli_neon_make_now(int32x4_t *value)
{
    __asm__ volatile("" : "+w"(*value));
}

/* lli_neon_add_*: the products of steps first .. last - 1 (a block, or half of one) are added to the sums. */
#if defined(LLI_ISA_NEON_I8MM)
#include "backend/wide/dot_neon_matrix.h"
#define LLI_NEON(op) lli_neon_##op##_matrix
#elif defined(LLI_ISA_NEON_DOT)
#include "backend/wide/dot_neon_dot.h"
#define LLI_NEON(op) lli_neon_##op##_dot
#else
#include "backend/wide/dot_neon_long.h"
#define LLI_NEON(op) lli_neon_##op##_long
#endif

LLI_INLINE int lli_dot_tile(int bits, int halves, int offset, int is_expanded)
{
    (void)bits;
    (void)offset;
    (void)is_expanded;
    return LLI_NEON(tile)(halves);
}

LLI_INLINE void lli_dot_whole(lli_floats idot[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS],
                              lli_codes_fn *codes, int bits, int bias, const struct lli_q8 *const x[LLI_TILE], size_t b,
                              int n_x, int n_g)
{
    int32x4_t sum[LLI_TILE][LLI_GROUPS];
    LLI_UNROLL for (int t = 0; t < n_x; t++)
    {
        int32x4_t owed = vdupq_n_s32(bias / 8 * x[t][b].minus_8_sum);
        LLI_UNROLL for (int g = 0; g < n_g; g++) sum[t][g] = owed;
    }
    LLI_NEON(add)(sum, planes, codes, bits, x, b, n_x, n_g, 0, 8);
    LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < n_g; g++) idot[t][g] =
        (lli_floats)vcvtq_f32_s32(sum[t][g]);
}

LLI_INLINE void lli_dot_halves(lli_floats idot[LLI_TILE][LLI_GROUPS], const uint8_t *const planes[LLI_GROUPS],
                               lli_codes_fn *codes, const struct lli_scales *scales, int bits, int bias,
                               const struct lli_q8 *const x[LLI_TILE], size_t b, int n_x, int n_g)
{
    int32x4_t total[LLI_TILE][LLI_GROUPS];
    LLI_UNROLL for (int h = 0; h < 2; h++)
    {
        int32x4_t sum[LLI_TILE][LLI_GROUPS];
        LLI_UNROLL for (int t = 0; t < n_x; t++)
        {
            int32x4_t owed = vdupq_n_s32(bias * x[t][b].minus_sums[h]);
            LLI_UNROLL for (int g = 0; g < n_g; g++) sum[t][g] = owed;
        }
        LLI_NEON(add)(sum, planes, codes, bits, x, b, n_x, n_g, 4 * h, 4 * h + 4);
        LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < n_g; g++)
        {
            int32x4_t scale = (int32x4_t)scales[g].half[h];
            total[t][g] = h == 0 ? vmulq_s32(sum[t][g], scale) : vmlaq_s32(total[t][g], sum[t][g], scale);
        }
    }
    LLI_UNROLL for (int t = 0; t < n_x; t++) LLI_UNROLL for (int g = 0; g < n_g; g++) idot[t][g] =
        (lli_floats)vcvtq_f32_s32(total[t][g]);
}

#include "backend/wide/dot_single.h"

#endif
