/* sample/filter.h - candidates in order, and which of them stay. */
#ifndef LLI_SAMPLE_FILTER_H
#define LLI_SAMPLE_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include "sample/chain.h"

/* Leaves the k best of n candidates in front, ordered by (logit descending, id ascending); returns how many that are. O(n + k
 * log k) comparisons on the mean. */
size_t lli_filter_top_k(struct lli_candidate *c, size_t n, size_t k);

/* The rest want ordered candidates and keep a prefix of at least min(min_keep, n); they return its length. weights [n] is
 * scratch. top_p: the shortest prefix whose probability reaches p. min_p: what has at least p times the best's. */
size_t lli_filter_top_p(const struct lli_candidate *c, double *weights, size_t n, double p, size_t min_keep);
size_t lli_filter_min_p(const struct lli_candidate *c, size_t n, double p, size_t min_keep);

#endif
