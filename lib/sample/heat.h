/* sample/heat.h - stages that follow how sure the model is: a temperature by the entropy of the candidates, and mirostat's
 * limit on surprise, which follows the tokens that were drawn. */
#ifndef LLI_SAMPLE_HEAT_H
#define LLI_SAMPLE_HEAT_H

#include <stddef.h>

#include "sample/rank.h"

/* The temperature between that of the parameters less and more its range, at the share (entropy / largest entropy of so many
 * candidates) ^ exponent; the parameters' own without a range or with one candidate. May be 0. */
double lli_heat_temperature(struct lli_ranking *r, const struct lli_sampler_params *params);

/* Mirostat 2 (Basu et al., "Mirostat: a neural text decoding algorithm that directly controls perplexity", 2020): drops what
 * has more than mu bits of surprise ... */
void lli_heat_cut(struct lli_ranking *r, double mu, double temperature, size_t min_keep);

/* ... and moves mu by what the candidate drawn had more or less than tau, among those it was drawn from. */
double lli_heat_learn(struct lli_ranking *r, double mu, const struct lli_sampler_params *params, double temperature,
                      size_t drawn);

#endif
