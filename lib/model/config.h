/* model/config.h - the hyper-parameters of a network, read from metadata and validated before anything is allocated
 * from them. */
#ifndef LLI_MODEL_CONFIG_H
#define LLI_MODEL_CONFIG_H

#include <stdint.h>

#include "file/gguf.h"

struct llminf_error;
struct lli_family;

enum lli_rope_scaling { LLI_ROPE_NONE, LLI_ROPE_LINEAR, LLI_ROPE_YARN };
enum lli_rope_pairs { LLI_ROPE_ADJACENT, LLI_ROPE_HALVES, LLI_ROPE_UNUSED }; /* (2i, 2i+1) or (i, i + d/2) */

struct lli_rope {
    int pairs, scaling;
    uint32_t n_dims;     /* rotated dimensions of a head, even; 0: nothing is rotated */
    double base, factor; /* factor 1: none */
    /* YaRN; other scalings leave these 0 */
    double yarn_log_multiplier; /* 0: a file with another value is refused */
    double yarn_ext_factor, yarn_attn_factor, yarn_beta_fast, yarn_beta_slow;
    uint32_t original_length;
};

struct lli_config {
    const struct lli_family *family;
    uint32_t n_layers, n_embd, n_heads, n_kv_heads, head_dim, n_ff, n_vocab, train_length;
    uint32_t n_experts, n_experts_used; /* 0: dense */
    uint32_t window;                    /* a position sees itself and the window - 1 before it; 0: all before it */
    float softcap;                      /* scores s become softcap * tanh(s / softcap); 0: they stay */
    float norm_eps;
    struct lli_rope rope;
};

/* FORMAT, LIMIT, UNSUPPORTED with the key as subject. n_vocab is the tokens' number (the shapes are checked by weights). */
int32_t lli_config_read(struct lli_config *out, const struct lli_gguf *g, uint32_t n_vocab, struct llminf_error *err);

#endif
