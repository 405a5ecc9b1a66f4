/* forward/adapt.h - what rows with a low-rank adapter get on top of a product, behind its sum and before its bias:
 *
 *     y += B (s (A x))        s = (float)(the sequence's scale * alpha / rank)
 *
 * A x is a stage of its own before the product; B is multiplied piece by piece, as the product's outputs come. Rows without an
 * adapter, and steps without such rows, do none of it. */
#ifndef LLI_FORWARD_ADAPT_H
#define LLI_FORWARD_ADAPT_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "forward/linear.h"
#include "forward/pass.h"
#include "model/adapter.h"

/* An adapter in a context: its pairs in the backend's layout, and room for the products with A. */
struct lli_seat {
    struct lli_heap *heap;
    struct lli_adapter *adapter; /* a reference */
    const struct lli_low_ranks *all;
    size_t max_rows;
    float *low;  /* [LLI_STAGE_PRODUCTS, max_rows, the adapter's rank] s (A x); rows are as long as their own rank */
    float *sums; /* [workers, LLI_ADAPT_SUMS] of a piece of B */
};

enum { LLI_ADAPT_ROWS = 16, LLI_ADAPT_COLUMNS = 128, LLI_ADAPT_SUMS = LLI_ADAPT_ROWS * LLI_ADAPT_COLUMNS };

int32_t lli_adapt_seat(struct lli_seat **out, struct lli_heap *heap, struct lli_adapter *adapter, uint32_t lanes,
                       size_t max_rows, int n_workers, struct llminf_error *err);
void lli_adapt_leave(struct lli_seat *seat); /* NULL does nothing */

/* Finds the runs of the plan's rows, of the rows with logits. */
void lli_adapt_find_rows(struct lli_pass *pass);
void lli_adapt_find_logits(struct lli_pass *pass, size_t n_logits);

/* The stage before the products. */
void lli_adapt_begin(const struct lli_pass *pass, const struct lli_stage *stage);

/* Adds B's part of outputs first .. last - 1 to some rows of product i of its stage. first is a multiple of
 * LLI_MATMUL_STEP, last too or the number of outputs. */
void lli_adapt_add(const struct lli_pass *pass, const struct lli_linear *l, size_t i, size_t first_row, size_t n_rows,
                   size_t first, size_t last, int worker);

#endif
