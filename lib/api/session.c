#include "llminf/llminf.h"

#include <string.h>

#include "api/handles.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/format.h"
#include "text/encode.h"

llminf_status llminf_session_open(llminf_session **out, llminf_context *context, const llminf_options *options,
                                  llminf_error *error)
{
    struct lli_values values = {0};
    struct llminf_session *session;
    llminf_status status;
    if (lli_check_out(out, "out", error) != LLMINF_OK)
        return LLMINF_E_INVALID;
    *out = NULL;
    status = lli_check_handle(context, LLI_MARK_CONTEXT, "context", error);
    if (status != LLMINF_OK)
        return status;
    session = lli_alloc_zero(&context->model->heap, 1, sizeof *session);
    if (session == NULL)
        return lli_fail_memory(error, "session", sizeof *session);
    status = lli_values_copy(&values, &context->model->heap, "session", options, error);
    if (status == LLMINF_OK) {
        struct lli_timeline_options timeline = {.max_length = lli_values_int(&values, "max_length")};
        status = lli_timeline_open(&session->timeline, context->engine, &timeline, error);
        lli_values_finish(&values);
    }
    if (status != LLMINF_OK) {
        lli_free(&context->model->heap, session);
        return status;
    }
    session->handle.mark = LLI_MARK_SESSION;
    session->context = context;
    atomic_fetch_add_explicit(&context->handle.refs, 1, memory_order_relaxed);
    *out = session;
    return LLMINF_OK;
}

void llminf_session_close(llminf_session *session)
{
    struct llminf_context *context;
    if (lli_check_handle(session, LLI_MARK_SESSION, "session", NULL) != LLMINF_OK)
        return;
    context = session->context;
    session->handle.mark = 0;
    lli_timeline_close(session->timeline);
    lli_free(&context->model->heap, session);
    lli_handles_context_unref(context);
}

static llminf_status enter(const llminf_session *session, llminf_error *error)
{
    return lli_check_enter(session, LLI_MARK_SESSION, "session", error);
}

llminf_status llminf_session_append(llminf_session *session, const llminf_token *tokens, size_t count, llminf_error *error)
{
    llminf_status status = enter(session, error);
    if (status != LLMINF_OK)
        return status;
    if (tokens == NULL && count > 0)
        status = lli_fail(error, LLMINF_E_INVALID, "tokens", "is NULL, want %zu ids", count);
    else if (count > 0)
        status = lli_timeline_append(session->timeline, tokens, count, error);
    lli_check_leave(session);
    return status;
}

static llminf_status append_text(llminf_session *session, const char *text, int64_t length, int32_t flags, llminf_error *error)
{
    struct llminf_model *model = session->context->model;
    struct lli_timeline_stats stats;
    struct lli_buffer ids = {0};
    size_t n;
    llminf_status status;
    if ((flags & ~(LLMINF_TEXT_SPECIAL | LLMINF_TEXT_BOUNDS | LLMINF_TEXT_REPAIR)) != 0)
        return lli_fail(error, LLMINF_E_INVALID, "flags", "0x%x holds unknown bits", (unsigned)flags);
    status = lli_check_text(&n, text, length, LLI_MAX_TEXT_BYTES, "text", error);
    if (status != LLMINF_OK)
        return status;
    lli_timeline_stats(session->timeline, &stats);
    if (stats.length > 0)
        flags &= ~LLMINF_TEXT_BOUNDS; /* BOS stands at the start of a timeline only */
    lli_buffer_init(&ids, &model->heap);
    status = lli_encode(&ids, &model->vocab, n > 0 ? text : "", n, flags, error);
    if (status == LLMINF_OK && ids.len > 0)
        status = lli_timeline_append(session->timeline, (const int32_t *)(const void *)ids.bytes,
                                     ids.len / sizeof(llminf_token), error);
    lli_buffer_finish(&ids);
    return status;
}

llminf_status llminf_session_append_text(llminf_session *session, const char *text, int64_t length, int32_t flags,
                                         llminf_error *error)
{
    llminf_status status = enter(session, error);
    if (status != LLMINF_OK)
        return status;
    status = append_text(session, text, length, flags, error);
    lli_check_leave(session);
    return status;
}

llminf_status llminf_session_truncate(llminf_session *session, size_t n_keep, llminf_error *error)
{
    llminf_status status = enter(session, error);
    if (status != LLMINF_OK)
        return status;
    status = lli_timeline_truncate(session->timeline, n_keep, error);
    lli_check_leave(session);
    return status;
}

llminf_status llminf_session_tokens(llminf_session *session, size_t from, llminf_token *tokens, size_t capacity,
                                    size_t *count_out, llminf_error *error)
{
    int copy;
    llminf_status status = lli_check_out(count_out, "count_out", error);
    if (status != LLMINF_OK)
        return status;
    *count_out = 0;
    if ((status = enter(session, error)) != LLMINF_OK)
        return status;
    status = lli_timeline_tokens(session->timeline, from, NULL, 0, count_out, error);
    if (status == LLMINF_OK)
        status = lli_check_room(&copy, tokens, capacity, *count_out, error);
    if (status == LLMINF_OK && copy)
        status = lli_timeline_tokens(session->timeline, from, tokens, *count_out, count_out, error);
    lli_check_leave(session);
    return status;
}

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
        .logprobs = -1,
        .prompt_logprobs = -1,
    };
    if (sampler != NULL) {
        params.sampler = sampler->params;
        params.bias = sampler->bias;
        params.n_bias = sampler->n_bias;
    }
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
    llminf_status status = enter(session, error);
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

/* What both ways to read check first; afterwards this thread is in. */
static llminf_status enter_read(const llminf_session *session, const void *buffer, size_t *count_out, int64_t timeout_ns,
                                llminf_error *error)
{
    llminf_status status = lli_check_out(count_out, "result", error);
    if (status != LLMINF_OK)
        return status;
    *count_out = 0;
    if ((status = lli_check_out(buffer, "buffer", error)) != LLMINF_OK)
        return status;
    if (timeout_ns < -1)
        return lli_fail(error, LLMINF_E_INVALID, "timeout_ns", "is %lld, want -1 or more", (long long)timeout_ns);
    return enter(session, error);
}

llminf_status llminf_session_read(llminf_session *session, char *buffer, size_t capacity, size_t *length_out,
                                  int64_t timeout_ns, llminf_error *error)
{
    llminf_status status = enter_read(session, buffer, length_out, timeout_ns, error);
    if (status != LLMINF_OK)
        return status;
    status = lli_timeline_read(session->timeline, buffer, capacity, length_out, timeout_ns, error);
    lli_check_leave(session);
    return status;
}

llminf_status llminf_session_read_tokens(llminf_session *session, llminf_token *tokens, size_t capacity, size_t *count_out,
                                         int64_t timeout_ns, llminf_error *error)
{
    llminf_status status = enter_read(session, tokens, count_out, timeout_ns, error);
    if (status != LLMINF_OK)
        return status;
    if (capacity == 0)
        status = lli_fail(error, LLMINF_E_TOO_SMALL, "capacity", "is 0, want 1 or more");
    else
        status = lli_timeline_read_tokens(session->timeline, tokens, capacity, count_out, timeout_ns, error);
    lli_check_leave(session);
    return status;
}

llminf_status llminf_session_wait(llminf_session *session, int64_t timeout_ns, llminf_error *error)
{
    llminf_status status = lli_check_handle(session, LLI_MARK_SESSION, "session", error);
    if (status != LLMINF_OK)
        return status;
    if (timeout_ns < -1)
        return lli_fail(error, LLMINF_E_INVALID, "timeout_ns", "is %lld, want -1 or more", (long long)timeout_ns);
    return lli_timeline_wait(session->timeline, timeout_ns, error);
}

void llminf_session_cancel(llminf_session *session)
{
    if (lli_check_handle(session, LLI_MARK_SESSION, "session", NULL) == LLMINF_OK)
        lli_timeline_cancel(session->timeline);
}

llminf_status llminf_session_logits(llminf_session *session, size_t position, float *logits, size_t capacity, size_t *count_out,
                                    llminf_error *error)
{
    int copy;
    llminf_status status = lli_check_out(count_out, "count_out", error);
    if (status != LLMINF_OK)
        return status;
    *count_out = 0;
    if ((status = enter(session, error)) != LLMINF_OK)
        return status;
    status = lli_timeline_logits(session->timeline, position, NULL, 0, count_out, error);
    if (status == LLMINF_OK)
        status = lli_check_room(&copy, logits, capacity, *count_out, error);
    if (status == LLMINF_OK && copy)
        status = lli_timeline_logits(session->timeline, position, logits, *count_out, count_out, error);
    lli_check_leave(session);
    return status;
}

llminf_status llminf_session_int(const llminf_session *session, const char *key, int64_t *value_out, llminf_error *error)
{
    struct lli_timeline_stats s;
    llminf_status status = lli_check_out(value_out, "value_out", error);
    if (status != LLMINF_OK)
        return status;
    *value_out = 0;
    status = lli_check_handle(session, LLI_MARK_SESSION, "session", error);
    if (status != LLMINF_OK)
        return status;
    lli_timeline_stats(session->timeline, &s);
    const struct {
        const char *key;
        int64_t value;
    } rows[] = {
        {"state", s.state},         {"stop_reason", s.stop_reason}, {"stop_index", s.stop_index}, {"length", s.length},
        {"computed", s.computed},   {"prompt", s.prompt},           {"generated", s.generated},   {"blocks", s.blocks},
        {"queue_ns", s.queue_ns},   {"max_length", s.max_length},   {"first_ns", s.first_ns},     {"prefill_ns", s.prefill_ns},
        {"decode_ns", s.decode_ns},
    };
    for (size_t i = 0; key != NULL && i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].key, key) == 0) {
            *value_out = rows[i].value;
            return LLMINF_OK;
        }
    return lli_fail(error, key != NULL ? LLMINF_E_NOT_FOUND : LLMINF_E_INVALID, key != NULL ? key : "key",
                    "a session has no such number");
}
