/* sample/logprob.c - one pass for the largest, one for the sum and the best. */
#include "sample/logprob.h"

#include "base/mathx.h"

/* Keeps best[0..n) in order; what falls out at the end is lost. */
static void insert(struct lli_logprob *best, uint32_t *n, uint32_t cap, int32_t id, float logit)
{
    uint32_t i = *n;
    if (i == cap && (cap == 0 || logit <= best[cap - 1].value))
        return;
    i = i < cap ? (*n)++ : cap - 1;
    for (; i > 0 && best[i - 1].value < logit; i--)
        best[i] = best[i - 1];
    best[i] = (struct lli_logprob){id, logit};
}

void lli_logprob_best(struct lli_logprob *out, const float *logits, uint32_t n, int32_t token, uint32_t n_best)
{
    float max = logits[0];
    double sum = 0, shift;
    uint32_t n_found = 0;
    for (uint32_t i = 1; i < n; i++)
        max = logits[i] > max ? logits[i] : max;
    for (uint32_t i = 0; i < n; i++) {
        sum += (double)lli_exp_f32(logits[i] - max);
        insert(out + 1, &n_found, n_best, (int32_t)i, logits[i]);
    }
    shift = (double)max + lli_log_f64(sum);
    out[0] = (struct lli_logprob){token, (float)((double)logits[token] - shift)};
    for (uint32_t i = 1; i <= n_found; i++)
        out[i].value = (float)((double)out[i].value - shift);
}
