/* forward/pass.h - what every stage of a forward pass works on, and how a stage is shared among the workers.
 *
 * A stage is cut into pieces that write disjoint memory; between two stages all workers meet. Which worker computes which
 * piece changes no bit. */
#ifndef LLI_FORWARD_PASS_H
#define LLI_FORWARD_PASS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/kernels.h"
#include "base/workers.h"
#include "forward/batch.h"
#include "forward/pages.h"
#include "forward/rotary.h"
#include "forward/scratch.h"
#include "forward/tiles.h"
#include "model/config.h"
#include "model/weights.h"
#include "parallel/comm.h"

struct lli_pass {
    const struct lli_config *config; /* of the slice: a network of its layers, heads and widths */
    const struct lli_weights *weights;
    struct lli_comm *comm; /* to the ranks that have the other slices; NULL: weights are whole */
    struct lli_workers *workers;
    const float **vectors; /* [n_layers, LLI_N_ROLES] gains, biases and sinks, aligned copies; global roles stand in layer 0 */
    float *slopes;         /* [n_heads] of ALiBi; NULL: none */
    struct lli_kernels kernels;
    struct lli_rotary rotary[2]; /* of global and of local layers */
    struct lli_pages pages;
    struct lli_scratch scratch;
    const struct lli_plan *plan;      /* of the step that runs */
    struct lli_runs runs, logit_runs; /* of adapters, among its rows and among those with logits */
    struct lli_tiling tiling[2];      /* of its rows, for attention: without the window, and with it */
};

/* NULL: the model has none. */
static inline const float *lli_pass_vector(const struct lli_pass *pass, uint32_t layer, uint32_t role)
{
    return pass->vectors[(size_t)layer * LLI_N_ROLES + role];
}

/* A row of the plan met NaN or Inf. Several workers may say so at once. */
static inline void lli_pass_mark(const struct lli_pass *pass, size_t row)
{
    atomic_store_explicit(&pass->scratch.bad[row], 1, memory_order_relaxed);
}

/* Piece 0 .. n - 1 of a stage. worker: whose part of the scratch memory it may use. */
typedef void lli_piece_fn(const struct lli_pass *pass, const void *arg, size_t piece, int worker);

/* Runs all pieces, on all workers if there are several of both, and returns when they are done. */
void lli_pass_share(const struct lli_pass *pass, lli_piece_fn *piece, const void *arg, size_t n_pieces);

#endif
