/* base/slice.h - which part of a model a rank holds: numbers in, ranges out.
 *
 * tp ranks share each layer, pp stages share the layers. K of the attention's output and of the FFN's down is cut at segments
 * (base/segments.h), so that a rank computes a subtree of the tree of docs/numerics.md; the heads, the hidden columns and the
 * rows of the matrices before follow from that. */
#ifndef LLI_BASE_SLICE_H
#define LLI_BASE_SLICE_H

#include <stdint.h>

#include "base/segments.h"

struct llminf_error;

enum { LLI_SLICE_VOCAB = 16, LLI_MAX_TP = LLI_N_SEGMENTS }; /* rows of the LM head that stay together; tp at most */

/* What is cut. A width that the model has not is 0. */
struct lli_slice_sizes {
    uint32_t n_layers, n_heads, n_kv_heads, head_dim, n_ff, n_expert_ff, n_shared_ff, n_vocab;
};

struct lli_span {
    uint32_t first, n;
};

struct lli_slice {
    uint32_t tp, index;                 /* rank `index` of the tp that share its layers */
    uint32_t first_segment, n_segments; /* of each K that is cut */
    struct lli_span layers;
    int is_first, is_last;                    /* has layer 0, the last layer */
    struct lli_span heads, kv_heads;          /* of each layer; n 0: none. All of a KV head's queries here are neighbours */
    struct lli_span attended;                 /* elements of K of the attention's output: the heads' */
    struct lli_span ff, expert_ff, shared_ff; /* elements of K of down */
    struct lli_span vocab;                    /* rows of the LM head */
};

/* OPTION with "tensor_parallel" and the numbers if heads cannot be dealt out to tp ranks; for each of them alike. */
int32_t lli_slice_check(const struct lli_slice_sizes *sizes, uint32_t tp, struct llminf_error *err);

/* As check says. layers: of the stage; n 0: all. */
int32_t lli_slice_make(struct lli_slice *out, const struct lli_slice_sizes *sizes, uint32_t tp, uint32_t index,
                       struct lli_span layers, struct llminf_error *err);

/* 1 if it is the whole model. */
static inline int lli_slice_is_whole(const struct lli_slice *s)
{
    return s->tp == 1 && s->is_first && s->is_last;
}

#endif
