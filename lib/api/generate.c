/* From the options of a generation and a sampler to what the engine is asked for. */
#include "llminf/llminf.h"

#include <string.h>

#include "api/handles.h"
#include "base/error.h"
#include "base/format.h"

/* The option "stop_token": an id, or the exact text of a control token. */
static llminf_status find_stop_token(int32_t *out, const struct lli_vocab *vocab, const struct lli_text *item,
                                     llminf_error *error)
{
    int64_t id;
    uint32_t found;
    if (lli_format_read_int(&id, item->bytes, item->len) == 0) {
        if (id < 0 || id >= (int64_t)vocab->n)
            return lli_fail(error, LLMINF_E_OPTION, "stop_token", "%lld is not in the vocabulary of %u", (long long)id,
                            vocab->n);
        *out = (int32_t)id;
        return LLMINF_OK;
    }
    if (!lli_map_find(&vocab->by_token, item->bytes, item->len, &found) || vocab->types[found] != LLI_TOKEN_CONTROL)
        return lli_fail(error, LLMINF_E_OPTION, "stop_token", "\"%.*s\" is no id and no control token", (int)item->len,
                        item->bytes);
    *out = (int32_t)found;
    return LLMINF_OK;
}

static int logits_mode(const char *text)
{
    return strcmp(text, "all") == 0 ? LLI_LOGITS_ALL : strcmp(text, "last") == 0 ? LLI_LOGITS_LAST : LLI_LOGITS_OFF;
}

static llminf_status generate(llminf_session *session, const llminf_sampler *sampler, const struct lli_values *values,
                              llminf_error *error)
{
    const struct lli_vocab *vocab = &session->context->model->vocab;
    const struct lli_value *stop_tokens = lli_values_at(values, "stop_token");
    int32_t ids[LLI_MAX_LIST_ITEMS];
    llminf_status status = LLMINF_OK;
    struct lli_request_params params = {
        .sampler = {.min_keep = 1, .top_p = 1, .repeat_penalty = 1}, /* greedy */
        .max_tokens = lli_values_int(values, "max_tokens"),
        .min_tokens = lli_values_int(values, "min_tokens"),
        .stops = lli_values_at(values, "stop")->items,
        .n_stops = lli_values_at(values, "stop")->n_items,
        .stop_tokens = ids,
        .n_stop_tokens = stop_tokens->n_items,
        .ignore_eog = (int)lli_values_int(values, "ignore_eog"),
        .special = (int)lli_values_int(values, "special"),
        .echo = (int)lli_values_int(values, "echo"),
        .logits = logits_mode(lli_values_text(values, "logits")),
        .logprobs = (int)lli_values_int(values, "logprobs"),
        .prompt_logprobs = (int)lli_values_int(values, "prompt_logprobs"),
        .deadline_ns = lli_values_int(values, "deadline_ns"),
        .priority = (int)lli_values_int(values, "priority"),
        .beams = (uint32_t)lli_values_int(values, "beams"),
        .length_penalty = lli_values_float(values, "length_penalty"),
        .read_ahead = (uint32_t)lli_values_int(values, "read_ahead"),
    };
    if (params.beams > 1 &&
        (sampler != NULL || params.logits != LLI_LOGITS_OFF || params.logprobs >= 0 || params.prompt_logprobs >= 0))
        return lli_fail(error, LLMINF_E_OPTION, "beams", "goes with no sampler, logits, logprobs or prompt_logprobs");
    params.is_drafted = strcmp(lli_values_text(values, "speculate"), "model") == 0;
    if (params.is_drafted && session->context->draft == NULL)
        return lli_fail(error, LLMINF_E_OPTION, "speculate", "is \"model\", but the context was opened without a draft model");
    if (params.is_drafted || strcmp(lli_values_text(values, "speculate"), "lookup") == 0)
        params.draft_limit = (uint32_t)lli_values_int(values, "draft_limit");
    if (sampler != NULL) {
        params.sampler = sampler->params;
        params.bias = sampler->bias;
        params.n_bias = sampler->n_bias;
        params.bans = sampler->bans.at;
        params.n_bans = sampler->bans.n;
        params.breaks = lli_break_set_of(&sampler->breaks);
        params.grammar = sampler->matcher.grammar;
        params.filter = sampler->filter;
        params.user = sampler->user;
    }
    if ((params.n_bans > 0 || params.breaks != NULL || params.grammar != NULL) && sampler->model != session->context->model)
        return lli_fail(error, LLMINF_E_INVALID,
                        params.n_bans > 0        ? "ban"
                        : params.grammar != NULL ? "grammar"
                                                 : "dry_breaker",
                        "the sampler was opened with another model");
    for (size_t i = 0; i < params.n_bias; i++)
        if (params.bias[i].token < 0 || (uint32_t)params.bias[i].token >= vocab->n)
            return lli_fail_at(error, LLMINF_E_INVALID, (int64_t)i, "bias", "token %d is not in the vocabulary of %u",
                               params.bias[i].token, vocab->n);
    for (size_t i = 0; status == LLMINF_OK && i < stop_tokens->n_items; i++)
        status = find_stop_token(&ids[i], vocab, &stop_tokens->items[i], error);
    return status == LLMINF_OK ? lli_timeline_generate(session->timeline, &params, error) : status;
}

llminf_status llminf_session_generate(llminf_session *session, const llminf_sampler *sampler, const llminf_options *options,
                                      llminf_error *error)
{
    struct lli_values values = {0};
    llminf_status status = lli_check_enter(session, LLI_MARK_SESSION, "session", error);
    if (status != LLMINF_OK)
        return status;
    status = sampler != NULL ? lli_check_enter(sampler, LLI_MARK_SAMPLER, "sampler", error) : LLMINF_OK;
    if (status == LLMINF_OK) {
        status = lli_values_copy(&values, &session->context->model->heap, "generate", options, error);
        if (status == LLMINF_OK)
            status = generate(session, sampler, &values, error);
        lli_values_finish(&values);
        if (sampler != NULL)
            lli_check_leave(sampler);
    }
    lli_check_leave(session);
    return status;
}
