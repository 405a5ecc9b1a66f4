/* sample/filter.c - each filter finds how many of the best it keeps, and cuts there. */
#include "sample/filter.h"

#include "base/mathx.h"

static void keep(struct lli_ranking *r, size_t k, size_t min_keep)
{
    lli_rank_cut(r, k > min_keep ? k : min_keep);
}

void lli_filter_top_k(struct lli_ranking *r, size_t k, size_t min_keep)
{
    if (k > 0)
        keep(r, k, min_keep);
}

void lli_filter_top_p(struct lli_ranking *r, double p, double temperature, size_t min_keep)
{
    if (p >= 1)
        return;
    double wanted = p * (double)lli_rank_total(r, temperature);
    uint64_t sum = lli_rank_weight(r, 0, temperature);
    size_t k = 1;
    while (k < r->n && (double)sum < wanted)
        sum += lli_rank_weight(r, k++, temperature);
    keep(r, k, min_keep);
}

void lli_filter_min_p(struct lli_ranking *r, double p, double temperature, size_t min_keep)
{
    if (p <= 0)
        return;
    double best = (double)lli_rank_at(r, 0)->logit;
    size_t k = 1;
    while (k < r->n && lli_exp_f64(((double)lli_rank_at(r, k)->logit - best) / temperature) >= p)
        k++;
    keep(r, k, min_keep);
}
