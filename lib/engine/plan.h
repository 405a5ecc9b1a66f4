/* engine/plan.h - the step in the making: the rows of a plan, and whose they are.
 *
 * A step is a transaction: schedule fills the batch and reserves, step runs and samples it, then keeps or rolls back. Rides
 * come and go while a plan is made; close lays out its rows. */
#ifndef LLI_ENGINE_PLAN_H
#define LLI_ENGINE_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "cost/cost.h"
#include "engine/stop.h"
#include "forward/batch.h"
#include "llminf/status.h"

struct lli_timeline;

/* A timeline's part of a step; sequence i of the plan is that of ride i. */
struct lli_ride {
    struct lli_timeline *timeline;
    uint32_t first, n_rows; /* positions; with n_drafts of them at the end that are proposals */
    uint32_t n_drafts;
    uint32_t n_logits, first_logits; /* rows with logits, and the number of the first among those of the plan */
    uint32_t n_picked;               /* tokens sampled: they stand behind the timeline's committed ones */
    double mu;                       /* mirostat's limit behind them */
    struct lli_verdict verdict;      /* of the last one */
    int32_t status;                  /* 0, or the error that ends its generation */
    struct llminf_error error;       /* valid if status is an error */
};

struct lli_batch {
    struct lli_heap *heap;
    struct lli_plan plan;
    struct lli_ride *rides;  /* [max_seqs] */
    struct lli_copy *copies; /* of the plan */
    uint32_t n_rides, n_rows, n_logits;
    uint32_t max_rows, max_logits, max_seqs;
    double window;          /* that some layers see, for loads; 0: none */
    struct lli_load load;   /* of the plan */
    double predicted_ns;    /* how long it will run; 0: that is not known */
    int64_t ns, forward_ns; /* of the last run; the forward's part */
    struct llminf_error failure; /* of the last run; status < 0: nothing of it counts */
    int64_t draft_ns;       /* and of guessing before it, */
    uint32_t n_draft_rows;  /* by so many rows */
};

/* max_logits > max_seqs: every ride can have one row with logits, and some can have more. 0 or MEMORY. */
int32_t lli_plan_init(struct lli_batch *batch, struct lli_heap *heap, uint32_t max_rows, uint32_t max_logits,
                      uint32_t max_seqs);
size_t lli_plan_bytes(uint32_t max_rows, uint32_t max_seqs); /* that it takes */
void lli_plan_finish(struct lli_batch *batch);               /* accepts a zeroed struct */

/* Empties it for the next step. */
void lli_plan_begin(struct lli_batch *batch);

/* Rows of this timeline that there is room for, `budget` at most. */
uint32_t lli_plan_rows(const struct lli_batch *batch, const struct lli_timeline *t, uint32_t budget);

/* Adds these rows; there is room. */
void lli_plan_add(struct lli_batch *batch, struct lli_timeline *t, uint32_t n_rows);

/* Adds the timeline's proposals to its decode row; no ride comes after the first. */
void lli_plan_add_drafts(struct lli_batch *batch, struct lli_timeline *t, uint32_t n_drafts);
uint32_t lli_plan_draft_room(const struct lli_batch *batch);

/* Takes the timeline's rows out again. */
void lli_plan_remove(struct lli_batch *batch, struct lli_timeline *t);

/* What the rides of the step are to compute. */
void lli_plan_weigh(struct lli_load *out, const struct lli_batch *batch);

/* Lays out rows, sequences and copies: the tables do not change until the step is over. */
void lli_plan_close(struct lli_batch *batch);

#endif
