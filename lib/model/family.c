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
#define QK_NORMS (BIT(ATTN_Q_NORM) | BIT(ATTN_K_NORM))
#define POST_NORMS (BIT(ATTN_POST_NORM) | BIT(FFN_POST_NORM))
#define SHARED (BIT(FFN_GATE_SHARED) | BIT(FFN_UP_SHARED) | BIT(FFN_DOWN_SHARED) | BIT(FFN_ROUTER_SHARED))
#define EXPERT_BIASES (BIT(FFN_ROUTER_BIAS) | BIT(FFN_GATE_EXPS_BIAS) | BIT(FFN_UP_EXPS_BIAS) | BIT(FFN_DOWN_EXPS_BIAS))
#define DENSE_ONLY GATED
#define ENCODER                                                                                                                \
    (BIT(TOKEN_EMBD) | PAIR(TOKEN_NORM) | BIT(ATTN_Q) | BIT(ATTN_K) | BIT(ATTN_V) | BIT(ATTN_OUTPUT) |                         \
     PAIR(ATTN_OUTPUT_NORM) | PAIR(LAYER_OUTPUT_NORM))

static const struct lli_family families[] = {
    {
        .name = "llama",
        .rope_pairs = LLI_ROPE_ADJACENT,
        .needs = CORE | NORMS | GATED | EXPERTS,
        .may = BIT(OUTPUT) | BIT(ROPE_FREQS) | ATTN_BIASES,
        .traits = LLI_WINDOWS, /* Mistral's, in all layers */
    },
    {
        .name = "qwen2",
        .rope_pairs = LLI_ROPE_HALVES,
        .needs = CORE | NORMS | GATED | QKV_BIASES,
        .may = BIT(OUTPUT),
    },
    {
        .name = "qwen2moe",
        .rope_pairs = LLI_ROPE_HALVES,
        .needs = CORE | NORMS | EXPERTS | SHARED | QKV_BIASES,
        .may = BIT(OUTPUT),
        .traits = LLI_RAW_SHARES,
    },
    {
        .name = "qwen3",
        .rope_pairs = LLI_ROPE_HALVES,
        .needs = CORE | NORMS | GATED | QK_NORMS,
        .may = BIT(OUTPUT),
    },
    {
        .name = "qwen3moe",
        .rope_pairs = LLI_ROPE_HALVES,
        .needs = CORE | NORMS | EXPERTS | QK_NORMS,
        .may = BIT(OUTPUT),
    },
    {
        .name = "gemma",
        .rope_pairs = LLI_ROPE_HALVES,
        .activation = LLI_GELU_TANH,
        .needs = CORE | NORMS | GATED,
        .may = BIT(OUTPUT),
        .traits = LLI_ROOT_EMBEDDING,
    },
    {
        .name = "gemma2",
        .rope_pairs = LLI_ROPE_HALVES,
        .activation = LLI_GELU_TANH,
        .needs = CORE | NORMS | POST_NORMS | GATED,
        .may = BIT(OUTPUT),
        .traits = LLI_ROOT_EMBEDDING | LLI_SOFT_CAPS | LLI_WINDOWS,
        .softcap = 50,
        .logit_softcap = 30,
        .window = 4096,
        .window_period = 2,
        .wide_at = 46,
    },
    {
        .name = "gemma3",
        .rope_pairs = LLI_ROPE_HALVES,
        .activation = LLI_GELU_TANH,
        .needs = CORE | NORMS | POST_NORMS | QK_NORMS | GATED,
        .may = BIT(OUTPUT),
        .traits = LLI_ROOT_EMBEDDING | LLI_SOFT_CAPS | LLI_WINDOWS | LLI_LOCAL_UNSCALED,
        .window_period = 6,
        .local_base = 10000,
        .wide_at = 62,
    },
    {
        .name = "gpt2",
        .rope_pairs = LLI_ROPE_UNUSED,
        .norm = LLI_NORM_LAYER,
        .activation = LLI_GELU_TANH,
        .needs = CORE | NORMS | NORM_BIASES | ATTN_BIASES | BIT(POSITION_EMBD) | PAIR(FFN_UP) | PAIR(FFN_DOWN),
        .may = BIT(OUTPUT),
    },
    {
        .name = "phi2",
        .rope_pairs = LLI_ROPE_HALVES,
        .norm = LLI_NORM_LAYER,
        .activation = LLI_GELU_TANH,
        .parallel = LLI_PARALLEL,
        .needs = CORE | PAIR(ATTN_NORM) | ATTN_BIASES | PAIR(FFN_UP) | PAIR(FFN_DOWN) | PAIR(OUTPUT) | BIT(OUTPUT_NORM_BIAS),
    },
    {
        .name = "phi3",
        .rope_pairs = LLI_ROPE_HALVES,
        .needs = CORE | NORMS | GATED,
        .may = BIT(OUTPUT) | BIT(ROPE_LONG) | BIT(ROPE_SHORT),
        .traits = LLI_WINDOWS | LLI_GATE_IN_UP,
    },
    {
        .name = "gptneox",
        .rope_pairs = LLI_ROPE_HALVES,
        .norm = LLI_NORM_LAYER,
        .activation = LLI_GELU_ERF,
        .parallel = LLI_PARALLEL_BY_KEY,
        .needs = CORE | NORMS | NORM_BIASES | ATTN_BIASES | PAIR(FFN_UP) | PAIR(FFN_DOWN) | BIT(OUTPUT),
    },
    {
        .name = "starcoder2",
        .rope_pairs = LLI_ROPE_HALVES,
        .norm = LLI_NORM_LAYER,
        .activation = LLI_GELU_TANH,
        .needs = CORE | NORMS | NORM_BIASES | ATTN_BIASES | PAIR(FFN_UP) | PAIR(FFN_DOWN),
        .may = BIT(OUTPUT),
        .traits = LLI_WINDOWS,
    },
    {
        .name = "falcon",
        .rope_pairs = LLI_ROPE_HALVES,
        .norm = LLI_NORM_LAYER,
        .activation = LLI_GELU_ERF,
        .parallel = LLI_PARALLEL,
        .needs = CORE | PAIR(ATTN_NORM) | BIT(OUTPUT_NORM_BIAS) | BIT(FFN_UP) | BIT(FFN_DOWN),
        .may = BIT(OUTPUT) | PAIR(ATTN_NORM_2),
    },
    {
        .name = "stablelm",
        .rope_pairs = LLI_ROPE_HALVES,
        .norm = LLI_NORM_LAYER,
        .parallel = LLI_PARALLEL_WITHOUT_FFN_NORM,
        .qk_norm = LLI_QK_NORM_EACH_HEAD,
        .needs = CORE | PAIR(ATTN_NORM) | BIT(OUTPUT_NORM_BIAS) | GATED | BIT(OUTPUT),
        .may = PAIR(FFN_NORM) | QKV_BIASES | QK_NORMS,
    },
    {
        .name = "olmo2",
        .rope_pairs = LLI_ROPE_HALVES,
        .qk_norm = LLI_QK_NORM_ALL,
        .needs = CORE | QK_NORMS | POST_NORMS | GATED | BIT(OUTPUT),
        .traits = LLI_WINDOWS | LLI_LOCAL_UNSCALED,
        .window_period = 4,
    },
    {
        .name = "command-r",
        .rope_pairs = LLI_ROPE_ADJACENT,
        .norm = LLI_NORM_LAYER,
        .parallel = LLI_PARALLEL,
        .qk_norm = LLI_QK_NORM_EACH_HEAD,
        .needs = CORE | BIT(ATTN_NORM) | GATED,
        .may = QK_NORMS,
        .traits = LLI_LOGIT_FACTOR,
    },
    {
        .name = "granite",
        .rope_pairs = LLI_ROPE_ADJACENT,
        .needs = CORE | NORMS | GATED,
        .may = BIT(OUTPUT) | BIT(ROPE_FREQS) | BIT(ATTN_OUTPUT_BIAS),
        .traits = LLI_SCALES | LLI_ROPE_SWITCH,
    },
    {
        .name = "bloom",
        .rope_pairs = LLI_ROPE_UNUSED,
        .norm = LLI_NORM_LAYER,
        .activation = LLI_GELU_TANH,
        .needs = CORE | NORMS | NORM_BIASES | ATTN_BIASES | PAIR(TOKEN_NORM) | PAIR(FFN_UP) | PAIR(FFN_DOWN),
        .may = BIT(OUTPUT),
        .alibi = 8,
    },
    {
        .name = "gpt-oss",
        .rope_pairs = LLI_ROPE_HALVES,
        .activation = LLI_SILU_CLAMPED,
        .needs = CORE | NORMS | EXPERTS | EXPERT_BIASES | ATTN_BIASES | BIT(ATTN_SINKS) | BIT(OUTPUT),
        .traits = LLI_WINDOWS | LLI_FFN_NORM_AFTER,
        .window_period = 2,
    },
    {
        .name = "bert",
        .rope_pairs = LLI_ROPE_UNUSED,
        .norm = LLI_NORM_LAYER,
        .activation = LLI_GELU_ERF,
        .needs = ENCODER | ATTN_BIASES | BIT(POSITION_EMBD) | PAIR(FFN_UP) | PAIR(FFN_DOWN),
        .may = BIT(TOKEN_TYPES),
        .traits = LLI_ENCODER,
    },
    {
        .name = "nomic-bert",
        .rope_pairs = LLI_ROPE_HALVES,
        .norm = LLI_NORM_LAYER,
        .needs = ENCODER | GATED,
        .may = BIT(TOKEN_TYPES) | ATTN_BIASES,
        .traits = LLI_ENCODER,
    },
};

/* clang-format off */
#define VECTOR(name, ...) {name ".weight", {__VA_ARGS__}, 1}
#define BIAS(name, ...) {name ".bias", {__VA_ARGS__}, 1}
#define MATRIX(name, ...) {name ".weight", {__VA_ARGS__}, 0}
/* clang-format on */
#define EMBD LLI_EXTENT_EMBD
#define VOCAB LLI_EXTENT_VOCAB
#define FF LLI_EXTENT_FF
#define EXPERT_FF LLI_EXTENT_EXPERT_FF
#define SHARED_FF LLI_EXTENT_SHARED_FF
#define HEADS LLI_EXTENT_HEADS
#define KV_HEADS LLI_EXTENT_KV_HEADS
#define N_EXPERTS LLI_EXTENT_EXPERTS

static const struct lli_role_shape shapes[LLI_N_ROLES] = {
    [LLI_TOKEN_EMBD] = MATRIX("token_embd", EMBD, VOCAB),
    [LLI_POSITION_EMBD] = MATRIX("position_embd", EMBD, LLI_EXTENT_CONTEXT),
    [LLI_TOKEN_TYPES] = MATRIX("token_types", EMBD, LLI_EXTENT_TOKEN_TYPES),
    [LLI_TOKEN_NORM] = VECTOR("token_embd_norm", EMBD),
    [LLI_TOKEN_NORM_BIAS] = BIAS("token_embd_norm", EMBD),
    [LLI_OUTPUT_NORM] = VECTOR("output_norm", EMBD),
    [LLI_OUTPUT_NORM_BIAS] = BIAS("output_norm", EMBD),
    [LLI_OUTPUT] = MATRIX("output", EMBD, VOCAB),
    [LLI_OUTPUT_BIAS] = BIAS("output", VOCAB),
    [LLI_ROPE_FREQS] = VECTOR("rope_freqs", LLI_EXTENT_ROPE),
    [LLI_ROPE_LONG] = VECTOR("rope_factors_long", LLI_EXTENT_ROPE),
    [LLI_ROPE_SHORT] = VECTOR("rope_factors_short", LLI_EXTENT_ROPE),
    [LLI_ATTN_NORM] = VECTOR("attn_norm", EMBD),
    [LLI_ATTN_NORM_BIAS] = BIAS("attn_norm", EMBD),
    [LLI_ATTN_NORM_2] = VECTOR("attn_norm_2", EMBD),
    [LLI_ATTN_NORM_2_BIAS] = BIAS("attn_norm_2", EMBD),
    [LLI_ATTN_Q] = MATRIX("attn_q", EMBD, HEADS),
    [LLI_ATTN_K] = MATRIX("attn_k", EMBD, KV_HEADS),
    [LLI_ATTN_V] = MATRIX("attn_v", EMBD, KV_HEADS),
    [LLI_ATTN_OUTPUT] = MATRIX("attn_output", HEADS, EMBD),
    [LLI_ATTN_Q_NORM] = VECTOR("attn_q_norm", LLI_EXTENT_Q_NORM, LLI_EXTENT_Q_NORM_HEADS),
    [LLI_ATTN_K_NORM] = VECTOR("attn_k_norm", LLI_EXTENT_K_NORM, LLI_EXTENT_K_NORM_HEADS),
    [LLI_ATTN_POST_NORM] = VECTOR("post_attention_norm", EMBD),
    [LLI_ATTN_OUTPUT_NORM] = VECTOR("attn_output_norm", EMBD),
    [LLI_ATTN_OUTPUT_NORM_BIAS] = BIAS("attn_output_norm", EMBD),
    [LLI_FFN_NORM] = VECTOR("ffn_norm", EMBD),
    [LLI_FFN_NORM_BIAS] = BIAS("ffn_norm", EMBD),
    [LLI_FFN_GATE] = MATRIX("ffn_gate", EMBD, FF),
    [LLI_FFN_UP] = MATRIX("ffn_up", EMBD, FF),
    [LLI_FFN_DOWN] = MATRIX("ffn_down", FF, EMBD),
    [LLI_FFN_ROUTER] = MATRIX("ffn_gate_inp", EMBD, N_EXPERTS),
    [LLI_FFN_GATE_EXPS] = MATRIX("ffn_gate_exps", EMBD, EXPERT_FF, N_EXPERTS),
    [LLI_FFN_UP_EXPS] = MATRIX("ffn_up_exps", EMBD, EXPERT_FF, N_EXPERTS),
    [LLI_FFN_DOWN_EXPS] = MATRIX("ffn_down_exps", EXPERT_FF, EMBD, N_EXPERTS),
    [LLI_FFN_GATE_SHARED] = MATRIX("ffn_gate_shexp", EMBD, SHARED_FF),
    [LLI_FFN_UP_SHARED] = MATRIX("ffn_up_shexp", EMBD, SHARED_FF),
    [LLI_FFN_DOWN_SHARED] = MATRIX("ffn_down_shexp", SHARED_FF, EMBD),
    [LLI_FFN_ROUTER_SHARED] = MATRIX("ffn_gate_inp_shexp", EMBD),
    [LLI_FFN_POST_NORM] = VECTOR("post_ffw_norm", EMBD),
    [LLI_LAYER_OUTPUT_NORM] = VECTOR("layer_output_norm", EMBD),
    [LLI_LAYER_OUTPUT_NORM_BIAS] = BIAS("layer_output_norm", EMBD),
    [LLI_ATTN_Q_BIAS] = BIAS("attn_q", HEADS),
    [LLI_ATTN_K_BIAS] = BIAS("attn_k", KV_HEADS),
    [LLI_ATTN_V_BIAS] = BIAS("attn_v", KV_HEADS),
    [LLI_ATTN_OUTPUT_BIAS] = BIAS("attn_output", EMBD),
    [LLI_ATTN_SINKS] = VECTOR("attn_sinks", LLI_EXTENT_EACH_HEAD),
    [LLI_FFN_UP_BIAS] = BIAS("ffn_up", FF),
    [LLI_FFN_DOWN_BIAS] = BIAS("ffn_down", EMBD),
    [LLI_FFN_ROUTER_BIAS] = BIAS("ffn_gate_inp", N_EXPERTS),
    [LLI_FFN_GATE_EXPS_BIAS] = BIAS("ffn_gate_exps", EXPERT_FF, N_EXPERTS),
    [LLI_FFN_UP_EXPS_BIAS] = BIAS("ffn_up_exps", EXPERT_FF, N_EXPERTS),
    [LLI_FFN_DOWN_EXPS_BIAS] = BIAS("ffn_down_exps", EMBD, N_EXPERTS),
};

static const struct lli_fused fused[] = {
    {"attn_qkv.weight", 3, {LLI_ATTN_Q, LLI_ATTN_K, LLI_ATTN_V}, 0},
    {"attn_qkv.bias", 3, {LLI_ATTN_Q_BIAS, LLI_ATTN_K_BIAS, LLI_ATTN_V_BIAS}, 0},
    {"ffn_up.weight", 2, {LLI_FFN_GATE, LLI_FFN_UP}, LLI_GATE_IN_UP},
    {"post_attention_norm.weight", 1, {LLI_FFN_NORM}, LLI_FFN_NORM_AFTER},
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

const struct lli_fused *lli_family_fused(const struct lli_family *family, const char *name)
{
    for (size_t i = 0; i < sizeof fused / sizeof *fused; i++) {
        if ((family->traits & fused[i].trait) == fused[i].trait && strcmp(fused[i].name, name) == 0)
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

const char *lli_family_layer(int64_t *layer, const char *prefix, const char *name)
{
    size_t n_prefix = strlen(prefix);
    int64_t n = 0;
    int n_digits = 0;
    if (strncmp(name, prefix, n_prefix) != 0)
        return NULL;
    const char *first = name + n_prefix, *at = first;
    for (; *at >= '0' && *at <= '9' && n_digits < 10; at++, n_digits++)
        n = n * 10 + (*at - '0');
    int is_number = n_digits == 1 || (n_digits > 1 && n_digits < 10 && *first != '0');
    if (!is_number || *at != '.')
        return NULL;
    *layer = n;
    return at + 1;
}
