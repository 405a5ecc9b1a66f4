/* forward/linear.h - products with weights. Activations are taken in once, then used by all products that share them; what
 * follows on the outputs (bias, residual, activation) is done piece by piece, while they are in the cache. */
#ifndef LLI_FORWARD_LINEAR_H
#define LLI_FORWARD_LINEAR_H

#include <stddef.h>
#include <stdint.h>

#include "forward/pass.h"

/* out[rows, n_out] = x * w^T, with what the rows' adapters add, + bias; then, where add_to is there, add_to += out. */
struct lli_linear {
    const struct lli_matrix *w;
    const float *bias;       /* [n_out]; NULL: none */
    float *out;              /* [rows, n_out] */
    float *add_to;           /* [rows, n_out]; NULL: none */
    const float *input;      /* [rows, n_in], taken */
    const struct lli_q8 *q8; /* the same as q8 */
    uint32_t mat;            /* which matrix of w */
};

/* A part of the outputs is there: rows first_row .. + n_rows - 1, columns first .. last - 1. */
typedef void lli_behind_fn(const struct lli_pass *pass, const void *arg, size_t first_row, size_t n_rows, size_t first,
                           size_t last);

/* Products of one shape, of which a piece has the same columns, and what is done with each piece. */
struct lli_set {
    const struct lli_linear *list;
    size_t n;
    lli_behind_fn *behind; /* NULL: nothing */
    const void *arg;
    size_t align; /* pieces begin and end at multiples of 32 and of this, or at the end; 0: of 32 only */
};

/* Of LLI_STAGE_PRODUCTS products at most. */
struct lli_stage {
    const struct lli_set *sets;
    size_t n, n_rows;
};

enum { LLI_STAGE_PRODUCTS = 4 };

/* 1 if one of the products has quantised weights, so that its activations become q8. */
int lli_linear_wants_q8(const struct lli_linear *list, size_t n);

/* Takes x[n] in as row i of q8 (or only looks at it, if not `wants_q8`). 0, or -1 if it holds NaN or Inf. */
int lli_linear_take(const struct lli_pass *pass, struct lli_q8 *out, const float *x, size_t n, int wants_q8);

/* Takes in x[rows, n] for all rows of the plan, as scratch.q8, and marks the bad ones. */
void lli_linear_take_rows(const struct lli_pass *pass, const float *x, size_t n, int wants_q8);

/* The same with the residual stream after the norm `role` of a layer: it stands in scratch.normed. */
void lli_linear_take_normed(const struct lli_pass *pass, uint32_t layer, uint32_t role, int wants_q8);

/* Computes the products for rows that were taken in. Of a K that is shared by ranks it makes this rank's subtrees, and leaves
 * bias and add_to to lli_linear_join. */
void lli_linear_run(const struct lli_pass *pass, const struct lli_stage *stage);

/* 1 if ranks share K of these weights. */
int lli_linear_is_shared(const struct lli_matrix *w);

/* Where ranks share K: sums what they have computed, then bias and add_to. */
void lli_linear_join(const struct lli_pass *pass, const struct lli_linear *l, size_t n_rows);

/* Both for one product alone. */
void lli_linear_run_one(const struct lli_pass *pass, const struct lli_linear *l, size_t n_rows);

#endif
