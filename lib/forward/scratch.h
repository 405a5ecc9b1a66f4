/* forward/scratch.h - every buffer of a step, cut from one piece of memory when the context is opened.
 *
 * Rows of a buffer lie densely behind one another. The comment names who fills it. */
#ifndef LLI_FORWARD_SCRATCH_H
#define LLI_FORWARD_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

#include "backend/kernels.h"
#include "base/alloc.h"
#include "forward/tiles.h"
#include "model/config.h"

struct llminf_error;
struct lli_seat;

/* Neighbouring rows of one adapter and one scale; a tile is LLI_ADAPT_ROWS of them (forward/adapt.h). */
struct lli_run {
    const struct lli_seat *seat;
    double scale;
    uint32_t first_row, n_rows, first_tile;
};

struct lli_runs {
    struct lli_run *at;
    uint32_t n, n_tiles;
};

struct lli_scratch {
    struct lli_heap *heap;
    void *memory; /* owned; aligned to 64 */
    size_t bytes;

    float *x;               /* [rows, n_embd] the residual stream */
    float *normed;          /* [rows, n_embd] */
    float *beside;          /* [rows, n_embd] the stream as the FFN beside attention sees it */
    float *q;               /* [rows, n_heads, head_dim] */
    float *k, *v;           /* [rows, n_kv_heads, head_dim] */
    float *attended;        /* [rows, n_heads, head_dim] */
    float *gate, *up;       /* [rows, the widest FFN] */
    float *projected;       /* [rows, n_embd] of attention and FFN, before it joins x */
    float *cos[2], *sin[2]; /* [rows, n_dims / 2] of global and of local layers */
    float *logits;          /* [logits, n_vocab] */
    struct lli_q8 *q8;      /* [rows, n_embd or n_heads * head_dim] the input of the products that run next */
    struct lli_q8 *hidden;  /* [rows, the widest FFN] the input of down */
    uint8_t *products;      /* [workers, LLI_MATMUL_SCRATCH] */
    uint8_t *token_row;     /* [workers, n_embd * 4] a row of a packed embedding, as in the file */

    /* Attention. A part is what one row has of one split (forward/tiles.h). */
    struct lli_tile *tiles[2]; /* [rows] without and with the window */
    struct lli_query *queries; /* [workers, tile] of one split */
    float *split;              /* [workers, tile, head_dim] their o, before it is merged */
    uint8_t *attend;           /* [workers, attend_bytes] the kernel's own */
    size_t attend_bytes;       /* a multiple of 64 */
    float *max, *total;        /* [rows, n_heads] of all splits so far */
    float *part_o;             /* [parts, n_heads, head_dim] */
    float *part_m, *part_l;    /* [parts, n_heads] */

    float *routes;         /* [rows, n_experts] router logits, then probabilities */
    uint32_t *chosen;      /* [rows, n_experts_used] experts, best first */
    float *shares;         /* [rows, n_experts_used] their weights */
    uint32_t *places;      /* [rows, n_experts_used] where the expert's output lies */
    uint32_t *expert_rows; /* [rows * n_experts_used] rows in the order of their experts */
    uint32_t *expert_at;   /* [n_experts + 1] where an expert's rows begin in it */
    float *gathered;       /* [rows, n_embd] the rows of one expert */
    float *expert_out;     /* [rows * n_experts_used, n_embd]; then [rows, n_embd] of the expert that all rows see */
    float *shared_gate;    /* [rows] of the expert that all rows see */

    uint32_t *logit_rows;              /* [logits] */
    struct lli_run *runs, *logit_runs; /* [rows], [logits] of adapters */
    _Atomic uint8_t *bad;              /* [rows] 1: the row met a NaN or Inf */
};

/* Bytes for so many rows; -1: they do not fit a size_t. */
int lli_scratch_bytes(size_t *out, const struct lli_config *config, uint32_t max_rows, uint32_t max_logits, int n_workers);

/* MEMORY. */
int32_t lli_scratch_init(struct lli_scratch *scratch, struct lli_heap *heap, const struct lli_config *config, uint32_t max_rows,
                         uint32_t max_logits, int n_workers, struct llminf_error *err);
void lli_scratch_finish(struct lli_scratch *scratch); /* accepts a zeroed struct */

#endif
