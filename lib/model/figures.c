/* model/figures.c - see shape.h. */
#include "model/figures.h"

#include <string.h>

static uint32_t has(const struct lli_weights *w, enum lli_role role)
{
    return role < LLI_FIRST_LAYER_ROLE ? w->at[role].data != NULL : w->layers[0].at[role].data != NULL;
}

void lli_figures_shape(struct lli_shape *out, const struct lli_config *config, const struct lli_weights *weights)
{
    *out = (struct lli_shape){
        .n_layers = config->n_layers,
        .n_embd = config->n_embd,
        .n_heads = config->n_heads,
        .n_kv_heads = config->n_kv_heads,
        .head_dim = config->head_dim,
        .n_ff = config->n_experts > 0 ? config->n_expert_ff : config->n_ff,
        .n_vocab = config->n_vocab,
        .n_experts = config->n_experts,
        .n_experts_used = config->n_experts_used,
        .n_positions = weights->at[LLI_POSITION_EMBD].n_out,
        .train_length = config->train_length,
        .window = config->window,
        .is_gated = has(weights, config->n_experts > 0 ? LLI_FFN_GATE_EXPS : LLI_FFN_GATE),
        .is_tied = weights->at[LLI_OUTPUT].data == weights->at[LLI_TOKEN_EMBD].data ? 1u : 0u,
        .has_layer_norm = has(weights, LLI_OUTPUT_NORM_BIAS) || has(weights, LLI_LAYER_OUTPUT_NORM_BIAS),
        .has_qk_norm = has(weights, LLI_ATTN_Q_NORM),
        .has_ff_bias = has(weights, LLI_FFN_DOWN_BIAS),
        .has_qkv_bias = has(weights, LLI_ATTN_Q_BIAS),
        .has_output_bias = has(weights, LLI_ATTN_OUTPUT_BIAS),
    };
    for (uint32_t i = 0; i < config->n_layers; i++)
        out->n_local += (uint32_t)lli_config_is_local(config, i);
}

static double bytes_of(const struct lli_matrix *m)
{
    return m->data ? (double)m->mat_bytes * m->n_mats : 0;
}

void lli_figures_weights(struct lli_weight_bytes *out, const struct lli_config *config, const struct lli_weights *weights)
{
    *out = (struct lli_weight_bytes){.layers = bytes_of(&weights->at[LLI_OUTPUT_NORM]),
                                     .head = bytes_of(&weights->at[LLI_OUTPUT])};
    for (uint32_t i = 0; i < config->n_layers; i++)
        for (int role = LLI_FIRST_LAYER_ROLE; role < LLI_N_ROLES; role++) {
            int is_expert = role == LLI_FFN_GATE_EXPS || role == LLI_FFN_UP_EXPS || role == LLI_FFN_DOWN_EXPS;
            *(is_expert ? &out->experts : &out->layers) += bytes_of(&weights->layers[i].at[role]);
        }
}

void lli_figures_config(struct lli_config *out, const struct lli_shape *shape)
{
    *out = (struct lli_config){
        .n_layers = shape->n_layers,
        .n_embd = shape->n_embd,
        .n_heads = shape->n_heads,
        .n_kv_heads = shape->n_kv_heads,
        .head_dim = shape->head_dim,
        .n_ff = shape->n_ff,
        .n_vocab = shape->n_vocab,
        .n_experts = shape->n_experts,
        .n_experts_used = shape->n_experts_used,
        .train_length = shape->train_length,
        .window = shape->n_local > 0 ? shape->window : 0,
        .rope = {.n_dims = shape->head_dim / 2 * 2},
        .local_rope = {.n_dims = shape->n_local > 0 ? shape->head_dim / 2 * 2 : 0},
    };
    for (uint32_t i = 0; i < shape->n_layers - shape->n_local; i++) /* which ones tells no size */
        out->global_layers[i / 64] |= (uint64_t)1 << i % 64;
}
