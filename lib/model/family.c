#include "model/family.h"

#include <string.h>

#include "model/config.h"

#define BIT(role) LLI_ROLE(LLI_##role)
#define PAIR(role) (BIT(role) | BIT(role##_BIAS)) /* a vector or matrix and its bias */

#define CORE (BIT(TOKEN_EMBD) | BIT(OUTPUT_NORM) | BIT(ATTN_Q) | BIT(ATTN_K) | BIT(ATTN_V) | BIT(ATTN_OUTPUT))
#define NORMS (BIT(ATTN_NORM) | BIT(FFN_NORM))
#define GATED (BIT(FFN_GATE) | BIT(FFN_UP) | BIT(FFN_DOWN))
#define EXPERTS (BIT(FFN_ROUTER) | BIT(FFN_GATE_EXPS) | BIT(FFN_UP_EXPS) | BIT(FFN_DOWN_EXPS))
#define QKV_BIASES (BIT(ATTN_Q_BIAS) | BIT(ATTN_K_BIAS) | BIT(ATTN_V_BIAS))
#define ATTN_BIASES (QKV_BIASES | BIT(ATTN_OUTPUT_BIAS))
#define NORM_BIASES (BIT(OUTPUT_NORM_BIAS) | BIT(ATTN_NORM_BIAS) | BIT(FFN_NORM_BIAS))
#define DENSE_ONLY GATED

static const struct lli_family families[] = {
    {
        .name = "llama",
        .rope_pairs = LLI_ROPE_ADJACENT,
        .needs = CORE | NORMS | GATED | EXPERTS,
        .may = BIT(OUTPUT) | BIT(ROPE_FREQS) | ATTN_BIASES,
    },
    {
        .name = "qwen2",
        .rope_pairs = LLI_ROPE_HALVES,
        .needs = CORE | NORMS | GATED | QKV_BIASES,
        .may = BIT(OUTPUT),
    },
    {
        .name = "gpt2",
        .rope_pairs = LLI_ROPE_UNUSED,
        .norm = LLI_NORM_LAYER,
        .activation = LLI_GELU_TANH,
        .needs = CORE | NORMS | NORM_BIASES | ATTN_BIASES | BIT(POSITION_EMBD) | PAIR(FFN_UP) | PAIR(FFN_DOWN),
        .may = BIT(OUTPUT),
    },
};

#define VECTOR(name, ...)                                                                                                      \
    {                                                                                                                          \
        name ".weight", {__VA_ARGS__}, 1                                                                                       \
    }
#define BIAS(name, ...)                                                                                                        \
    {                                                                                                                          \
        name ".bias", {__VA_ARGS__}, 1                                                                                         \
    }
#define MATRIX(name, ...)                                                                                                      \
    {                                                                                                                          \
        name ".weight", {__VA_ARGS__}, 0                                                                                       \
    }
#define EMBD LLI_EXTENT_EMBD
#define VOCAB LLI_EXTENT_VOCAB
#define FF LLI_EXTENT_FF
#define HEADS LLI_EXTENT_HEADS
#define KV_HEADS LLI_EXTENT_KV_HEADS
#define N_EXPERTS LLI_EXTENT_EXPERTS

static const struct lli_role_shape shapes[LLI_N_ROLES] = {
    [LLI_TOKEN_EMBD] = MATRIX("token_embd", EMBD, VOCAB),
    [LLI_POSITION_EMBD] = MATRIX("position_embd", EMBD, LLI_EXTENT_CONTEXT),
    [LLI_OUTPUT_NORM] = VECTOR("output_norm", EMBD),
    [LLI_OUTPUT_NORM_BIAS] = BIAS("output_norm", EMBD),
    [LLI_OUTPUT] = MATRIX("output", EMBD, VOCAB),
    [LLI_ROPE_FREQS] = VECTOR("rope_freqs", LLI_EXTENT_ROPE),
    [LLI_ATTN_NORM] = VECTOR("attn_norm", EMBD),
    [LLI_ATTN_NORM_BIAS] = BIAS("attn_norm", EMBD),
    [LLI_ATTN_Q] = MATRIX("attn_q", EMBD, HEADS),
    [LLI_ATTN_K] = MATRIX("attn_k", EMBD, KV_HEADS),
    [LLI_ATTN_V] = MATRIX("attn_v", EMBD, KV_HEADS),
    [LLI_ATTN_OUTPUT] = MATRIX("attn_output", HEADS, EMBD),
    [LLI_FFN_NORM] = VECTOR("ffn_norm", EMBD),
    [LLI_FFN_NORM_BIAS] = BIAS("ffn_norm", EMBD),
    [LLI_FFN_GATE] = MATRIX("ffn_gate", EMBD, FF),
    [LLI_FFN_UP] = MATRIX("ffn_up", EMBD, FF),
    [LLI_FFN_DOWN] = MATRIX("ffn_down", FF, EMBD),
    [LLI_FFN_ROUTER] = MATRIX("ffn_gate_inp", EMBD, N_EXPERTS),
    [LLI_FFN_GATE_EXPS] = MATRIX("ffn_gate_exps", EMBD, FF, N_EXPERTS),
    [LLI_FFN_UP_EXPS] = MATRIX("ffn_up_exps", EMBD, FF, N_EXPERTS),
    [LLI_FFN_DOWN_EXPS] = MATRIX("ffn_down_exps", FF, EMBD, N_EXPERTS),
    [LLI_ATTN_Q_BIAS] = BIAS("attn_q", HEADS),
    [LLI_ATTN_K_BIAS] = BIAS("attn_k", KV_HEADS),
    [LLI_ATTN_V_BIAS] = BIAS("attn_v", KV_HEADS),
    [LLI_ATTN_OUTPUT_BIAS] = BIAS("attn_output", EMBD),
    [LLI_ATTN_SINKS] = VECTOR("attn_sinks", LLI_EXTENT_EACH_HEAD),
    [LLI_FFN_UP_BIAS] = BIAS("ffn_up", FF),
    [LLI_FFN_DOWN_BIAS] = BIAS("ffn_down", EMBD),
};

static const struct lli_fused fused[] = {
    {"attn_qkv.weight", 3, {LLI_ATTN_Q, LLI_ATTN_K, LLI_ATTN_V}},
    {"attn_qkv.bias", 3, {LLI_ATTN_Q_BIAS, LLI_ATTN_K_BIAS, LLI_ATTN_V_BIAS}},
};

const struct lli_family *lli_family_at(size_t i)
{
    return i < sizeof families / sizeof *families ? &families[i] : NULL;
}

const struct lli_family *lli_family_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        if (strlen(families[i].name) == len && memcmp(families[i].name, name, len) == 0)
            return &families[i];
    }
    return NULL;
}

const struct lli_role_shape *lli_family_shape(enum lli_role role)
{
    return &shapes[role];
}

const struct lli_fused *lli_family_fused(const char *name, uint64_t may)
{
    for (size_t i = 0; i < sizeof fused / sizeof *fused; i++) {
        uint64_t parts = 0;
        for (size_t p = 0; p < fused[i].n_parts; p++)
            parts |= LLI_ROLE(fused[i].parts[p]);
        if ((may & parts) == parts && strcmp(fused[i].name, name) == 0)
            return &fused[i];
    }
    return NULL;
}

uint64_t lli_family_needs(const struct lli_family *family, int has_experts)
{
    return family->needs & ~(has_experts ? DENSE_ONLY : EXPERTS);
}

uint64_t lli_family_may(const struct lli_family *family, int has_experts)
{
    return lli_family_needs(family, has_experts) | family->may;
}
