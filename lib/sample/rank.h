/* sample/rank.h - the candidates for a token and their order: logit descending, id ascending; -0 equals +0.
 *
 * Nobody reads 100,000 candidates in order, so only a prefix is sorted, and it grows when somebody looks behind it.
 *
 *     items   | sorted, before all others | in any order |
 *             0                       n_ordered          n
 *
 * Weights are exp((logit - best) / temperature) in whole units of 2^-42, summed as integers: a sum has one value, in whatever
 * order the items stand. What is below 2^-42 of the best weighs nothing. */
#ifndef LLI_SAMPLE_RANK_H
#define LLI_SAMPLE_RANK_H

#include <stddef.h>
#include <stdint.h>

#include "sample/chain.h"

struct lli_ranking {
    struct lli_candidate *items;
    size_t n, n_ordered;
};

/* Takes the logits that are not -Inf (at least one, at most 2^21) into items [n]. */
void lli_rank_init(struct lli_ranking *out, struct lli_candidate *items, const float *logits, uint32_t n);

/* The candidate at place i < n; pointers into items are good until the next call. */
const struct lli_candidate *lli_rank_at(struct lli_ranking *r, size_t i);

/* Only the first k stay (all if there are fewer). */
void lli_rank_cut(struct lli_ranking *r, size_t k);

/* The first k < n go. */
void lli_rank_drop(struct lli_ranking *r, size_t k);

/* (logit - best) / temperature. */
double lli_rank_score(struct lli_ranking *r, size_t i, double temperature);

uint64_t lli_rank_weight(struct lli_ranking *r, size_t i, double temperature);
uint64_t lli_rank_total(struct lli_ranking *r, double temperature); /* never 0 */

/* The mean of the scores by their weights, each in whole units of 2^-32: log(total / 2^42) less it is the entropy. */
double lli_rank_mean(struct lli_ranking *r, double temperature);

/* The standard deviation of the logits, unweighted; what is 2^20 below the best counts as that, in whole units of 2^-20. */
double lli_rank_deviation(struct lli_ranking *r);

#endif
