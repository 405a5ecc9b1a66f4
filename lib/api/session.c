#include "llminf/llminf.h"

#include <string.h>

#include "api/handles.h"
#include "base/buffer.h"
#include "base/error.h"
#include "model/adapter.h"
#include "text/encode.h"

/* Which positions the option means; "model": those that the file does. */
static llminf_status find_pooling(int *out, const char *text, const struct lli_config *config, llminf_error *error)
{
    static const char *const names[] = {"none", "mean", "cls", "last"}; /* in the order of enum lli_pooling_kind */
    *out = (int)(config->pooling < sizeof names / sizeof *names ? config->pooling : LLI_POOLING_NONE);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], text) == 0) {
            *out = (int)i;
            return LLMINF_OK;
        }
    if (config->pooling > LLI_POOLING_LAST)
        return lli_fail(error, LLMINF_E_UNSUPPORTED, "pooling", "the file's pooling_type is %u, want none, mean, cls or last",
                        config->pooling);
    if (config->pooling == LLI_POOLING_NONE)
        return lli_fail(error, LLMINF_E_OPTION, "pooling", "is \"model\", whose file names none: want last, mean or cls");
    return LLMINF_OK;
}

llminf_status lli_session_new(llminf_session **out, llminf_context *context, const llminf_options *options,
                              lli_session_make *make, const void *arg, llminf_error *error)
{
    struct lli_values values = {0};
    struct lli_adapter *adapter = NULL;
    struct llminf_session *session;
    int pooling = LLI_POOLING_NONE;
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
    if (status == LLMINF_OK)
        status = find_pooling(&pooling, lli_values_text(&values, "pooling"), &context->model->config, error);
    if (status == LLMINF_OK)
        status = lli_adapters_take(&adapter, &context->model->adapters, lli_values_int(&values, "adapter"), error);
    if (status == LLMINF_OK) {
        const char *salt = lli_values_text(&values, "cache_salt");
        struct lli_timeline_options timeline = {
            .max_length = lli_values_int(&values, "max_length"),
            .salt = salt,
            .salt_len = strlen(salt),
            .no_prefix_cache = !lli_values_int(&values, "prefix_cache"),
            .is_pinned = (int)lli_values_int(&values, "pinned"),
            .adapter = adapter,
            .adapter_scale = lli_values_float(&values, "adapter_scale"),
            .pooling = pooling,
            .is_normalized = (int)lli_values_int(&values, "normalize"),
        };
        status = make(&session->timeline, context, &timeline, arg, error);
        lli_adapter_unref(adapter);
    }
    lli_values_finish(&values);
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

static llminf_status make_empty(struct lli_timeline **out, struct llminf_context *context,
                                const struct lli_timeline_options *options, const void *arg, llminf_error *error)
{
    (void)arg;
    return lli_timeline_open(out, context->engine, options, error);
}

llminf_status llminf_session_open(llminf_session **out, llminf_context *context, const llminf_options *options,
                                  llminf_error *error)
{
    return lli_session_new(out, context, options, make_empty, NULL, error);
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

llminf_status llminf_session_fork(llminf_session **out, llminf_session *session, llminf_error *error)
{
    struct llminf_session *copy;
    llminf_status status;
    if (lli_check_out(out, "out", error) != LLMINF_OK)
        return LLMINF_E_INVALID;
    *out = NULL;
    if ((status = enter(session, error)) != LLMINF_OK)
        return status;
    copy = lli_alloc_zero(&session->context->model->heap, 1, sizeof *copy);
    status = copy != NULL ? lli_timeline_fork(&copy->timeline, session->timeline, error)
                          : lli_fail_memory(error, "session", sizeof *copy);
    if (status == LLMINF_OK) {
        copy->handle.mark = LLI_MARK_SESSION;
        copy->context = session->context;
        atomic_fetch_add_explicit(&copy->context->handle.refs, 1, memory_order_relaxed);
        *out = copy;
    } else {
        lli_free(&session->context->model->heap, copy);
    }
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

llminf_status llminf_session_fd(llminf_session *session, int32_t *fd_out, llminf_error *error)
{
    int fd = -1;
    llminf_status status = lli_check_out(fd_out, "fd_out", error);
    if (status != LLMINF_OK)
        return status;
    *fd_out = -1;
    if ((status = enter(session, error)) != LLMINF_OK)
        return status;
    status = lli_timeline_fd(session->timeline, &fd, error);
    if (status == LLMINF_OK)
        *fd_out = fd;
    lli_check_leave(session);
    return status;
}

llminf_status llminf_session_notify(llminf_session *session, llminf_notify_fn notify, void *user, llminf_error *error)
{
    llminf_status status = enter(session, error);
    if (status != LLMINF_OK)
        return status;
    status = lli_timeline_notify(session->timeline, notify, user, error);
    lli_check_leave(session);
    return status;
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

llminf_status llminf_session_embedding(llminf_session *session, float *vector, size_t capacity, size_t *count_out,
                                       llminf_error *error)
{
    int copy;
    llminf_status status = lli_check_out(count_out, "count_out", error);
    if (status != LLMINF_OK)
        return status;
    *count_out = 0;
    if ((status = enter(session, error)) != LLMINF_OK)
        return status;
    status = lli_timeline_embedding(session->timeline, NULL, 0, count_out, error);
    if (status == LLMINF_OK)
        status = lli_check_room(&copy, vector, capacity, *count_out, error);
    if (status == LLMINF_OK && copy)
        status = lli_timeline_embedding(session->timeline, vector, *count_out, count_out, error);
    lli_check_leave(session);
    return status;
}

/* At most 1 + 64 of them. */
static llminf_status give_logprobs(llminf_session *session, size_t position, llminf_token *tokens, float *logprobs,
                                   size_t capacity, size_t *count_out, llminf_error *error)
{
    struct lli_logprob rows[65];
    int copy;
    llminf_status status = lli_timeline_logprobs(session->timeline, position, rows, 65, count_out, error);
    if (status == LLMINF_OK)
        status = lli_check_room(&copy, tokens, capacity, *count_out, error);
    if (status != LLMINF_OK || !copy)
        return status;
    if (logprobs == NULL)
        return lli_fail(error, LLMINF_E_INVALID, "logprobs", "is NULL, want room for %zu", *count_out);
    for (size_t i = 0; i < *count_out; i++) {
        tokens[i] = rows[i].token;
        logprobs[i] = rows[i].value;
    }
    return LLMINF_OK;
}

llminf_status llminf_session_logprobs(llminf_session *session, size_t position, llminf_token *tokens, float *logprobs,
                                      size_t capacity, size_t *count_out, llminf_error *error)
{
    llminf_status status = lli_check_out(count_out, "count_out", error);
    if (status != LLMINF_OK)
        return status;
    *count_out = 0;
    if ((status = enter(session, error)) != LLMINF_OK)
        return status;
    status = give_logprobs(session, position, tokens, logprobs, capacity, count_out, error);
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
        {"state", s.state},
        {"stop_reason", s.stop_reason},
        {"stop_index", s.stop_index},
        {"length", s.length},
        {"cached", s.cached},
        {"shared_blocks", s.shared_blocks},
        {"preemptions", s.preemptions},
        {"drafted", s.drafted},
        {"accepted", s.accepted},
        {"computed", s.computed},
        {"prompt", s.prompt},
        {"generated", s.generated},
        {"blocks", s.blocks},
        {"queue_ns", s.queue_ns},
        {"max_length", s.max_length},
        {"room", s.max_length - s.length},
        {"first_ns", s.first_ns},
        {"prefill_ns", s.prefill_ns},
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
