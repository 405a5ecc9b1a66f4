/* engine/pooling.h - a session's embedding: final hidden states of some of its positions, summed as steps compute them.
 *
 * The sum stays with the timeline over generations. A position is in it once, in ascending order, whatever the cut into steps;
 * one that is not yet is computed even where its keys and values are cached. */
#ifndef LLI_ENGINE_POOLING_H
#define LLI_ENGINE_POOLING_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "model/config.h"

struct llminf_error;

struct lli_pooling {
    int kind;          /* enum lli_pooling_kind */
    int is_normalized; /* the embedding has length 1 */
    int is_whole;      /* every state hangs on all positions: the sum is of one step, or none */
    uint32_t n_embd;
    uint32_t n; /* what is behind position n - 1 is not in the sum; cls: 1 with position 0, unless is_whole */
    float *sum; /* [n_embd]; owned; written by the step in flight; NULL: none */
};

/* MEMORY. */
int32_t lli_pooling_init(struct lli_pooling *p, struct lli_heap *heap, int kind, int is_normalized,
                         const struct lli_config *config, struct llminf_error *err);
void lli_pooling_finish(struct lli_pooling *p, struct lli_heap *heap);        /* accepts a zeroed struct */
void lli_pooling_copy(struct lli_pooling *p, const struct lli_pooling *from); /* of the same kind and width */

/* The first position that must be computed again if it was: the sum lacks it. UINT32_MAX: none. */
static inline uint32_t lli_pooling_from(const struct lli_pooling *p)
{
    int needs = p->kind == LLI_POOLING_MEAN || (p->kind == LLI_POOLING_CLS && p->n == 0);
    return needs ? p->n : UINT32_MAX;
}

/* The row of this position, of a timeline of n_tokens, goes into the sum. */
int lli_pooling_wants(const struct lli_pooling *p, uint32_t pos, uint32_t n_tokens);

/* Before a step, and when it has computed positions up to `end`, or failed. */
void lli_pooling_begin(struct lli_pooling *p);
void lli_pooling_commit(struct lli_pooling *p, uint32_t end, uint32_t n_tokens);
void lli_pooling_reset(struct lli_pooling *p);

/* What is behind n tokens was cut from the timeline. */
void lli_pooling_cut(struct lli_pooling *p, uint32_t n);

/* out[n_embd] of a timeline of n_tokens. STATE if these are not computed, or nothing is pooled; NUMERIC. */
int32_t lli_pooling_read(const struct lli_pooling *p, uint32_t n_tokens, float *out, struct llminf_error *err);

#endif
