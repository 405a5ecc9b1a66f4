/* sample/chain.c - the stages in their order. Bias, bans, penalties and dry change the logits; if the temperature is 0 the best
 * of them is it, else the filters drop candidates and one of the others is drawn. */
#include "sample/chain.h"

#include <float.h>
#include <string.h>

#include "base/error.h"
#include "sample/dry.h"
#include "sample/filter.h"
#include "sample/heat.h"
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

/* What a grammar does not let through is -Inf. GRAMMAR if that is all that was left. */
static int32_t allow(struct lli_chain *chain, const uint32_t *allowed, struct llminf_error *err)
{
    int any = 0;
    for (uint32_t i = 0; i < chain->n; i += 32) {
        uint32_t word = allowed[i / 32], n = chain->n - i < 32 ? chain->n - i : 32;
        for (uint32_t k = 0; word != UINT32_MAX && k < n; k++)
            chain->logits[i + k] = word >> k & 1 ? chain->logits[i + k] : -__builtin_inff();
        for (uint32_t k = 0; word != 0 && !any && k < n; k++)
            any = chain->logits[i + k] >= -FLT_MAX;
    }
    return any ? LLMINF_OK
               : lli_fail(err, LLMINF_E_GRAMMAR, "grammar", "every token that can go on with the text is forbidden otherwise");
}

static int changes_logits(uint8_t stage)
{
    return stage == LLI_STAGE_PENALTIES || stage == LLI_STAGE_DRY;
}

/* The stage of that name, or LLI_N_STAGES; LLI_STAGE_NAMES has them all in their order. */
static uint8_t find_stage(const char *name, size_t len)
{
    const char *at = LLI_STAGE_NAMES;
    uint8_t stage = 1;
    for (; stage < LLI_N_STAGES; stage++) {
        size_t n = strcspn(at, ",");
        if (n == len && memcmp(at, name, n) == 0)
            break;
        at += n + 1;
    }
    return stage;
}

int lli_chain_order(uint8_t order_out[LLI_N_STAGES], const char *text)
{
    uint32_t seen = 0;
    int n = 0;
    memset(order_out, 0, LLI_N_STAGES);
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, ",");
        uint8_t stage = find_stage(at, len);
        if (stage == LLI_N_STAGES || (seen >> stage & 1) ||
            (changes_logits(stage) && n > 0 && !changes_logits(order_out[n - 1])))
            return -1;
        seen |= 1u << stage;
        order_out[n++] = stage;
        at += len;
        if (*at == ',' && *++at == 0)
            return -1; /* nothing behind the last comma */
    }
    return 0;
}

static const uint8_t whole_order[LLI_N_STAGES] = {
    LLI_STAGE_PENALTIES, LLI_STAGE_DRY, LLI_STAGE_TOP_N_SIGMA, LLI_STAGE_TOP_K,    LLI_STAGE_TYPICAL_P, LLI_STAGE_TOP_P,
    LLI_STAGE_MIN_P,     LLI_STAGE_XTC, LLI_STAGE_TEMPERATURE, LLI_STAGE_MIROSTAT, LLI_STAGE_END};

static const uint8_t *order_of(const struct lli_sampler_params *p)
{
    return p->order[0] ? p->order : whole_order;
}

static int has_stage(const struct lli_sampler_params *p, uint8_t stage)
{
    return memchr(order_of(p), stage, LLI_N_STAGES) != NULL;
}

double lli_chain_mu(const struct lli_sampler_params *params)
{
    return 2 * params->mirostat_tau;
}

/* One stage that drops candidates, or the temperature of those behind it. */
static void run_stage(uint8_t stage, struct lli_ranking *r, double *temperature, const struct lli_sampler_params *p, double mu,
                      uint64_t pos)
{
    size_t min_keep = (size_t)p->min_keep;
    switch (stage) {
    case LLI_STAGE_TOP_N_SIGMA:
        lli_filter_top_n_sigma(r, p->top_n_sigma, min_keep);
        break;
    case LLI_STAGE_TOP_K:
        lli_filter_top_k(r, (size_t)p->top_k, min_keep);
        break;
    case LLI_STAGE_TYPICAL_P:
        lli_filter_typical_p(r, p->typical_p, *temperature, min_keep);
        break;
    case LLI_STAGE_TOP_P:
        lli_filter_top_p(r, p->top_p, *temperature, min_keep);
        break;
    case LLI_STAGE_MIN_P:
        lli_filter_min_p(r, p->min_p, *temperature, min_keep);
        break;
    case LLI_STAGE_XTC:
        if ((double)lli_rng_draw(p->seed, pos, 1) < p->xtc_probability * 0x1p53)
            lli_filter_xtc(r, p->xtc_threshold, *temperature, min_keep);
        break;
    case LLI_STAGE_TEMPERATURE:
        *temperature = lli_heat_temperature(r, p);
        if (*temperature > 0)
            break;
        lli_rank_cut(r, 1); /* as cold as that is the best */
        *temperature = 1;
        break;
    case LLI_STAGE_MIROSTAT:
        if (p->mirostat)
            lli_heat_cut(r, mu, *temperature, min_keep);
    }
}

static int32_t draw(const struct lli_chain *chain, const struct lli_draw *how, uint64_t pos)
{
    const struct lli_sampler_params *p = how->params;
    struct lli_ranking ranking;
    double temperature = 1, mu = how->mu ? *how->mu : lli_chain_mu(p);
    lli_rank_init(&ranking, chain->candidates, chain->logits, chain->n);
    for (const uint8_t *stage = order_of(p); *stage != LLI_STAGE_END; stage++)
        run_stage(*stage, &ranking, &temperature, p, mu, pos);
    size_t drawn = lli_pick_draw(&ranking, temperature, lli_rng_draw(p->seed, pos, 0));
    if (p->mirostat && how->mu)
        *how->mu = lli_heat_learn(&ranking, mu, p, temperature, drawn);
    return lli_rank_at(&ranking, drawn)->id;
}

static int is_greedy(const struct lli_sampler_params *p)
{
    return p->temperature == 0 && has_stage(p, LLI_STAGE_TEMPERATURE);
}

/* Both are before the others, in the order of their names or the other way round. */
static void change_logits(struct lli_chain *chain, const struct lli_draw *how, const int32_t *history, size_t n_history)
{
    const struct lli_sampler_params *params = how->params;
    for (const uint8_t *stage = order_of(params); changes_logits(*stage); stage++) {
        if (*stage == LLI_STAGE_PENALTIES)
            lli_penalty_apply(chain->logits, chain->counts, chain->n, params, history, n_history);
        else
            lli_dry_apply(chain->logits, chain->counts, chain->n, params, how->breaks, history, n_history);
    }
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
    if (how->allowed && (status = allow(chain, how->allowed, err)) != LLMINF_OK)
        return status;
    change_logits(chain, how, history, n_history);
    status = check(chain->logits, chain->n, err);
    if (status != LLMINF_OK)
        return status;
    *token_out = is_greedy(params) ? lli_pick_greedy(chain->logits, chain->n) : draw(chain, how, pos);
    return LLMINF_OK;
}
