/* sample/chain.c - the stages in their order. Bias, bans and penalties change the logits; if the temperature is 0 the best of
 * them is it, else the filters drop candidates and one of the others is drawn. */
#include "sample/chain.h"

#include <float.h>
#include <string.h>

#include "base/error.h"
#include "sample/filter.h"
#include "sample/penalty.h"
#include "sample/pick.h"
#include "sample/rank.h"
#include "sample/rng.h"

int32_t lli_chain_init(struct lli_chain *chain, struct lli_heap *heap, uint32_t n)
{
    *chain = (struct lli_chain){.heap = heap, .n = n};
    chain->candidates = lli_alloc_array(heap, n, sizeof *chain->candidates);
    chain->logits = lli_alloc_array(heap, n, sizeof *chain->logits);
    chain->counts = lli_alloc_zero(heap, n, sizeof *chain->counts);
    if (chain->candidates && chain->logits && chain->counts)
        return LLMINF_OK;
    lli_chain_finish(chain);
    return LLMINF_E_MEMORY;
}

void lli_chain_finish(struct lli_chain *chain)
{
    if (chain->heap) {
        lli_free(chain->heap, chain->candidates);
        lli_free(chain->heap, chain->logits);
        lli_free(chain->heap, chain->counts);
    }
    *chain = (struct lli_chain){0};
}

/* NaN, +Inf, or nothing but -Inf: no token can be drawn. */
static int32_t check(const float *logits, uint32_t n, struct llminf_error *err)
{
    uint32_t n_open = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!(logits[i] <= FLT_MAX))
            return lli_fail_at(err, LLMINF_E_NUMERIC, i, "logits", "the value of token %u is NaN or +Inf", i);
        n_open += logits[i] >= -FLT_MAX;
    }
    return n_open > 0 ? LLMINF_OK : lli_fail(err, LLMINF_E_NUMERIC, "logits", "all are -Inf: no token is left");
}

/* The last entry for a token counts, so the list is walked from its end; counts marks whose turn is over. */
static void add_bias(struct lli_chain *chain, const struct lli_bias *bias, size_t n_bias)
{
    for (size_t i = n_bias; i-- > 0;) {
        int32_t id = bias[i].token;
        if (id < 0 || (uint32_t)id >= chain->n || chain->counts[id] != 0)
            continue;
        chain->logits[id] += bias[i].value;
        chain->counts[id] = 1;
    }
    for (size_t i = 0; i < n_bias; i++)
        if (bias[i].token >= 0 && (uint32_t)bias[i].token < chain->n)
            chain->counts[bias[i].token] = 0;
}

static int32_t draw(const struct lli_chain *chain, const struct lli_sampler_params *p, uint64_t pos)
{
    struct lli_ranking ranking;
    size_t min_keep = (size_t)p->min_keep;
    lli_rank_init(&ranking, chain->candidates, chain->logits, chain->n);
    lli_filter_top_k(&ranking, (size_t)p->top_k, min_keep);
    lli_filter_top_p(&ranking, p->top_p, min_keep);
    lli_filter_min_p(&ranking, p->min_p, min_keep);
    return lli_pick_draw(&ranking, p->temperature, lli_rng_draw(p->seed, pos, 0));
}

int32_t lli_chain_pick(int32_t *token_out, struct lli_chain *chain, const struct lli_draw *how, const float *logits,
                       const int32_t *history, size_t n_history, uint64_t pos, struct llminf_error *err)
{
    const struct lli_sampler_params *params = how->params;
    int32_t status = check(logits, chain->n, err);
    if (status != LLMINF_OK)
        return status;
    memcpy(chain->logits, logits, chain->n * sizeof *logits);
    add_bias(chain, how->bias, how->n_bias);
    lli_ban_apply(chain->logits, chain->n, how->bans, how->n_bans, history, n_history);
    lli_penalty_apply(chain->logits, chain->counts, chain->n, params, history, n_history);
    status = check(chain->logits, chain->n, err);
    if (status != LLMINF_OK)
        return status;
    *token_out = params->temperature > 0 ? draw(chain, params, pos) : lli_pick_greedy(chain->logits, chain->n);
    return LLMINF_OK;
}
