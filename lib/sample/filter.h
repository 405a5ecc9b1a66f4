/* sample/filter.h - stages that drop candidates from either end of their order; each leaves at least min_keep of them, if there
 * are so many.
 * Probabilities are those at a temperature > 0: 1 before the stage "temperature", its own behind it. */
#ifndef LLI_SAMPLE_FILTER_H
#define LLI_SAMPLE_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include "sample/rank.h"

/* The k best; k = 0 keeps all. */
void lli_filter_top_k(struct lli_ranking *r, size_t k, size_t min_keep);

/* The fewest best whose probability, among those that are left, reaches p (Holtzman et al., "The curious case of neural text
 * degeneration", 2019); p >= 1 keeps all. */
void lli_filter_top_p(struct lli_ranking *r, double p, double temperature, size_t min_keep);

/* The fewest whose probability reaches p, taken by how near their surprise is to the entropy (Meister et al., "Locally
 * typical sampling", 2022): the better of two that are equally near first, and of equal logits those nearer to the entropy in
 * the order; p >= 1 or 0 keeps all. */
void lli_filter_typical_p(struct lli_ranking *r, double p, double temperature, size_t min_keep);

/* Those whose logit is at most n standard deviations below the best (Tang et al., "Top-n-sigma: not all logits are you need",
 * 2024), whatever the temperature; n = 0 keeps all. */
void lli_filter_top_n_sigma(struct lli_ranking *r, double n, size_t min_keep);

/* Of those that have a probability of threshold or more only the worst stays. */
void lli_filter_xtc(struct lli_ranking *r, double threshold, double temperature, size_t min_keep);

/* Those of at least p times the best's probability; p = 0 keeps all. */
void lli_filter_min_p(struct lli_ranking *r, double p, double temperature, size_t min_keep);

#endif
