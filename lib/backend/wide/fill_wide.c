/* backend/wide/fill_wide.c - the kernels of an instruction set in their slots. */
#include "backend/wide/wide.h"

void LLI_WIDE(fill)(struct lli_kernels *out)
{
    out->quantise = LLI_WIDE(quantise);
    out->dequant[LLI_F16] = LLI_WIDE(dequant_f16);
    out->rmsnorm = LLI_WIDE(rmsnorm);
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
    out->add = LLI_WIDE(add);
    out->add_scaled = LLI_WIDE(add_scaled);
    out->finite = LLI_WIDE(finite);
}
