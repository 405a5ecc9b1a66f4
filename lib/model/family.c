#include "model/family.h"

#include <string.h>

#include "model/config.h"

#define BIT(role) (1u << (role))
#define ATTENTION_ROLES                                                                                                        \
    (BIT(LLI_ATTN_NORM) | BIT(LLI_ATTN_Q) | BIT(LLI_ATTN_K) | BIT(LLI_ATTN_V) | BIT(LLI_ATTN_OUTPUT) | BIT(LLI_FFN_NORM))
#define DENSE_ROLES (BIT(LLI_FFN_GATE) | BIT(LLI_FFN_UP) | BIT(LLI_FFN_DOWN))
#define EXPERT_ROLES (BIT(LLI_FFN_ROUTER) | BIT(LLI_FFN_GATE_EXPS) | BIT(LLI_FFN_UP_EXPS) | BIT(LLI_FFN_DOWN_EXPS))
#define BIAS_ROLES (BIT(LLI_ATTN_Q_BIAS) | BIT(LLI_ATTN_K_BIAS) | BIT(LLI_ATTN_V_BIAS) | BIT(LLI_ATTN_OUTPUT_BIAS))

static const struct lli_family families[] = {
    {"llama", LLI_ROPE_ADJACENT, BIT(LLI_TOKEN_EMBD) | BIT(LLI_OUTPUT_NORM) | ATTENTION_ROLES | DENSE_ROLES | EXPERT_ROLES,
     BIT(LLI_OUTPUT) | BIT(LLI_ROPE_FREQS) | BIAS_ROLES},
};

#define EMBD LLI_EXTENT_EMBD
#define FF LLI_EXTENT_FF
#define HEADS LLI_EXTENT_HEADS
#define KV_HEADS LLI_EXTENT_KV_HEADS
#define EXPERTS LLI_EXTENT_EXPERTS

static const struct lli_role_shape shapes[LLI_N_ROLES] = {
    [LLI_TOKEN_EMBD] = {"token_embd.weight", {EMBD, LLI_EXTENT_VOCAB}},
    [LLI_OUTPUT_NORM] = {"output_norm.weight", {EMBD}},
    [LLI_OUTPUT] = {"output.weight", {EMBD, LLI_EXTENT_VOCAB}},
    [LLI_ROPE_FREQS] = {"rope_freqs.weight", {LLI_EXTENT_ROPE}},
    [LLI_ATTN_NORM] = {"attn_norm.weight", {EMBD}},
    [LLI_ATTN_Q] = {"attn_q.weight", {EMBD, HEADS}},
    [LLI_ATTN_K] = {"attn_k.weight", {EMBD, KV_HEADS}},
    [LLI_ATTN_V] = {"attn_v.weight", {EMBD, KV_HEADS}},
    [LLI_ATTN_OUTPUT] = {"attn_output.weight", {HEADS, EMBD}},
    [LLI_FFN_NORM] = {"ffn_norm.weight", {EMBD}},
    [LLI_FFN_GATE] = {"ffn_gate.weight", {EMBD, FF}},
    [LLI_FFN_UP] = {"ffn_up.weight", {EMBD, FF}},
    [LLI_FFN_DOWN] = {"ffn_down.weight", {FF, EMBD}},
    [LLI_FFN_ROUTER] = {"ffn_gate_inp.weight", {EMBD, EXPERTS}},
    [LLI_FFN_GATE_EXPS] = {"ffn_gate_exps.weight", {EMBD, FF, EXPERTS}},
    [LLI_FFN_UP_EXPS] = {"ffn_up_exps.weight", {EMBD, FF, EXPERTS}},
    [LLI_FFN_DOWN_EXPS] = {"ffn_down_exps.weight", {FF, EMBD, EXPERTS}},
    [LLI_ATTN_Q_BIAS] = {"attn_q.bias", {HEADS}},
    [LLI_ATTN_K_BIAS] = {"attn_k.bias", {KV_HEADS}},
    [LLI_ATTN_V_BIAS] = {"attn_v.bias", {KV_HEADS}},
    [LLI_ATTN_OUTPUT_BIAS] = {"attn_output.bias", {EMBD}},
    [LLI_ATTN_SINKS] = {"attn_sinks.weight", {LLI_EXTENT_EACH_HEAD}},
};

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

uint32_t lli_family_needs(const struct lli_family *family, int has_experts)
{
    return family->needs & ~(has_experts ? DENSE_ROLES : EXPERT_ROLES);
}

uint32_t lli_family_may(const struct lli_family *family, int has_experts)
{
    return lli_family_needs(family, has_experts) | family->may;
}
