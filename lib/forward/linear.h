/* forward/linear.h - products with weights: activations are taken in once, then used by all products that share them. */
#ifndef LLI_FORWARD_LINEAR_H
#define LLI_FORWARD_LINEAR_H

#include <stddef.h>
#include <stdint.h>

#include "forward/pass.h"

/* out[rows, n_out] = x * w^T + bias; then, where add_to is there, add_to += out. */
struct lli_linear {
    const struct lli_matrix *w;
    const float *bias;  /* [n_out]; NULL: none */
    float *out;         /* [rows, n_out] */
    float *add_to;      /* [rows, n_out]; NULL: none */
    const float *input; /* [rows, n_in], taken */
    uint32_t mat;       /* which matrix of w */
};

/* 1 if one of the products has quantised weights, so that its activations become q8. */
int lli_linear_wants_q8(const struct lli_linear *list, size_t n);

/* Takes x[n] in as row i of the next products. 0, or -1 if it holds NaN or Inf. */
int lli_linear_take(const struct lli_pass *pass, size_t i, const float *x, size_t n, int q8);

/* Takes in x[rows, n] for all rows of the plan, and marks the bad ones. */
void lli_linear_take_rows(const struct lli_pass *pass, const float *x, size_t n, int q8);

/* The same with the residual stream after the norm `role` of a layer: it stands in scratch.normed. */
void lli_linear_take_normed(const struct lli_pass *pass, uint32_t layer, uint32_t role, int q8);

/* Computes the products (4 at most) for n_rows rows that were taken in. */
void lli_linear_run(const struct lli_pass *pass, const struct lli_linear *list, size_t n, size_t n_rows);

#endif
