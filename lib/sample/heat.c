/* sample/heat.c - entropies and surprises are of weights, which are integers; their logarithms are ours. */
#include "sample/heat.h"

#include "base/mathx.h"

static const double ln2 = 0x1.62e42fefa39efp-1;

double lli_heat_temperature(struct lli_ranking *r, const struct lli_sampler_params *params)
{
    double range = params->dynatemp_range, low = params->temperature - range, high = params->temperature + range;
    if (range <= 0 || r->n < 2)
        return params->temperature;
    low = low > 0 ? low : 0;
    double entropy = lli_log_f64((double)lli_rank_total(r, 1) * 0x1p-42) - lli_rank_mean(r, 1);
    double share = entropy / lli_log_f64((double)r->n);
    share = share < 1 ? share : 1;
    share = share > 0 ? lli_pow_f64(share, params->dynatemp_exponent) : params->dynatemp_exponent == 0;
    return low + (high - low) * share;
}

void lli_heat_cut(struct lli_ranking *r, double mu, double temperature, size_t min_keep)
{
    double wanted = (double)lli_rank_total(r, temperature) * lli_exp_f64(-mu * ln2);
    size_t k = 1;
    while (k < r->n && (double)lli_rank_weight(r, k, temperature) >= wanted)
        k++;
    lli_rank_cut(r, k > min_keep ? k : min_keep);
}

double lli_heat_learn(struct lli_ranking *r, double mu, const struct lli_sampler_params *params, double temperature,
                      size_t drawn)
{
    double total = lli_log_f64((double)lli_rank_total(r, temperature));
    double surprise = (total - lli_log_f64((double)lli_rank_weight(r, drawn, temperature))) / ln2;
    return mu - params->mirostat_eta * (surprise - params->mirostat_tau);
}
