/* backend/wide/fill_wide.c - the kernels of an instruction set in their slots. */
#include "backend/wide/wide.h"

#include <string.h>

static lli_matmul_fn *const matmuls[LLI_N_TYPES] = {
    [LLI_F32] = LLI_WIDE(matmul_f32),     [LLI_F16] = LLI_WIDE(matmul_f16),       [LLI_BF16] = LLI_WIDE(matmul_bf16),
    [LLI_Q8_0] = LLI_WIDE(matmul_q8_0),   [LLI_Q4_0] = LLI_WIDE(matmul_q4_0),     [LLI_Q4_1] = LLI_WIDE(matmul_q4_1),
    [LLI_Q5_0] = LLI_WIDE(matmul_q5_0),   [LLI_Q5_1] = LLI_WIDE(matmul_q5_1),     [LLI_Q2_K] = LLI_WIDE(matmul_q2_k),
    [LLI_Q3_K] = LLI_WIDE(matmul_q3_k),   [LLI_Q4_K] = LLI_WIDE(matmul_q4_k),     [LLI_Q5_K] = LLI_WIDE(matmul_q5_k),
    [LLI_Q6_K] = LLI_WIDE(matmul_q6_k),   [LLI_IQ4_NL] = LLI_WIDE(matmul_iq4_nl), [LLI_IQ4_XS] = LLI_WIDE(matmul_iq4_xs),
    [LLI_MXFP4] = LLI_WIDE(matmul_mxfp4),
};

void LLI_WIDE(fill)(struct lli_kernels *out)
{
    memcpy(out->matmul, matmuls, sizeof matmuls);
    out->quantise = LLI_WIDE(quantise);
    out->dequant[LLI_F16] = LLI_WIDE(dequant_f16);
    out->rmsnorm = LLI_WIDE(rmsnorm);
    out->layernorm = LLI_WIDE(layernorm);
    out->rope_adjacent = LLI_WIDE(rope_adjacent);
    out->rope_halves = LLI_WIDE(rope_halves);
    out->kv_store[LLI_F32] = LLI_WIDE(kv_store_f32);
    out->kv_store[LLI_F16] = LLI_WIDE(kv_store_f16);
    out->kv_store[LLI_Q8_0] = LLI_WIDE(kv_store_q8_0);
    out->attend[LLI_F32] = LLI_WIDE(attend_f32);
    out->attend[LLI_F16] = LLI_WIDE(attend_f16);
    out->attend[LLI_Q8_0] = LLI_WIDE(attend_q8_0);
    out->exp = LLI_WIDE(exp);
    out->merge = LLI_WIDE(merge);
    out->divide = LLI_WIDE(divide);
    out->sum = LLI_WIDE(sum);
    out->swiglu = LLI_WIDE(swiglu);
    out->geglu = LLI_WIDE(geglu);
    out->swiglu_clamped = LLI_WIDE(swiglu_clamped);
    out->gelu = LLI_WIDE(gelu);
    out->gelu_erf = LLI_WIDE(gelu_erf);
    out->scale = LLI_WIDE(scale);
    out->softcap = LLI_WIDE(softcap);
    out->add = LLI_WIDE(add);
    out->add_scaled = LLI_WIDE(add_scaled);
    out->finite = LLI_WIDE(finite);
}
