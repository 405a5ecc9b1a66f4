/* backend/scalar/scalar.h - the reference kernels: docs/numerics.md, transcribed.
 *
 * The folder is compiled twice: plainly, and with LLI_SCALAR_FMA under -mavx2 -mfma -mf16c, where lli_fma_f32 is one
 * instruction. Same sources, same bits, two sets of symbols; backend/registry.c takes the one that the CPU can run. */
#ifndef LLI_BACKEND_SCALAR_SCALAR_H
#define LLI_BACKEND_SCALAR_SCALAR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "backend/kernels.h"
#include "base/segments.h"

#ifdef LLI_SCALAR_FMA
#define LLI_SCALAR(op) lli_##op##_scalar_fma
#else
#define LLI_SCALAR(op) lli_##op##_scalar
#endif

/* Kernels of a family are one function whose parts are arguments: inlined, the parts are constants. */
#define LLI_INLINE static inline __attribute__((always_inline))

/* Every slot of the table. */
void lli_fill_scalar(struct lli_kernels *out);
void lli_fill_scalar_fma(struct lli_kernels *out);

lli_quantise_fn LLI_SCALAR(quantise);
lli_matmul_fn LLI_SCALAR(matmul_f32), LLI_SCALAR(matmul_f16), LLI_SCALAR(matmul_bf16);
lli_matmul_fn LLI_SCALAR(matmul_q8_0), LLI_SCALAR(matmul_q4_0), LLI_SCALAR(matmul_q4_1), LLI_SCALAR(matmul_q5_0);
lli_matmul_fn LLI_SCALAR(matmul_q5_1), LLI_SCALAR(matmul_q2_k), LLI_SCALAR(matmul_q3_k), LLI_SCALAR(matmul_q4_k);
lli_matmul_fn LLI_SCALAR(matmul_q5_k), LLI_SCALAR(matmul_q6_k), LLI_SCALAR(matmul_iq4_nl), LLI_SCALAR(matmul_iq4_xs);
lli_matmul_fn LLI_SCALAR(matmul_mxfp4);
lli_dequant_fn LLI_SCALAR(dequant_f32), LLI_SCALAR(dequant_f16), LLI_SCALAR(dequant_bf16);
lli_dequant_fn LLI_SCALAR(dequant_q8_0), LLI_SCALAR(dequant_q4_0), LLI_SCALAR(dequant_q4_1), LLI_SCALAR(dequant_q5_0);
lli_dequant_fn LLI_SCALAR(dequant_q5_1), LLI_SCALAR(dequant_q2_k), LLI_SCALAR(dequant_q3_k), LLI_SCALAR(dequant_q4_k);
lli_dequant_fn LLI_SCALAR(dequant_q5_k), LLI_SCALAR(dequant_q6_k), LLI_SCALAR(dequant_iq4_nl), LLI_SCALAR(dequant_iq4_xs);
lli_dequant_fn LLI_SCALAR(dequant_mxfp4);
lli_rmsnorm_fn LLI_SCALAR(rmsnorm);
lli_layernorm_fn LLI_SCALAR(layernorm);
lli_rope_fn LLI_SCALAR(rope_adjacent), LLI_SCALAR(rope_halves);
lli_kv_store_fn LLI_SCALAR(kv_store_f16), LLI_SCALAR(kv_store_f32), LLI_SCALAR(kv_store_q8_0);
lli_attend_fn LLI_SCALAR(attend_f16), LLI_SCALAR(attend_f32), LLI_SCALAR(attend_q8_0);
lli_exp_fn LLI_SCALAR(exp);
lli_merge_fn LLI_SCALAR(merge);
lli_divide_fn LLI_SCALAR(divide);
lli_sum_fn LLI_SCALAR(sum);
lli_swiglu_fn LLI_SCALAR(swiglu);
lli_geglu_fn LLI_SCALAR(geglu);
lli_swiglu_clamped_fn LLI_SCALAR(swiglu_clamped);
lli_gelu_fn LLI_SCALAR(gelu);
lli_gelu_erf_fn LLI_SCALAR(gelu_erf);
lli_scale_fn LLI_SCALAR(scale);
lli_softcap_fn LLI_SCALAR(softcap);
lli_add_fn LLI_SCALAR(add);
lli_add_scaled_fn LLI_SCALAR(add_scaled);
lli_finite_fn LLI_SCALAR(finite);

static inline size_t lli_min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline uint32_t lli_bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float lli_float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* binary16 to binary32 as base/half.h does it (a NaN may become another NaN), but inline and with masks for branches, so
 * that loops over halves become vectors. */
static inline float lli_half_value(uint16_t h)
{
    uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13, sign = (uint32_t)(h & 0x8000) << 16;
    uint32_t is_subnormal = 0 - (uint32_t)(magnitude < 0x00800000), is_special = 0 - (uint32_t)(magnitude >= 0x0f800000);
    uint32_t normal = magnitude + (112u << 23);
    uint32_t subnormal = lli_bits_of(lli_float_of(magnitude + (113u << 23)) - 0x1p-14f);
    return lli_float_of(sign | (normal & ~is_subnormal) | (subnormal & is_subnormal) | (0x7f800000 & is_special));
}

/* n elements of type F32, F16 or BF16 as binary32; `from` in any alignment. */
typedef void lli_load_fn(float *out, const uint8_t *from, size_t n);

static inline void lli_load_f32(float *out, const uint8_t *from, size_t n)
{
    memcpy(out, from, n * sizeof *out);
}

static inline void lli_load_f16(float *out, const uint8_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, from + 2 * i, sizeof h);
        out[i] = lli_half_value(h);
    }
}

static inline void lli_load_bf16(float *out, const uint8_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, from + 2 * i, sizeof h);
        out[i] = lli_float_of((uint32_t)h << 16);
    }
}

/* The 16 virtual lanes of sum16 become one. */
static inline float lli_lanes_sum(float *lanes)
{
    for (size_t h = 8; h > 0; h /= 2)
        for (size_t j = 0; j < h; j++)
            lanes[j] = lanes[j] + lanes[j + h];
    return lanes[0];
}

/* The tree over the sums of n segments, which stand `stride` floats apart and are used up. */
static inline float lli_tree_sum(float *leaf, size_t stride, size_t n)
{
    for (; n > 1; n /= 2)
        for (size_t i = 0; i < n / 2; i++)
            leaf[i * stride] = leaf[2 * i * stride] + leaf[(2 * i + 1) * stride];
    return leaf[0];
}

#endif
