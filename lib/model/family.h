/* model/family.h - one row per architecture: what differs between networks is data here, not branches elsewhere. */
#ifndef LLI_MODEL_FAMILY_H
#define LLI_MODEL_FAMILY_H

#include <stddef.h>
#include <stdint.h>

/* The tensors of a network by role. Global ones first. */
enum lli_role {
    LLI_TOKEN_EMBD,
    LLI_POSITION_EMBD,
    LLI_TOKEN_TYPES,
    LLI_TOKEN_NORM,
    LLI_TOKEN_NORM_BIAS,
    LLI_OUTPUT_NORM,
    LLI_OUTPUT_NORM_BIAS,
    LLI_OUTPUT,
    LLI_OUTPUT_BIAS,
    LLI_ROPE_FREQS,
    LLI_ROPE_LONG,
    LLI_ROPE_SHORT,
    LLI_ATTN_NORM,
    LLI_ATTN_NORM_BIAS,
    LLI_ATTN_NORM_2,
    LLI_ATTN_NORM_2_BIAS,
    LLI_ATTN_Q,
    LLI_ATTN_K,
    LLI_ATTN_V,
    LLI_ATTN_OUTPUT,
    LLI_ATTN_Q_NORM,
    LLI_ATTN_K_NORM,
    LLI_ATTN_POST_NORM,
    LLI_ATTN_OUTPUT_NORM,
    LLI_ATTN_OUTPUT_NORM_BIAS,
    LLI_FFN_NORM,
    LLI_FFN_NORM_BIAS,
    LLI_FFN_GATE,
    LLI_FFN_UP,
    LLI_FFN_DOWN,
    LLI_FFN_ROUTER,
    LLI_FFN_GATE_EXPS,
    LLI_FFN_UP_EXPS,
    LLI_FFN_DOWN_EXPS,
    LLI_FFN_GATE_SHARED,
    LLI_FFN_UP_SHARED,
    LLI_FFN_DOWN_SHARED,
    LLI_FFN_ROUTER_SHARED,
    LLI_FFN_POST_NORM,
    LLI_LAYER_OUTPUT_NORM,
    LLI_LAYER_OUTPUT_NORM_BIAS,
    LLI_ATTN_Q_BIAS,
    LLI_ATTN_K_BIAS,
    LLI_ATTN_V_BIAS,
    LLI_ATTN_OUTPUT_BIAS,
    LLI_ATTN_SINKS,
    LLI_FFN_UP_BIAS,
    LLI_FFN_DOWN_BIAS,
    LLI_FFN_ROUTER_BIAS,
    LLI_FFN_GATE_EXPS_BIAS,
    LLI_FFN_UP_EXPS_BIAS,
    LLI_FFN_DOWN_EXPS_BIAS,
    LLI_N_ROLES,
    LLI_FIRST_LAYER_ROLE = LLI_ATTN_NORM
};

#define LLI_ROLE(role) ((uint64_t)1 << (role)) /* a bit of needs and may */

/* A side of a tensor, as a number of the config. */
enum lli_extent {
    LLI_EXTENT_NONE, /* 1: the tensor has no such side */
    LLI_EXTENT_EMBD,
    LLI_EXTENT_VOCAB,
    LLI_EXTENT_CONTEXT,
    LLI_EXTENT_TOKEN_TYPES,
    LLI_EXTENT_HEADS,     /* heads x head size */
    LLI_EXTENT_KV_HEADS,  /* KV heads x head size */
    LLI_EXTENT_EACH_HEAD, /* one per head */
    LLI_EXTENT_Q_NORM,    /* what a norm of q runs over */
    LLI_EXTENT_K_NORM,
    LLI_EXTENT_Q_NORM_HEADS, /* how many of them have gains of their own */
    LLI_EXTENT_K_NORM_HEADS,
    LLI_EXTENT_FF,
    LLI_EXTENT_EXPERT_FF,
    LLI_EXTENT_SHARED_FF,
    LLI_EXTENT_EXPERTS,
    LLI_EXTENT_ROPE, /* pairs that are rotated */
    LLI_N_EXTENTS
};

/* What a tensor of a role is called ("blk.N." in front for a layer's) and what it looks like; sides innermost first. */
struct lli_role_shape {
    const char *name;
    uint8_t sides[3];  /* enum lli_extent */
    uint8_t is_vector; /* in F32, used as it is; else a matrix, whose rows are multiplied or looked up */
};

/* A tensor of a file whose rows are those of several roles, one behind the other. */
struct lli_fused {
    const char *name;
    uint8_t n_parts, parts[3]; /* enum lli_role */
    int trait;                 /* of the families that have it; 0: all may */
};

enum lli_norm { LLI_NORM_RMS, LLI_NORM_LAYER };
enum lli_activation { LLI_SILU, LLI_GELU_TANH, LLI_GELU_ERF, LLI_SILU_CLAMPED };

/* What a norm of q and k runs over: each head, with one gain for all; each head, with a gain each; all of a row. */
enum lli_qk_norm { LLI_QK_NORM_HEAD, LLI_QK_NORM_EACH_HEAD, LLI_QK_NORM_ALL };

/* Whether attention and FFN see the same stream, and their results are added to it together. */
enum lli_parallel { LLI_SEQUENTIAL, LLI_PARALLEL, LLI_PARALLEL_BY_KEY, LLI_PARALLEL_WITHOUT_FFN_NORM };

/* Keys that a family gives a meaning, and habits. */
enum lli_trait {
    LLI_SCALES = 1,           /* embedding_scale, residual_scale, attention.scale; logit_scale divides */
    LLI_LOGIT_FACTOR = 2,     /* logit_scale multiplies */
    LLI_SOFT_CAPS = 4,        /* attn_logit_softcapping, final_logit_softcapping */
    LLI_ROOT_EMBEDDING = 8,   /* the token's vector is multiplied by the root of its length */
    LLI_WINDOWS = 16,         /* attention.sliding_window, in the layers that window_period says */
    LLI_RAW_SHARES = 32,      /* experts have the router's probabilities as weights, whatever their sum */
    LLI_GATE_IN_UP = 64,      /* ffn_up has the rows of the gate in front of its own */
    LLI_FFN_NORM_AFTER = 128, /* the FFN's norm is called post_attention_norm */
    LLI_LOCAL_UNSCALED = 256, /* layers with a window rotate by the base alone */
    LLI_ROPE_SWITCH = 512,    /* rope.scaling.finetuned false: nothing is rotated */
    LLI_ENCODER = 1024,       /* every position sees all; there is no next token */
};

struct lli_family {
    const char *name;             /* general.architecture; also the prefix of its keys */
    int rope_pairs;               /* enum lli_rope_pairs */
    uint64_t needs;               /* bit per role: must be there (bits of MoE and dense roles apply to such files only) */
    uint64_t may;                 /* bit per role: may be there as well */
    int norm;                     /* enum lli_norm */
    int activation;               /* enum lli_activation; times `up` where there is a gate */
    int qk_norm;                  /* enum lli_qk_norm, where there are such norms */
    int parallel;                 /* enum lli_parallel */
    int traits;                   /* enum lli_trait */
    float alibi;                  /* the slopes of heads fall from 2^-(that / heads) to 2^-that; 0: none */
    float softcap, logit_softcap; /* without a key; 0: none */
    uint32_t window;              /* without a key; 0: none */
    uint32_t window_period;       /* without a key: the last of so many layers sees all; 0: none does */
    double local_base;            /* of rotation in layers with a window, without a key; 0: that of the others */
    uint32_t wide_at; /* layers: of so many, a query is scaled by the root of width / heads, not of the head's size */
};

/* NULL if unknown. name need not be terminated. */
const struct lli_family *lli_family_find(const char *name, size_t len);

/* All of them: NULL behind the last. */
const struct lli_family *lli_family_at(size_t i);

const struct lli_role_shape *lli_family_shape(enum lli_role role);

/* What a tensor of this name (behind "blk.N.") is to the family, if its roles are others than its name says; else NULL. */
const struct lli_fused *lli_family_fused(const struct lli_family *family, const char *name);

/* The roles of a network of this family, dense or with experts: bits of those that must be there, and of all known. */
uint64_t lli_family_needs(const struct lli_family *family, int has_experts);
uint64_t lli_family_may(const struct lli_family *family, int has_experts);

/* A name that begins with `prefix` and "N.": N, and what follows; NULL if it does not begin so. N has up to 9 digits and no
 * leading zero. */
const char *lli_family_layer(int64_t *layer, const char *prefix, const char *name);

#endif
