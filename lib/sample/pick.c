#include "sample/pick.h"

#include "base/mathx.h"

int32_t lli_pick_greedy(const float *logits, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (logits[i] > logits[best])
            best = i;
    return (int32_t)best;
}

int32_t lli_pick_draw(const struct lli_candidate *c, double *weights, size_t n, double temperature, double u)
{
    double total = 0, sum = 0;
    size_t last = 0;
    for (size_t i = 0; i < n; i++)
        total += weights[i] = lli_exp_f64(((double)c[i].logit - (double)c[0].logit) / temperature);
    for (size_t i = 0; i < n; i++) {
        sum += weights[i];
        if (u * total < sum)
            return c[i].id;
        if (weights[i] > 0)
            last = i;
    }
    return c[last].id; /* rounding only: u is below 1 */
}
