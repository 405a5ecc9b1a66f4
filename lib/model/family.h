/* model/family.h - one row per architecture: what differs between networks is data here, not branches elsewhere. */
#ifndef LLI_MODEL_FAMILY_H
#define LLI_MODEL_FAMILY_H

#include <stddef.h>
#include <stdint.h>

/* The tensors of a network by role. Global ones first. */
enum lli_role {
    LLI_TOKEN_EMBD,
    LLI_OUTPUT_NORM,
    LLI_OUTPUT,
    LLI_ROPE_FREQS,
    LLI_ATTN_NORM,
    LLI_ATTN_Q,
    LLI_ATTN_K,
    LLI_ATTN_V,
    LLI_ATTN_OUTPUT,
    LLI_FFN_NORM,
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
    LLI_N_ROLES,
    LLI_FIRST_LAYER_ROLE = LLI_ATTN_NORM
};

/* A side of a tensor, as a number of the config. */
enum lli_extent {
    LLI_EXTENT_NONE, /* 1: the tensor has no such side */
    LLI_EXTENT_EMBD,
    LLI_EXTENT_VOCAB,
    LLI_EXTENT_HEADS,     /* heads x head size */
    LLI_EXTENT_KV_HEADS,  /* KV heads x head size */
    LLI_EXTENT_EACH_HEAD, /* one per head */
    LLI_EXTENT_FF,
    LLI_EXTENT_EXPERTS,
    LLI_EXTENT_ROPE, /* pairs that are rotated */
    LLI_N_EXTENTS
};

/* What a tensor of a role is called ("blk.N." in front for a layer's) and what it looks like; sides innermost first. One
 * side: a vector, in F32. */
struct lli_role_shape {
    const char *name;
    uint8_t sides[3]; /* enum lli_extent */
};

struct lli_family {
    const char *name; /* general.architecture; also the prefix of its keys */
    int rope_pairs;   /* enum lli_rope_pairs */
    uint32_t needs;   /* bit per role: must be there (bits of MoE and dense roles apply to such files only) */
    uint32_t may;     /* bit per role: may be there as well */
};

/* NULL if unknown. name need not be terminated. */
const struct lli_family *lli_family_find(const char *name, size_t len);

const struct lli_role_shape *lli_family_shape(enum lli_role role);

/* The roles of a network of this family, dense or with experts: bits of those that must be there, and of all known. */
uint32_t lli_family_needs(const struct lli_family *family, int has_experts);
uint32_t lli_family_may(const struct lli_family *family, int has_experts);

#endif
