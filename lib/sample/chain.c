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

size_t lli_chain_bytes(uint32_t n)
{
    const struct lli_chain *chain = NULL;
    return n * (sizeof *chain->candidates + sizeof *chain->logits + sizeof *chain->counts);
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

int lli_chain_order(uint8_t order_out[LLI_N_STAGES], const char *text)
{
    static const char *const names[] = {"", "penalties", "top_k", "top_p", "min_p", "temperature"};
    uint32_t seen = 0;
    int n = 0;
    memset(order_out, 0, LLI_N_STAGES);
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, ",");
        uint8_t stage = 1;
        while (stage < LLI_N_STAGES && (strlen(names[stage]) != len || memcmp(names[stage], at, len) != 0))
            stage++;
        if (stage == LLI_N_STAGES || (seen >> stage & 1) || (stage == LLI_STAGE_PENALTIES && n > 0))
            return -1;
        seen |= 1u << stage;
        order_out[n++] = stage;
        at += len;
        if (*at == ',' && *++at == 0)
            return -1; /* nothing behind the last comma */
    }
    return 0;
}

static const uint8_t whole_order[LLI_N_STAGES] = {LLI_STAGE_PENALTIES, LLI_STAGE_TOP_K,       LLI_STAGE_TOP_P,
                                                  LLI_STAGE_MIN_P,     LLI_STAGE_TEMPERATURE, LLI_STAGE_END};

static const uint8_t *order_of(const struct lli_sampler_params *p)
{
    return p->order[0] ? p->order : whole_order;
}

static int has_stage(const struct lli_sampler_params *p, uint8_t stage)
{
    return memchr(order_of(p), stage, LLI_N_STAGES) != NULL;
}

static int32_t draw(const struct lli_chain *chain, const struct lli_sampler_params *p, uint64_t pos)
{
    struct lli_ranking ranking;
    size_t min_keep = (size_t)p->min_keep;
    double temperature = 1;
    lli_rank_init(&ranking, chain->candidates, chain->logits, chain->n);
    for (const uint8_t *stage = order_of(p); *stage != LLI_STAGE_END; stage++) {
        if (*stage == LLI_STAGE_TOP_K)
            lli_filter_top_k(&ranking, (size_t)p->top_k, min_keep);
        else if (*stage == LLI_STAGE_TOP_P)
            lli_filter_top_p(&ranking, p->top_p, temperature, min_keep);
        else if (*stage == LLI_STAGE_MIN_P)
            lli_filter_min_p(&ranking, p->min_p, temperature, min_keep);
        else if (*stage == LLI_STAGE_TEMPERATURE)
            temperature = p->temperature;
    }
    return lli_pick_draw(&ranking, temperature, lli_rng_draw(p->seed, pos, 0));
}

/* The best is kept by every filter, so they need not run for it. */
static int is_greedy(const struct lli_sampler_params *p)
{
    return p->temperature == 0 && has_stage(p, LLI_STAGE_TEMPERATURE);
}

int32_t lli_chain_pick(int32_t *token_out, struct lli_chain *chain, const struct lli_draw *how, const float *logits,
                       const int32_t *history, size_t n_history, uint64_t pos, struct llminf_error *err)
{
    const struct lli_sampler_params *params = how->params;
    int32_t status = check(logits, chain->n, err);
    if (status != LLMINF_OK)
        return status;
    memcpy(chain->logits, logits, chain->n * sizeof *logits);
    if (how->filter && how->filter(how->user, chain->logits, chain->n, history, n_history) != 0)
        return lli_fail(err, LLMINF_E_CALLBACK, "filter", "the host's function reported failure");
    add_bias(chain, how->bias, how->n_bias);
    lli_ban_apply(chain->logits, chain->n, how->bans, how->n_bans, history, n_history);
    if (has_stage(params, LLI_STAGE_PENALTIES))
        lli_penalty_apply(chain->logits, chain->counts, chain->n, params, history, n_history);
    status = check(chain->logits, chain->n, err);
    if (status != LLMINF_OK)
        return status;
    *token_out = is_greedy(params) ? lli_pick_greedy(chain->logits, chain->n) : draw(chain, params, pos);
    return LLMINF_OK;
}
