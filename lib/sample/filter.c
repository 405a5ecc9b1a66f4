/* sample/filter.c - each filter finds which part of the order it keeps, and cuts there. */
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

/* Surprise less entropy is the mean of the scores less the score, so the nearest lie on both sides of the mean, and what is
 * kept is one part of the order. */
void lli_filter_typical_p(struct lli_ranking *r, double p, double temperature, size_t min_keep)
{
    if (p <= 0 || p >= 1)
        return;
    double mean = lli_rank_mean(r, temperature), wanted = p * (double)lli_rank_total(r, temperature);
    uint64_t sum = 0;
    size_t low = 0, high;
    while (low < r->n && lli_rank_score(r, low, temperature) > mean)
        low++;
    high = low;
    while (high - low < r->n && ((double)sum < wanted || high - low < min_keep)) {
        double above = low > 0 ? lli_rank_score(r, low - 1, temperature) - mean : __builtin_inf();
        double below = high < r->n ? mean - lli_rank_score(r, high, temperature) : __builtin_inf();
        sum += lli_rank_weight(r, above <= below && low > 0 ? --low : high++, temperature);
    }
    lli_rank_cut(r, high);
    lli_rank_drop(r, low);
}

void lli_filter_top_n_sigma(struct lli_ranking *r, double n, size_t min_keep)
{
    if (n <= 0)
        return;
    double least = (double)lli_rank_at(r, 0)->logit - n * lli_rank_deviation(r);
    size_t k = 1;
    while (k < r->n && (double)lli_rank_at(r, k)->logit >= least)
        k++;
    keep(r, k, min_keep);
}

void lli_filter_xtc(struct lli_ranking *r, double threshold, double temperature, size_t min_keep)
{
    double wanted = threshold * (double)lli_rank_total(r, temperature);
    size_t most = r->n > min_keep ? r->n - min_keep : 0, k = 0;
    while (k < r->n && (double)lli_rank_weight(r, k, temperature) >= wanted)
        k++;
    if (k > 1)
        lli_rank_drop(r, k - 1 < most ? k - 1 : most);
}
