/* sample/penalty.c - occurrences are counted in one pass over the window and used up in a second one. */
#include "sample/penalty.h"

static int is_off(const struct lli_sampler_params *p)
{
    return p->penalty_window == 0 || (p->repeat_penalty == 1.0 && p->frequency_penalty == 0.0 && p->presence_penalty == 0.0);
}

static float penalised(float logit, uint32_t count, const struct lli_sampler_params *p)
{
    double x = logit > 0 ? (double)logit / p->repeat_penalty : (double)logit * p->repeat_penalty;
    return (float)(x - ((double)count * p->frequency_penalty + p->presence_penalty));
}

void lli_penalty_apply(float *logits, uint32_t *counts, uint32_t n, const struct lli_sampler_params *params,
                       const int32_t *history, size_t n_history)
{
    size_t begin = 0;
    if (is_off(params))
        return;
    if (params->penalty_window >= 0 && (uint64_t)params->penalty_window < n_history)
        begin = n_history - (size_t)params->penalty_window;
    for (size_t i = begin; i < n_history; i++)
        if (history[i] >= 0 && (uint32_t)history[i] < n)
            counts[history[i]]++;
    for (size_t i = begin; i < n_history; i++) {
        int32_t id = history[i];
        if (id < 0 || (uint32_t)id >= n || counts[id] == 0)
            continue; /* not a token here, or done already */
        logits[id] = penalised(logits[id], counts[id], params);
        counts[id] = 0;
    }
}
