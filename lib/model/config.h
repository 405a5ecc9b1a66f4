/* model/config.h - the hyper-parameters of a network, read from metadata and validated before anything is allocated
 * from them. */
#ifndef LLI_MODEL_CONFIG_H
#define LLI_MODEL_CONFIG_H

#include <stdint.h>

#include "base/limits.h"
#include "file/gguf.h"

struct llminf_error;
struct lli_family;

/* LongRoPE is factors of the model's own, no rule. */
enum lli_rope_scaling { LLI_ROPE_NONE, LLI_ROPE_LINEAR, LLI_ROPE_YARN, LLI_ROPE_LONGROPE };
enum lli_rope_pairs { LLI_ROPE_ADJACENT, LLI_ROPE_HALVES, LLI_ROPE_UNUSED }; /* (2i, 2i+1) or (i, i + d/2) */

/* How a file says that hidden states become an embedding; the numbers of GGUF. */
enum lli_pooling_kind { LLI_POOLING_NONE, LLI_POOLING_MEAN, LLI_POOLING_CLS, LLI_POOLING_LAST };

struct lli_rope {
    int pairs, scaling;
    uint32_t n_dims;     /* rotated dimensions of a head, even; 0: nothing is rotated */
    double base, factor; /* factor 1: none */
    double magnitude;    /* cos and sin are multiplied by it */
    /* YaRN; other scalings leave these 0 */
    double yarn_log_multiplier; /* 0: a file with another value is refused */
    double yarn_ext_factor, yarn_attn_factor, yarn_beta_fast, yarn_beta_slow;
    uint32_t original_length; /* of YaRN and of a choice of factors; else the trained length */
};

struct lli_config {
    const struct lli_family *family;
    uint32_t n_layers, n_embd, n_heads, n_kv_heads, head_dim, n_ff, n_vocab, train_length;
    uint32_t n_experts, n_experts_used; /* 0: dense */
    uint32_t n_expert_ff, n_shared_ff;  /* width of an expert, and of the one that all rows see */
    int has_raw_shares;                 /* the weights of chosen experts are not made to sum to 1 */
    int is_parallel;                    /* attention and FFN see the same stream */
    int is_bidirectional;               /* a position sees those behind it too */
    uint32_t n_token_types;             /* 0: none */
    uint32_t window; /* in local layers a position sees itself and the window - 1 before it; 0: all before it */
    uint64_t global_layers[LLI_MAX_LAYERS / 64]; /* bits of those without the window */
    float alibi;                                 /* 0: none */
    float attention_scale;                       /* of scores */
    float softcap;                         /* scores s become softcap * tanh(s / softcap), after their scale; 0: they stay */
    float embedding_scale, residual_scale; /* of a token's vector; of what is added to the stream; 1: none */
    float logit_scale, logit_softcap;      /* 1: none; 0: none */
    float norm_eps;
    uint32_t pooling;                 /* as the file has it, which may be no lli_pooling_kind */
    struct lli_rope rope, local_rope; /* of layers that see all, and of those with the window */
};

static inline int lli_config_is_local(const struct lli_config *c, uint32_t layer)
{
    return c->window > 0 && !(c->global_layers[layer / 64] >> layer % 64 & 1);
}

/* Positions that the network knows: those of a table, if it has one. */
uint32_t lli_config_positions(const struct lli_config *c);

/* FORMAT, LIMIT, UNSUPPORTED with the key as subject. n_vocab is the tokens' number (the shapes are checked by weights). */
int32_t lli_config_read(struct lli_config *out, const struct lli_gguf *g, uint32_t n_vocab, struct llminf_error *err);

#endif
