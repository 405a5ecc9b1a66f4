/* engine/plan.h - the step in the making: the rows of a plan, and whose they are.
 *
 * A step is a transaction: schedule fills the batch and reserves, step runs and samples it, then keeps or rolls back. */
#ifndef LLI_ENGINE_PLAN_H
#define LLI_ENGINE_PLAN_H

#include <stdint.h>

#include "base/alloc.h"
#include "engine/stop.h"
#include "forward/batch.h"
#include "llminf/status.h"

struct lli_timeline;

/* A timeline's part of a step; sequence i of the plan is that of ride i. */
struct lli_ride {
    struct lli_timeline *timeline;
    uint32_t first_logits; /* number of its first row with logits among those of the plan */
    int has_token;         /* sampled: it stands behind the timeline's committed tokens */
    struct lli_verdict verdict;
    int32_t status;            /* 0, or the error that ends its generation */
    struct llminf_error error; /* valid if status is an error */
};

struct lli_batch {
    struct lli_heap *heap;
    struct lli_plan plan;
    struct lli_ride *rides;
    uint32_t max_rows, max_logits, max_seqs;
    int64_t ns; /* of the last run */
};

int32_t lli_plan_init(struct lli_batch *batch, struct lli_heap *heap, uint32_t max_rows, uint32_t max_logits,
                      uint32_t max_seqs);      /* 0 or MEMORY */
void lli_plan_finish(struct lli_batch *batch); /* accepts a zeroed struct */

/* Empties it for the next step. */
void lli_plan_begin(struct lli_batch *batch);

/* Rows of this timeline that there is room for; at least 1 in an empty batch. */
uint32_t lli_plan_rows(const struct lli_batch *batch, const struct lli_timeline *t);

/* Adds these rows; the timeline's table covers them. */
void lli_plan_append(struct lli_batch *batch, struct lli_timeline *t, uint32_t n_rows);

#endif
