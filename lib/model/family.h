/* model/family.h - one row per architecture: what differs between networks is data here, not branches elsewhere. */
#ifndef LLI_MODEL_FAMILY_H
#define LLI_MODEL_FAMILY_H

#include <stddef.h>
#include <stdint.h>

/* The tensors of a network by role. Global ones first. */
enum lli_role {
    LLI_TOKEN_EMBD,
    LLI_POSITION_EMBD,
    LLI_OUTPUT_NORM,
    LLI_OUTPUT_NORM_BIAS,
    LLI_OUTPUT,
    LLI_ROPE_FREQS,
    LLI_ATTN_NORM,
    LLI_ATTN_NORM_BIAS,
    LLI_ATTN_Q,
    LLI_ATTN_K,
    LLI_ATTN_V,
    LLI_ATTN_OUTPUT,
    LLI_FFN_NORM,
    LLI_FFN_NORM_BIAS,
    LLI_FFN_GATE,
    LLI_FFN_UP,
    LLI_FFN_DOWN,
    LLI_FFN_ROUTER,
    LLI_FFN_GATE_EXPS,
    LLI_FFN_UP_EXPS,
    LLI_FFN_DOWN_EXPS,
    LLI_ATTN_Q_BIAS,
    LLI_ATTN_K_BIAS,
    LLI_ATTN_V_BIAS,
    LLI_ATTN_OUTPUT_BIAS,
    LLI_ATTN_SINKS,
    LLI_FFN_UP_BIAS,
    LLI_FFN_DOWN_BIAS,
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
    LLI_EXTENT_HEADS,     /* heads x head size */
    LLI_EXTENT_KV_HEADS,  /* KV heads x head size */
    LLI_EXTENT_EACH_HEAD, /* one per head */
    LLI_EXTENT_FF,
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
};

enum lli_norm { LLI_NORM_RMS, LLI_NORM_LAYER };
enum lli_activation { LLI_SILU, LLI_GELU_TANH };

struct lli_family {
    const char *name; /* general.architecture; also the prefix of its keys */
    int rope_pairs;   /* enum lli_rope_pairs */
    uint64_t needs;   /* bit per role: must be there (bits of MoE and dense roles apply to such files only) */
    uint64_t may;     /* bit per role: may be there as well */
    int norm;         /* enum lli_norm */
    int activation;   /* enum lli_activation; times `up` where there is a gate */
};

/* NULL if unknown. name need not be terminated. */
const struct lli_family *lli_family_find(const char *name, size_t len);

/* All of them: NULL behind the last. */
const struct lli_family *lli_family_at(size_t i);

const struct lli_role_shape *lli_family_shape(enum lli_role role);

/* What a tensor of this name (behind "blk.N.") is to a network whose roles are `may`, if it is several roles; else NULL. */
const struct lli_fused *lli_family_fused(const char *name, uint64_t may);

/* The roles of a network of this family, dense or with experts: bits of those that must be there, and of all known. */
uint64_t lli_family_needs(const struct lli_family *family, int has_experts);
uint64_t lli_family_may(const struct lli_family *family, int has_experts);

#endif
