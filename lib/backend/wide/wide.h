/* backend/wide/wide.h - kernels whose lanes are vectors. A lane is an output, never a piece of a sum, so one source serves
 * every instruction set: what differs stands in vector_<isa>.h (16 floats as one value) and dot_<isa>.h (products of
 * bytes), and each source is compiled once per instruction set with a suffix of its own. */
#ifndef LLI_BACKEND_WIDE_WIDE_H
#define LLI_BACKEND_WIDE_WIDE_H

#include <stddef.h>
#include <stdint.h>

#include "backend/kernels.h"
#include "backend/wide/fills.h"

/* LLI_LANES: rows of a group of packed weights (backend/pack.h), a vector of floats. LLI_GROUPS: groups of a tile. */
#if defined(LLI_ISA_AVX512_VNNI)
#define LLI_WIDE(op) lli_##op##_avx512_vnni
#define LLI_LANES 16
#define LLI_GROUPS 2
#elif defined(LLI_ISA_AVX512)
#define LLI_WIDE(op) lli_##op##_avx512
#define LLI_LANES 16
#define LLI_GROUPS 2
#elif defined(LLI_ISA_AVX2_VNNI)
#define LLI_WIDE(op) lli_##op##_avx2_vnni
#define LLI_LANES 8
#define LLI_GROUPS 2
#elif defined(LLI_ISA_AVX2)
#define LLI_WIDE(op) lli_##op##_avx2
#define LLI_LANES 8
#define LLI_GROUPS 2
#elif defined(LLI_ISA_NEON_I8MM)
#define LLI_WIDE(op) lli_##op##_neon_i8mm
#define LLI_LANES 4
#define LLI_GROUPS 4
#elif defined(LLI_ISA_NEON_DOT)
#define LLI_WIDE(op) lli_##op##_neon_dot
#define LLI_LANES 4
#define LLI_GROUPS 4
#elif defined(LLI_ISA_NEON)
#define LLI_WIDE(op) lli_##op##_neon
#define LLI_LANES 4
#define LLI_GROUPS 4
#endif

/* Kernels of a family are one function whose parts are arguments: inlined, the parts are constants. */
#define LLI_INLINE static inline __attribute__((always_inline))

lli_matmul_fn LLI_WIDE(matmul_f32), LLI_WIDE(matmul_f16), LLI_WIDE(matmul_bf16);
lli_matmul_fn LLI_WIDE(matmul_q8_0), LLI_WIDE(matmul_q4_0), LLI_WIDE(matmul_q4_1), LLI_WIDE(matmul_q5_0);
lli_matmul_fn LLI_WIDE(matmul_q5_1), LLI_WIDE(matmul_q2_k), LLI_WIDE(matmul_q3_k), LLI_WIDE(matmul_q4_k);
lli_matmul_fn LLI_WIDE(matmul_q5_k), LLI_WIDE(matmul_q6_k), LLI_WIDE(matmul_iq4_nl), LLI_WIDE(matmul_iq4_xs);
lli_matmul_fn LLI_WIDE(matmul_mxfp4);

/* Before a loop whose count is a constant after inlining: all of it, so that arrays of vectors become registers. */
#if defined(__clang__)
#define LLI_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LLI_UNROLL _Pragma("GCC unroll 32")
#endif

lli_quantise_fn LLI_WIDE(quantise);
lli_dequant_fn LLI_WIDE(dequant_f16);
lli_rmsnorm_fn LLI_WIDE(rmsnorm);
lli_layernorm_fn LLI_WIDE(layernorm);
lli_rope_fn LLI_WIDE(rope_adjacent), LLI_WIDE(rope_halves);
lli_kv_store_fn LLI_WIDE(kv_store_f32), LLI_WIDE(kv_store_f16), LLI_WIDE(kv_store_q8_0);
lli_attend_fn LLI_WIDE(attend_f32), LLI_WIDE(attend_f16), LLI_WIDE(attend_q8_0);
lli_exp_fn LLI_WIDE(exp);
lli_merge_fn LLI_WIDE(merge);
lli_divide_fn LLI_WIDE(divide);
lli_sum_fn LLI_WIDE(sum);
lli_swiglu_fn LLI_WIDE(swiglu);
lli_geglu_fn LLI_WIDE(geglu);
lli_swiglu_clamped_fn LLI_WIDE(swiglu_clamped);
lli_gelu_fn LLI_WIDE(gelu);
lli_gelu_erf_fn LLI_WIDE(gelu_erf);
lli_scale_fn LLI_WIDE(scale);
lli_softcap_fn LLI_WIDE(softcap);
lli_add_fn LLI_WIDE(add);
lli_add_scaled_fn LLI_WIDE(add_scaled);
lli_finite_fn LLI_WIDE(finite);

#endif
