/* sample/filter.h - stages that keep the best candidates; each leaves at least min_keep of them, if there are so many.
 * Probabilities are those at a temperature > 0: 1 before the stage "temperature", its own behind it. */
#ifndef LLI_SAMPLE_FILTER_H
#define LLI_SAMPLE_FILTER_H

#include <stddef.h>

#include "sample/rank.h"

/* The k best; k = 0 keeps all. */
void lli_filter_top_k(struct lli_ranking *r, size_t k, size_t min_keep);

/* The fewest best whose probability, among those that are left, reaches p (Holtzman et al., "The curious case of neural text
 * degeneration", 2019); p >= 1 keeps all. */
void lli_filter_top_p(struct lli_ranking *r, double p, double temperature, size_t min_keep);

/* Those of at least p times the best's probability; p = 0 keeps all. */
void lli_filter_min_p(struct lli_ranking *r, double p, double temperature, size_t min_keep);

#endif
