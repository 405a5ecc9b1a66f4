/* forward/batch.h - the plan of a step: all that one forward pass needs to know. Declared here, on the lower side of the
 * seam; filled by engine/plan.c. */
#ifndef LLI_FORWARD_BATCH_H
#define LLI_FORWARD_BATCH_H

#include <stdint.h>

#include "kv/table.h"

struct lli_seat;

enum {
    LLI_ROW_LOGITS = 1,   /* this row's logits are wanted */
    LLI_ROW_NO_STORE = 2, /* K and V of this position are in the cache already: compute, do not write */
    LLI_ROW_POOL = 4      /* its final hidden state is added to the sequence's sum */
};

struct lli_row {
    int32_t token;
    uint32_t pos;
    uint16_t seq, flags;
};

/* Rows of one sequence are adjacent and ascending in position. */
struct lli_seq {
    uint32_t first_row, n_rows;
    const uint32_t *blocks[LLI_GROUPS_MAX]; /* its table: group g of forward/layout.h has position p in block blocks[g][p / 16];
                                             * covers all its rows, and what they see */
    const struct lli_seat *seat;            /* its adapter's (forward/adapt.h); NULL: none */
    double adapter_scale;
    float *pooled;  /* [n_embd] out: the sum of rows flagged POOL, of all steps; NULL: there are none */
    int32_t status; /* out: 0, or LLMINF_E_NUMERIC: this sequence met a NaN or Inf */
};

struct lli_plan {
    uint64_t number;
    uint32_t n_rows, n_seqs, n_copies, n_logits, n_pooled; /* n_logits, n_pooled: rows flagged so */
    struct lli_row *rows;
    struct lli_seq *seqs;
    const struct lli_copy *copies; /* made before any row is computed; no block is both read and written */
};

#endif
