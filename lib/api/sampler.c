#include "llminf/llminf.h"

#include "api/handles.h"
#include "base/error.h"
#include "base/fenv.h"

static llminf_status read_params(struct lli_sampler_params *out, const struct lli_values *values, llminf_error *error)
{
    out->seed = (uint64_t)lli_values_int(values, "seed");
    out->temperature = lli_values_float(values, "temperature");
    out->top_k = lli_values_int(values, "top_k");
    out->min_keep = lli_values_int(values, "min_keep");
    out->dynatemp_range = lli_values_float(values, "dynatemp_range");
    out->dynatemp_exponent = lli_values_float(values, "dynatemp_exponent");
    out->top_p = lli_values_float(values, "top_p");
    out->typical_p = lli_values_float(values, "typical_p");
    out->top_n_sigma = lli_values_float(values, "top_n_sigma");
    out->xtc_probability = lli_values_float(values, "xtc_probability");
    out->xtc_threshold = lli_values_float(values, "xtc_threshold");
    out->mirostat = (int)lli_values_int(values, "mirostat");
    out->mirostat_tau = lli_values_float(values, "mirostat_tau");
    out->mirostat_eta = lli_values_float(values, "mirostat_eta");
    out->dry_multiplier = lli_values_float(values, "dry_multiplier");
    out->dry_base = lli_values_float(values, "dry_base");
    out->dry_length = lli_values_int(values, "dry_length");
    out->dry_window = lli_values_int(values, "dry_window");
    out->min_p = lli_values_float(values, "min_p");
    out->repeat_penalty = lli_values_float(values, "repeat_penalty");
    out->penalty_window = lli_values_int(values, "penalty_window");
    out->frequency_penalty = lli_values_float(values, "frequency_penalty");
    out->presence_penalty = lli_values_float(values, "presence_penalty");
    if (lli_chain_order(out->order, lli_values_text(values, "order")) != 0 || out->order[0] == LLI_STAGE_END)
        return lli_fail(error, LLMINF_E_OPTION, "order", "\"%s\": want stages, each once, as %s",
                        lli_values_text(values, "order"), LLI_STAGE_NAMES);
    return LLMINF_OK;
}

static llminf_status read_bans(struct llminf_sampler *sampler, const struct lli_values *values, llminf_error *error)
{
    const struct lli_value *list = lli_values_at(values, "ban");
    if (list->n_items == 0)
        return LLMINF_OK;
    if (sampler->model == NULL)
        return lli_fail(error, LLMINF_E_OPTION, "ban", "is text, want a sampler with a model to encode it");
    return lli_bans_init(&sampler->bans, sampler->heap, &sampler->model->vocab, list->items, list->n_items, error);
}

/* The schema names the same ones. */
static const struct lli_text usual_breakers[] = {{"\n", 1}, {":", 1}, {"\"", 1}, {"*", 1}};

static llminf_status read_breakers(struct llminf_sampler *sampler, const struct lli_values *values, llminf_error *error)
{
    const struct lli_value *list = lli_values_at(values, "dry_breaker");
    if (sampler->params.dry_multiplier <= 0)
        return LLMINF_OK;
    if (sampler->model == NULL)
        return lli_fail(error, LLMINF_E_OPTION, "dry_multiplier",
                        "dry_breaker is text, want a sampler with a model to encode it");
    return lli_break_set_init(&sampler->breaks, sampler->heap, &sampler->model->vocab,
                              list->n_items > 0 ? list->items : usual_breakers,
                              list->n_items > 0 ? list->n_items : sizeof usual_breakers / sizeof *usual_breakers, error);
}

/* What was accepted is forgotten. */
static void restart(struct llminf_sampler *sampler)
{
    sampler->history.len = 0;
    sampler->mu = lli_chain_mu(&sampler->params);
    sampler->picked = -1;
    if (sampler->matcher.grammar != NULL)
        lli_matcher_restart(&sampler->matcher);
}

llminf_status llminf_sampler_open(llminf_sampler **out, llminf_model *model, const llminf_options *options, llminf_error *error)
{
    struct lli_heap own, *heap = &own;
    struct lli_values values = {0};
    struct llminf_sampler *sampler;
    llminf_status status;
    if (lli_check_out(out, "out", error) != LLMINF_OK)
        return LLMINF_E_INVALID;
    *out = NULL;
    if (model != NULL && (status = lli_check_handle(model, LLI_MARK_MODEL, "model", error)) != LLMINF_OK)
        return status;
    lli_heap_init(&own, NULL, NULL, NULL);
    if (model != NULL)
        heap = &model->heap;
    sampler = lli_alloc_zero(heap, 1, sizeof *sampler);
    if (sampler == NULL)
        return lli_fail_memory(error, "sampler", sizeof *sampler);
    status = lli_values_copy(&values, heap, "sampler", options, error);
    if (status != LLMINF_OK) {
        lli_free(heap, sampler);
        return status;
    }
    lli_heap_init(&sampler->own, NULL, NULL, NULL);
    sampler->heap = model != NULL ? &model->heap : &sampler->own;
    sampler->model = model;
    status = read_params(&sampler->params, &values, error);
    if (status == LLMINF_OK)
        status = read_bans(sampler, &values, error);
    if (status == LLMINF_OK)
        status = read_breakers(sampler, &values, error);
    lli_values_finish(&values);
    if (status != LLMINF_OK) {
        lli_bans_finish(&sampler->bans);
        lli_break_set_finish(&sampler->breaks);
        lli_free(heap, sampler);
        return status;
    }
    if (model != NULL)
        lli_handles_model_ref(model);
    lli_buffer_init(&sampler->history, sampler->heap);
    restart(sampler);
    sampler->handle.mark = LLI_MARK_SAMPLER;
    *out = sampler;
    return LLMINF_OK;
}

void llminf_sampler_close(llminf_sampler *sampler)
{
    struct llminf_model *model;
    struct lli_heap own, *heap = &own;
    if (lli_check_handle(sampler, LLI_MARK_SAMPLER, "sampler", NULL) != LLMINF_OK)
        return;
    model = sampler->model;
    sampler->handle.mark = 0;
    lli_chain_finish(&sampler->chain);
    lli_buffer_finish(&sampler->history);
    lli_free(sampler->heap, sampler->bias);
    lli_bans_finish(&sampler->bans);
    lli_break_set_finish(&sampler->breaks);
    lli_matcher_finish(&sampler->matcher);
    lli_heap_init(&own, NULL, NULL, NULL); /* a sampler without a model lies in its own heap */
    if (model != NULL)
        heap = &model->heap;
    lli_free(heap, sampler);
    if (model != NULL)
        lli_handles_model_unref(model);
}

static llminf_status check_bias(const llminf_sampler *sampler, const llminf_token *tokens, const float *bias, size_t count,
                                llminf_error *error)
{
    uint32_t n_vocab = sampler->model != NULL ? sampler->model->vocab.n : LLI_MAX_TOKENS;
    if (count > LLI_MAX_BIAS)
        return lli_fail(error, LLMINF_E_LIMIT, "count", "is %zu, want at most %u", count, LLI_MAX_BIAS);
    if (count > 0 && (tokens == NULL || bias == NULL))
        return lli_fail(error, LLMINF_E_INVALID, "bias", "is NULL, want %zu tokens and values", count);
    for (size_t i = 0; i < count; i++) {
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= n_vocab)
            return lli_fail_at(error, LLMINF_E_INVALID, (int64_t)i, "bias", "token %d is not in the vocabulary of %u",
                               tokens[i], n_vocab);
        if (!(bias[i] <= 3.402823466e+38f)) /* false for NaN too */
            return lli_fail_at(error, LLMINF_E_INVALID, (int64_t)i, "bias", "the value for token %d is NaN or +Inf", tokens[i]);
    }
    return LLMINF_OK;
}

llminf_status llminf_sampler_set_bias(llminf_sampler *sampler, const llminf_token *tokens, const float *bias, size_t count,
                                      llminf_error *error)
{
    struct lli_bias *list = NULL;
    llminf_status status = lli_check_enter(sampler, LLI_MARK_SAMPLER, "sampler", error);
    if (status != LLMINF_OK)
        return status;
    status = check_bias(sampler, tokens, bias, count, error);
    if (status == LLMINF_OK && count > 0) {
        list = lli_alloc_array(sampler->heap, count, sizeof *list);
        if (list == NULL)
            status = lli_fail_memory(error, "bias", count * sizeof *list);
    }
    if (status == LLMINF_OK) {
        for (size_t i = 0; i < count; i++)
            list[i] = (struct lli_bias){.token = tokens[i], .value = bias[i]};
        lli_free(sampler->heap, sampler->bias);
        sampler->bias = list;
        sampler->n_bias = count;
    }
    lli_check_leave(sampler);
    return status;
}

static llminf_status pick(llminf_sampler *sampler, const float *logits, size_t count, llminf_token *token_out,
                          llminf_error *error)
{
    const int32_t *history = (const int32_t *)(const void *)sampler->history.bytes;
    size_t n_history = sampler->history.len / sizeof *history;
    double mu = sampler->mu;
    struct lli_draw how = {
        .params = &sampler->params,
        .bias = sampler->bias,
        .n_bias = sampler->n_bias,
        .bans = sampler->bans.at,
        .n_bans = sampler->bans.n,
        .breaks = lli_break_set_of(&sampler->breaks),
        .mu = &mu,
        .filter = sampler->filter,
        .user = sampler->user,
    };
    llminf_status status = LLMINF_OK;
    uint64_t state;
    if (logits == NULL || count == 0 || count > LLI_MAX_TOKENS)
        return lli_fail(error, LLMINF_E_INVALID, "logits", "%s%zu values, want 1 to %u", logits == NULL ? "is NULL, " : "",
                        count, LLI_MAX_TOKENS);
    if (sampler->chain.n != count) {
        lli_chain_finish(&sampler->chain);
        status = lli_chain_init(&sampler->chain, sampler->heap, (uint32_t)count);
        if (status != LLMINF_OK)
            return lli_fail_memory(error, "sampler", count * sizeof(struct lli_candidate));
    }
    if (sampler->matcher.grammar != NULL) {
        if (count != sampler->model->vocab.n)
            return lli_fail(error, LLMINF_E_INVALID, "logits", "%zu values, want %u as the grammar's vocabulary has", count,
                            sampler->model->vocab.n);
        status = lli_matcher_mask(&how.allowed, &sampler->matcher, error);
        if (status != LLMINF_OK)
            return status;
    }
    state = lli_fenv_enter();
    status = lli_chain_pick(token_out, &sampler->chain, &how, logits, history, n_history, n_history, error);
    lli_fenv_leave(state);
    sampler->picked = status == LLMINF_OK ? *token_out : -1;
    sampler->next_mu = mu;
    return status;
}

llminf_status llminf_sampler_pick(llminf_sampler *sampler, const float *logits, size_t count, llminf_token *token_out,
                                  llminf_error *error)
{
    llminf_status status = lli_check_out(token_out, "token_out", error);
    if (status != LLMINF_OK)
        return status;
    *token_out = 0;
    if ((status = lli_check_enter(sampler, LLI_MARK_SAMPLER, "sampler", error)) != LLMINF_OK)
        return status;
    status = pick(sampler, logits, count, token_out, error);
    lli_check_leave(sampler);
    return status;
}

llminf_status llminf_sampler_set_filter(llminf_sampler *sampler, llminf_filter_fn filter, void *user, llminf_error *error)
{
    llminf_status status = lli_check_enter(sampler, LLI_MARK_SAMPLER, "sampler", error);
    if (status != LLMINF_OK)
        return status;
    sampler->filter = filter;
    sampler->user = user;
    lli_check_leave(sampler);
    return LLMINF_OK;
}

/* All that can fail comes first. */
static llminf_status accept(llminf_sampler *sampler, llminf_token token, llminf_error *error)
{
    llminf_status status = LLMINF_OK;
    if (token < 0 || (uint32_t)token >= (sampler->model != NULL ? sampler->model->vocab.n : LLI_MAX_TOKENS))
        return lli_fail(error, LLMINF_E_INVALID, "token", "%d is not in the vocabulary", token);
    if (lli_buffer_reserve(&sampler->history, sizeof token) != 0)
        return lli_fail_memory(error, "history", sampler->history.len + sizeof token);
    if (sampler->matcher.grammar != NULL)
        status = lli_matcher_accept(&sampler->matcher, token, error);
    if (status != LLMINF_OK)
        return status;
    lli_buffer_append(&sampler->history, &token, sizeof token);
    sampler->mu = token == sampler->picked ? sampler->next_mu : sampler->mu;
    sampler->picked = -1;
    return LLMINF_OK;
}

llminf_status llminf_sampler_accept(llminf_sampler *sampler, llminf_token token, llminf_error *error)
{
    llminf_status status = lli_check_enter(sampler, LLI_MARK_SAMPLER, "sampler", error);
    if (status != LLMINF_OK)
        return status;
    status = accept(sampler, token, error);
    lli_check_leave(sampler);
    return status;
}

llminf_status llminf_sampler_reset(llminf_sampler *sampler, llminf_error *error)
{
    llminf_status status = lli_check_enter(sampler, LLI_MARK_SAMPLER, "sampler", error);
    if (status != LLMINF_OK)
        return status;
    restart(sampler);
    lli_check_leave(sampler);
    return LLMINF_OK;
}
