/* model/weights.h - the named tensors of a file, checked against the config and put in their places. The bytes stay the
 * file's. */
#ifndef LLI_MODEL_WEIGHTS_H
#define LLI_MODEL_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/dtype.h"
#include "base/segments.h"
#include "file/gguf.h"
#include "file/mapping.h"
#include "model/config.h"
#include "model/family.h"
#include "base/slice.h"

/* A matrix [n_mats, n_out, n_in] of rows of n_in elements, or a vector in F32. data NULL: absent. It may be a part of a fused
 * tensor: rows that stand behind those of another role. */
struct lli_matrix {
    const struct lli_dtype *type;
    const uint8_t *data;
    uint32_t n_in, n_out, n_mats;
    uint32_t lanes;             /* 1: rows as in the file; more: backend/pack.h */
    size_t mat_bytes;           /* from one of the n_mats to the next */
    struct lli_subtree subtree; /* all zero, or: K is a part of rows that are longer (backend/kernels.h) */
    const char *tensor;         /* the file's name for it; the GGUF's */
    uint64_t first_block;       /* where in that tensor it begins */
    uint32_t site;              /* layer * LLI_N_ROLES + role, global roles in layer 0: where an adapter has its own */
};

struct lli_layer {
    struct lli_matrix at[LLI_N_ROLES]; /* layer roles only */
};

struct lli_weights {
    struct lli_heap *heap;
    struct lli_matrix at[LLI_FIRST_LAYER_ROLE]; /* global roles; a tied output is the embedding's matrix */
    struct lli_layer *layers;                   /* [n_layers] */
    uint64_t n_params, bytes;                   /* bytes: of all tensors, or of the packed matrices */
    uint8_t *packed;                            /* memory of packed matrices; owned; NULL: the data are the file's */
    struct lli_slice slice;                     /* what these are of a model; all zero: all */
};

/* From one row of a matrix in the file's layout to the next. */
static inline size_t lli_matrix_row_bytes(const struct lli_matrix *m)
{
    return lli_dtype_row_bytes(m->type, lli_subtree_whole(&m->subtree, m->n_in));
}

/* Elements of a packed row: n_in, widened to whole blocks of the type. */
static inline size_t lli_matrix_packed_in(const struct lli_matrix *m)
{
    size_t n = m->n_in + (size_t)m->subtree.skip * LLI_SEGMENT_BLOCK;
    return (n + m->type->block - 1) / m->type->block * m->type->block;
}

/* FORMAT, UNSUPPORTED, LIMIT with the tensor's name. */
int32_t lli_weights_read(struct lli_weights *out, struct lli_heap *heap, const struct lli_config *config,
                         const struct lli_gguf *g, struct llminf_error *err);
void lli_weights_finish(struct lli_weights *w);

/* Where a tensor of a name belongs. */
struct lli_place {
    int64_t layer;        /* -1: it is one for all */
    size_t n_roles;       /* 0: nowhere */
    const uint8_t *roles; /* of a fused tensor several, whose rows stand one behind the other */
    uint8_t role;
};

/* The layer need not be there. *out is not to be copied. */
void lli_weights_place(struct lli_place *out, const struct lli_config *config, const char *name);

/* The output is the embedding's matrix. */
void lli_weights_tie(struct lli_weights *w);

/* Says NUMERIC, of a block (float types: an element) counted from the tensor's first. layer -1: it is one for all. */
int32_t lli_weights_not_finite(const struct lli_matrix *m, int64_t layer, int role, uint64_t block, struct llminf_error *err);

/* Reads all weights: NaN, Inf or an overflowing scale is NUMERIC with the tensor's name. */
int32_t lli_weights_verify(const struct lli_weights *w, const struct lli_config *config, const struct lli_progress *progress,
                           struct llminf_error *err);

#endif
