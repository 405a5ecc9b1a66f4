/* backend/scalar/fill_scalar.c - the scalar kernels in their slots: all of them. */
#include "backend/scalar/scalar.h"

static const struct lli_kernels scalar = {
    .quantise = LLI_SCALAR(quantise),
    .matmul = {[LLI_F32] = LLI_SCALAR(matmul_f32),
               [LLI_F16] = LLI_SCALAR(matmul_f16),
               [LLI_BF16] = LLI_SCALAR(matmul_bf16),
               [LLI_Q8_0] = LLI_SCALAR(matmul_q8_0),
               [LLI_Q4_0] = LLI_SCALAR(matmul_q4_0),
               [LLI_Q4_1] = LLI_SCALAR(matmul_q4_1),
               [LLI_Q5_0] = LLI_SCALAR(matmul_q5_0),
               [LLI_Q5_1] = LLI_SCALAR(matmul_q5_1),
               [LLI_Q2_K] = LLI_SCALAR(matmul_q2_k),
               [LLI_Q3_K] = LLI_SCALAR(matmul_q3_k),
               [LLI_Q4_K] = LLI_SCALAR(matmul_q4_k),
               [LLI_Q5_K] = LLI_SCALAR(matmul_q5_k),
               [LLI_Q6_K] = LLI_SCALAR(matmul_q6_k),
               [LLI_IQ4_NL] = LLI_SCALAR(matmul_iq4_nl),
               [LLI_IQ4_XS] = LLI_SCALAR(matmul_iq4_xs)},
    .dequant = {[LLI_F32] = LLI_SCALAR(dequant_f32),
                [LLI_F16] = LLI_SCALAR(dequant_f16),
                [LLI_BF16] = LLI_SCALAR(dequant_bf16),
                [LLI_Q8_0] = LLI_SCALAR(dequant_q8_0),
                [LLI_Q4_0] = LLI_SCALAR(dequant_q4_0),
                [LLI_Q4_1] = LLI_SCALAR(dequant_q4_1),
                [LLI_Q5_0] = LLI_SCALAR(dequant_q5_0),
                [LLI_Q5_1] = LLI_SCALAR(dequant_q5_1),
                [LLI_Q2_K] = LLI_SCALAR(dequant_q2_k),
                [LLI_Q3_K] = LLI_SCALAR(dequant_q3_k),
                [LLI_Q4_K] = LLI_SCALAR(dequant_q4_k),
                [LLI_Q5_K] = LLI_SCALAR(dequant_q5_k),
                [LLI_Q6_K] = LLI_SCALAR(dequant_q6_k),
                [LLI_IQ4_NL] = LLI_SCALAR(dequant_iq4_nl),
                [LLI_IQ4_XS] = LLI_SCALAR(dequant_iq4_xs)},
    .rmsnorm = LLI_SCALAR(rmsnorm),
    .rope_adjacent = LLI_SCALAR(rope_adjacent),
    .rope_halves = LLI_SCALAR(rope_halves),
    .kv_store =
        {[LLI_F32] = LLI_SCALAR(kv_store_f32), [LLI_F16] = LLI_SCALAR(kv_store_f16), [LLI_Q8_0] = LLI_SCALAR(kv_store_q8_0)},
    .attend = {[LLI_F32] = LLI_SCALAR(attend_f32), [LLI_F16] = LLI_SCALAR(attend_f16), [LLI_Q8_0] = LLI_SCALAR(attend_q8_0)},
    .exp = LLI_SCALAR(exp),
    .merge = LLI_SCALAR(merge),
    .divide = LLI_SCALAR(divide),
    .sum = LLI_SCALAR(sum),
    .swiglu = LLI_SCALAR(swiglu),
    .add = LLI_SCALAR(add),
    .add_scaled = LLI_SCALAR(add_scaled),
    .finite = LLI_SCALAR(finite),
};

void LLI_SCALAR(fill)(struct lli_kernels *out)
{
    *out = scalar;
}
