/* engine/timeline.c - a session's life: opened, filled, sent into the queue, cut, closed. Invariant: the host changes tokens,
 * table and request of an idle timeline only, so that what is in flight stands still. */
#include "engine/timeline.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/size.h"
#include "engine/crew.h"
#include "engine/drafter.h"
#include "engine/roster.h"
#include "engine/thread.h"
#include "model/adapter.h"

#define NAME "session"
#define MIN_TOKENS_CAP 64u

/* The numbers of LLMINF_STATE_*. */
enum { STATE_IDLE = 0, STATE_QUEUED = 1, STATE_PREFILL = 2, STATE_DECODE = 3, STATE_FAILED = 4 };

static int32_t check_idle(const struct lli_timeline *t, struct llminf_error *err)
{
    return t->state == LLI_TIMELINE_IDLE ? LLMINF_OK : lli_fail(err, LLMINF_E_BUSY, NAME, "a generation runs");
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void delist(struct lli_engine *engine, struct lli_timeline *t)
{
    pthread_mutex_lock(&engine->lock);
    lli_queue_remove(&engine->timelines, t);
    pthread_mutex_unlock(&engine->lock);
}

static int32_t enlist(struct lli_engine *engine, struct lli_timeline *t, struct llminf_error *err)
{
    pthread_mutex_lock(&engine->lock);
    int full = engine->timelines.n >= engine->max_sessions;
    if (!full)
        lli_queue_append(&engine->timelines, t);
    pthread_mutex_unlock(&engine->lock);
    return full ? lli_fail(err, LLMINF_E_FULL, "max_sessions", "%u are open", engine->max_sessions) : LLMINF_OK;
}

/* Not in a list any more. */
static void free_timeline(struct lli_timeline *t)
{
    struct lli_engine *engine = t->engine;
    lli_beam_free(t->group);
    lli_seats_give(engine, t->seats);
    lli_request_finish(&t->request);
    lli_pooling_finish(&t->pooling, engine->heap);
    lli_table_finish(&t->table, engine->heap);
    lli_table_finish(&t->draft_table, engine->heap);
    lli_buffer_finish(&t->listener.text);
    lli_output_finish(&t->output);
    lli_free(engine->heap, t->tokens);
    lli_free(engine->heap, t);
}

/* Idle, empty and in the engine's list. */
static int32_t make(struct lli_timeline **out, struct lli_engine *engine, struct llminf_error *err)
{
    int32_t status = lli_engine_check(engine, err);
    if (status != LLMINF_OK)
        return status;
    struct lli_timeline *t = lli_alloc_zero(engine->heap, 1, sizeof *t);
    if (!t)
        return lli_fail_memory(err, NAME, sizeof *t);
    t->engine = engine;
    t->stop_index = -1;
    lli_buffer_init(&t->listener.text, engine->heap);
    lli_table_init(&t->table, &engine->pool, 0, engine->no_prefix_cache);
    if (lli_buffer_reserve(&t->listener.text, engine->text_bytes))
        status = lli_fail_memory(err, NAME, engine->text_bytes);
    else
        status = lli_output_init(&t->output, err);
    if (status == LLMINF_OK)
        status = enlist(engine, t, err);
    if (status != LLMINF_OK)
        free_timeline(t);
    else
        *out = t;
    return status;
}

/* Whose blocks it may share. */
static int32_t find_extra(uint64_t *extra_out, struct lli_engine *engine, const struct lli_timeline_options *options,
                          struct llminf_error *err)
{
    const struct lli_salt salt = {
        .text = (char *)(uintptr_t)options->salt,
        .len = options->salt_len,
        .adapter = options->adapter ? options->adapter->id : 0,
        .scale = options->adapter ? options->adapter_scale : 0,
    };
    int32_t status = LLMINF_OK;
    pthread_mutex_lock(&engine->lock);
    if (options->no_prefix_cache)
        *extra_out = lli_engine_own_extra(engine);
    else
        status = lli_engine_salt(extra_out, engine, &salt);
    pthread_mutex_unlock(&engine->lock);
    return status == LLMINF_OK ? LLMINF_OK : lli_fail_memory(err, "cache_salt", options->salt_len);
}

size_t lli_timeline_bytes(uint32_t n_tokens, uint32_t n_groups, size_t text_bytes)
{
    size_t cap = n_tokens > MIN_TOKENS_CAP ? n_tokens : MIN_TOKENS_CAP;
    return sizeof(struct lli_timeline) + lli_buffer_bytes(text_bytes) + cap * sizeof(int32_t) +
           (size_t)lli_table_blocks(n_tokens) * n_groups * sizeof(uint32_t) + lli_request_bytes();
}

int32_t lli_timeline_open(struct lli_timeline **out, struct lli_engine *engine, const struct lli_timeline_options *options,
                          struct llminf_error *err)
{
    static const struct lli_timeline_options defaults;
    struct lli_timeline *t;
    uint64_t extra = 0;
    *out = NULL;
    int32_t status = make(&t, engine, err);
    if (status != LLMINF_OK)
        return status;
    options = options ? options : &defaults;
    if (options->pooling != LLI_POOLING_NONE && engine->crew && !lli_crew_ends_here(engine->crew))
        status = lli_fail(err, LLMINF_E_UNSUPPORTED, "pooling", "where a model's last layers are on other ranks");
    if (status == LLMINF_OK)
        status = lli_seats_take(&t->seats, engine, options->adapter, err);
    if (status == LLMINF_OK)
        status = find_extra(&extra, engine, options, err);
    if (status == LLMINF_OK)
        status = lli_pooling_init(&t->pooling, engine->heap, options->pooling, options->is_normalized, engine->config, err);
    if (status != LLMINF_OK) {
        lli_timeline_close(t);
        return status;
    }
    int64_t length = options->max_length < LLI_MAX_CONTEXT ? options->max_length : LLI_MAX_CONTEXT;
    t->max_length = length > 0 ? (uint32_t)length : engine->max_length;
    t->is_pinned = options->is_pinned;
    t->adapter_scale = options->adapter_scale;
    lli_table_init(&t->table, &engine->pool, extra, engine->no_prefix_cache);
    *out = t;
    return LLMINF_OK;
}

void lli_timeline_close(struct lli_timeline *t)
{
    if (!t || lli_engine_check(t->engine, NULL) != LLMINF_OK)
        return;
    struct lli_engine *engine = t->engine;
    pthread_mutex_lock(&engine->lock);
    atomic_store(&t->is_cancelled, 1);
    engine->n_closing++;
    while (lli_timeline_flies(t) || t->is_told)
        pthread_cond_wait(&engine->landed, &engine->lock);
    engine->n_closing--;
    if (t->state != LLI_TIMELINE_IDLE)
        lli_roster_stop(engine, t, LLI_STOP_CANCEL);
    lli_roster_cut(engine, t, 0);
    engine->n_pinned -= t->n_promised;
    if (t->has_news)
        lli_queue_remove(&engine->news, t);
    lli_thread_wake(engine); /* what waited for these blocks may run now */
    pthread_mutex_unlock(&engine->lock);
    lli_output_close(&t->output);
    delist(engine, t);
    free_timeline(t);
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */

/* Room for n ids; the host's thread, while idle. */
static int32_t reserve_tokens(struct lli_timeline *t, uint32_t n, struct llminf_error *err)
{
    size_t bytes;
    if (n <= t->cap)
        return LLMINF_OK;
    int32_t *tokens = lli_size_mul(&bytes, n, sizeof *tokens) ? NULL : lli_realloc(t->engine->heap, t->tokens, bytes);
    if (!tokens)
        return lli_fail_memory(err, NAME, (uint64_t)n * sizeof *tokens);
    t->tokens = tokens;
    t->cap = n;
    return LLMINF_OK;
}

/* Looks at an idle timeline, once for each call of the host. */
static int32_t enter_idle(struct lli_timeline *t, uint32_t *n_tokens, struct llminf_error *err)
{
    int32_t status = lli_engine_check(t->engine, err);
    if (status != LLMINF_OK)
        return status;
    pthread_mutex_lock(&t->engine->lock);
    status = check_idle(t, err);
    *n_tokens = t->n_tokens;
    pthread_mutex_unlock(&t->engine->lock);
    return status;
}

int32_t lli_timeline_append(struct lli_timeline *t, const int32_t *ids, size_t n, struct llminf_error *err)
{
    uint32_t n_tokens, n_vocab = t->engine->vocab->n;
    int32_t status = enter_idle(t, &n_tokens, err);
    if (status != LLMINF_OK || n == 0)
        return status;
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= n_vocab)
            return lli_fail_at(err, LLMINF_E_INVALID, (int64_t)i, "tokens", "%d at %zu is not in the vocabulary of %u", ids[i],
                               i, n_vocab);
    if (n_tokens > t->max_length || n > t->max_length - n_tokens)
        return lli_fail(err, LLMINF_E_TOO_LONG, NAME, "%zu tokens behind %u, want at most %u in all", n, n_tokens,
                        t->max_length);
    uint32_t n_new = n_tokens + (uint32_t)n, room = n_new > t->cap && n_new < 2 * t->cap ? 2 * t->cap : n_new;
    status = reserve_tokens(t, room > MIN_TOKENS_CAP ? room : MIN_TOKENS_CAP, err);
    if (status != LLMINF_OK)
        return status;
    memcpy(t->tokens + n_tokens, ids, n * sizeof *ids);
    pthread_mutex_lock(&t->engine->lock);
    t->n_tokens = n_new;
    pthread_mutex_unlock(&t->engine->lock);
    return LLMINF_OK;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void cut(struct lli_timeline *t, uint32_t n)
{
    t->n_tokens = n;
    t->n_reached = least(t->n_reached, n);
    t->n_said = least(t->n_said, n);
    lli_request_cut(&t->request, n);
    lli_pooling_cut(&t->pooling, n);
    lli_roster_cut(t->engine, t, n);
    lli_output_cut(&t->output, n);
}

int32_t lli_timeline_truncate(struct lli_timeline *t, size_t n_keep, struct llminf_error *err)
{
    uint32_t n_tokens;
    int32_t status = enter_idle(t, &n_tokens, err);
    if (status != LLMINF_OK)
        return status;
    if (n_keep > n_tokens)
        return lli_fail(err, LLMINF_E_INVALID, "n_keep", "is %zu, want at most %u", n_keep, n_tokens);
    pthread_mutex_lock(&t->engine->lock);
    cut(t, (uint32_t)n_keep);
    pthread_mutex_unlock(&t->engine->lock);
    return LLMINF_OK;
}

int32_t lli_timeline_tokens(struct lli_timeline *t, size_t from, int32_t *out, size_t cap, size_t *n_out,
                            struct llminf_error *err)
{
    *n_out = 0;
    int32_t status = lli_engine_check(t->engine, err);
    if (status != LLMINF_OK)
        return status;
    pthread_mutex_lock(&t->engine->lock);
    uint32_t n = t->state == LLI_TIMELINE_IDLE ? t->n_tokens : lli_output_readable(&t->output);
    pthread_mutex_unlock(&t->engine->lock);
    if (from > n)
        return lli_fail(err, LLMINF_E_INVALID, "from", "is %zu, want at most %u", from, n);
    *n_out = n - from;
    if (cap > n - from)
        cap = n - from;
    if (cap > 0)
        memcpy(out, t->tokens + from, cap * sizeof *out);
    return LLMINF_OK;
}

/* ---- forks ------------------------------------------------------------------------------------------------------- */

/* All that both have in common. */
static int32_t share(struct lli_timeline *to, const struct lli_timeline *from, struct llminf_error *err)
{
    struct lli_engine *engine = from->engine;
    int32_t status = LLMINF_OK;
    pthread_mutex_lock(&engine->lock);
    to->is_pinned = from->is_pinned;
    if (to->is_pinned)
        status = lli_roster_promise(engine, to, lli_table_held(&from->table, &engine->pool), err);
    if (status == LLMINF_OK) {
        lli_table_fork(&to->table, &engine->pool, &from->table);
        to->max_length = from->max_length;
        to->seats = lli_seats_share(from->seats);
        to->adapter_scale = from->adapter_scale;
        to->n_tokens = from->n_tokens;
        to->n_reached = from->n_reached;
        to->n_said = from->n_said;
        lli_pooling_copy(&to->pooling, &from->pooling);
        to->last_step = from->last_step;
        lli_roster_settle(engine, to);
    }
    pthread_mutex_unlock(&engine->lock);
    return status;
}

int32_t lli_timeline_fork(struct lli_timeline **out, struct lli_timeline *t, struct llminf_error *err)
{
    struct lli_engine *engine = t->engine;
    struct lli_timeline *copy;
    uint32_t n_tokens;
    *out = NULL;
    int32_t status = enter_idle(t, &n_tokens, err);
    if (status == LLMINF_OK)
        status = make(&copy, engine, err);
    if (status != LLMINF_OK)
        return status;
    status = reserve_tokens(copy, n_tokens, err);
    if (status == LLMINF_OK &&
        lli_table_reserve(&copy->table, engine->heap, engine->pool.n_groups, lli_table_blocks(n_tokens)) != LLMINF_OK)
        status = lli_fail_memory(err, NAME, lli_table_blocks(n_tokens) * sizeof(uint32_t));
    if (status == LLMINF_OK)
        status = lli_pooling_init(&copy->pooling, engine->heap, t->pooling.kind, t->pooling.is_normalized, engine->config, err);
    if (status == LLMINF_OK) {
        if (n_tokens > 0)
            memcpy(copy->tokens, t->tokens, n_tokens * sizeof *t->tokens);
        status = share(copy, t, err);
    }
    if (status != LLMINF_OK)
        lli_timeline_close(copy);
    else
        *out = copy;
    return status;
}

/* ---- generations ------------------------------------------------------------------------------------------------- */

/* What a generation needs beside its request, made aside so that a failure leaves the timeline as it was. */
struct making {
    struct lli_request request;
    struct lli_table table; /* roomier, if that was needed */
    struct lli_decode decode;
    struct lli_draft draft;
    struct lli_group *group; /* of beams, or NULL */
    uint32_t from;           /* the first token to be read */
};

/* The hard length of the timeline, checked against what can ever fit. */
static int32_t find_length(uint32_t *n_max_out, const struct lli_timeline *t, uint32_t n_prompt, int64_t max_tokens,
                           struct llminf_error *err)
{
    const struct lli_pool *pool = &t->engine->pool;
    uint32_t n_max = t->max_length;
    if (n_prompt + (max_tokens != 0) > t->max_length)
        return lli_fail(err, LLMINF_E_TOO_LONG, NAME, "%u tokens and %d new, want at most %u", n_prompt, max_tokens != 0,
                        t->max_length);
    if (max_tokens >= 0 && max_tokens < t->max_length - n_prompt)
        n_max = n_prompt + (uint32_t)max_tokens;
    uint32_t footprint = lli_timeline_footprint(t->engine, n_max);
    if (footprint > pool->n_blocks - 1)
        return lli_fail(err, LLMINF_E_TOO_LONG, NAME, "up to %u tokens need %u blocks, the whole pool has %u", n_max, footprint,
                        pool->n_blocks - 1);
    if (t->engine->config->is_bidirectional && n_prompt > t->engine->step_tokens)
        return lli_fail(err, LLMINF_E_TOO_LONG, NAME, "%u tokens go into a step whole or not at all, step_tokens is %u",
                        n_prompt, t->engine->step_tokens);
    if (n_max > t->engine->n_positions)
        return lli_fail(err, LLMINF_E_TOO_LONG, NAME, "up to %u tokens, the model knows %u positions", n_max,
                        t->engine->n_positions);
    *n_max_out = n_max;
    return LLMINF_OK;
}

/* Text begins here if nothing but a control token (BOS) stands before. */
static int starts_text(const struct lli_timeline *t, uint32_t from)
{
    return from == 0 || (from == 1 && t->engine->vocab->types[t->tokens[0]] == LLI_TOKEN_CONTROL);
}

/* The decoders of reader and stop texts: both see new text behind what is echoed. */
static int32_t start_decoders(struct making *making, struct lli_timeline *t, const struct lli_request_params *params,
                              struct llminf_error *err)
{
    uint32_t n_prompt = making->request.n_prompt;
    struct lli_buffer echo;
    making->from = params->echo ? t->n_said : n_prompt;
    making->decode = (struct lli_decode){.at_start = (uint8_t)starts_text(t, making->from)};
    struct lli_decode decode = making->decode;
    int failed = 0;
    lli_buffer_init(&echo, t->engine->heap);
    for (uint32_t i = making->from; params->n_stops > 0 && i < n_prompt && !failed; i++) {
        echo.len = 0;
        failed = lli_decode_token(&decode, &echo, t->engine->vocab, t->tokens[i], params->special);
    }
    lli_buffer_finish(&echo);
    lli_stop_start(&making->request.stop, n_prompt, &decode);
    return failed ? lli_fail_memory(err, NAME, t->engine->text_bytes) : LLMINF_OK;
}

static int32_t prepare_drafts(struct making *making, struct lli_timeline *t, const struct lli_request_params *params,
                              uint32_t n_max, struct llminf_error *err)
{
    uint32_t limit = params->beams > 1 || (params->is_drafted && !t->engine->drafter) ? 0 : params->draft_limit;
    if (lli_draft_init(&making->draft, &making->request.arena, limit, params->is_drafted) != LLMINF_OK)
        return lli_fail_memory(err, "speculate", sizeof(struct lli_lookup));
    if (making->draft.by_model && lli_drafter_reserve(t, n_max) != LLMINF_OK)
        return lli_fail_memory(err, "speculate", lli_table_blocks(n_max) * sizeof(uint32_t));
    return LLMINF_OK;
}

static int32_t prepare_beams(struct making *making, struct lli_timeline *t, const struct lli_request_params *params,
                             uint32_t n_max, struct llminf_error *err)
{
    struct lli_beam_frame frame = {
        .n_beams = params->beams,
        .n_prompt = making->request.n_prompt,
        .n_max = n_max,
        .length_penalty = params->length_penalty,
        .n_stops = params->n_stops,
    };
    return lli_beam_new(&making->group, t, &frame, err);
}

static int32_t prepare(struct making *making, struct lli_timeline *t, const struct lli_request_params *params,
                       uint32_t n_prompt, struct llminf_error *err)
{
    struct lli_engine *engine = t->engine;
    struct lli_request_frame frame = {
        .n_prompt = n_prompt, .first = least(t->n_reached, n_prompt - 1), .n_said = t->n_said, .n_vocab = engine->vocab->n};
    int32_t status = find_length(&frame.n_max, t, n_prompt, params->max_tokens, err);
    uint32_t n_blocks = lli_table_blocks(frame.n_max);
    if (status == LLMINF_OK)
        status = reserve_tokens(t, frame.n_max, err);
    if (status == LLMINF_OK && n_blocks > t->table.cap)
        if (lli_table_reserve(&making->table, engine->heap, engine->pool.n_groups, n_blocks) != LLMINF_OK)
            status = lli_fail_memory(err, NAME, n_blocks * sizeof(uint32_t));
    if (status == LLMINF_OK)
        status = lli_request_init(&making->request, engine->heap, params, &frame, err);
    if (status == LLMINF_OK)
        status = prepare_drafts(making, t, params, frame.n_max, err);
    if (status == LLMINF_OK && params->beams > 1 && params->max_tokens != 0)
        status = prepare_beams(making, t, params, frame.n_max, err);
    if (status == LLMINF_OK)
        status = start_decoders(making, t, params, err);
    making->request.footprint = lli_timeline_footprint(engine, frame.n_max);
    return status;
}

static void swap_requests(struct lli_request *a, struct lli_request *b)
{
    struct lli_request kept = *a;
    *a = *b;
    *b = kept;
}

/* Under the engine's lock, so that no step sees half of it. */
static int32_t submit(struct lli_timeline *t, struct making *making, struct llminf_error *err)
{
    struct lli_engine *engine = t->engine;
    if (making->table.cap > 0)
        lli_table_move(&t->table, &making->table);
    swap_requests(&t->request, &making->request);
    int32_t status = lli_roster_enter(engine, t, err);
    if (status != LLMINF_OK) {
        swap_requests(&t->request, &making->request);
        return status;
    }
    if (engine->config->is_bidirectional) { /* what is new changes all */
        lli_roster_cut(engine, t, 0);
        lli_pooling_reset(&t->pooling);
    }
    atomic_store(&t->is_cancelled, 0);
    t->draft = making->draft;
    if (t->draft.by_model)
        lli_drafter_start(t);
    struct lli_group *old = t->group;
    t->group = making->group;
    making->group = old; /* goes with what was made aside */
    t->stop_reason = LLI_STOP_NONE;
    t->stop_index = -1;
    lli_output_start(&t->output, t->n_tokens, making->from);
    if (making->from < t->n_tokens)
        lli_roster_announce(engine, t); /* there is an echo to be read */
    lli_thread_wake(engine);
    return LLMINF_OK;
}

int32_t lli_timeline_generate(struct lli_timeline *t, const struct lli_request_params *params, struct llminf_error *err)
{
    struct making making = {.from = 0};
    uint32_t n_prompt;
    int32_t status = enter_idle(t, &n_prompt, err);
    if (status != LLMINF_OK)
        return status;
    if (n_prompt == 0)
        return lli_fail(err, LLMINF_E_STATE, NAME, "is empty, want at least 1 token");
    if (t->engine->config->is_bidirectional && (t->pooling.kind == LLI_POOLING_NONE || params->logits != LLI_LOGITS_OFF ||
                                                params->logprobs >= 0 || params->prompt_logprobs >= 0))
        return lli_fail(err, LLMINF_E_UNSUPPORTED, NAME, "of a model that sees both ways has no next token, want pooling");
    if (t->pooling.kind != LLI_POOLING_NONE && params->max_tokens != 0)
        return lli_fail(err, LLMINF_E_OPTION, "max_tokens",
                        "%lld in a session with pooling, want 0: it computes its tokens only", (long long)params->max_tokens);
    status = prepare(&making, t, params, n_prompt, err);
    if (status == LLMINF_OK) {
        pthread_mutex_lock(&t->engine->lock);
        status = submit(t, &making, err);
        pthread_mutex_unlock(&t->engine->lock);
    }
    if (status == LLMINF_OK)
        lli_output_listen(&t->listener, making.from, n_prompt, &making.decode, params->special);
    lli_beam_free(making.group);
    lli_request_finish(&making.request);
    lli_table_finish(&making.table, t->engine->heap);
    return status;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static int64_t find_deadline(const struct lli_timeline *t, int64_t timeout_ns)
{
    if (timeout_ns == 0 || t->engine->host_driven)
        return 0; /* polls: no look at the clock */
    int64_t now = lli_clock_ns();
    return timeout_ns < 0 || timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
}

/* What a host can do for its own generation before it waits: one that is cancelled and not in flight ends here, one that
 * paused until it was read goes on. */
static void push(struct lli_timeline *t)
{
    struct lli_engine *engine = t->engine;
    int is_cancelled = atomic_load(&t->is_cancelled) != 0;
    if (!is_cancelled && t->request.read_ahead == 0)
        return;
    pthread_mutex_lock(&engine->lock);
    if (is_cancelled && t->state != LLI_TIMELINE_IDLE && !lli_timeline_flies(t)) {
        lli_roster_stop(engine, t, LLI_STOP_CANCEL);
        lli_thread_wake(engine);
    } else if (t->state == LLI_TIMELINE_PAUSED && !t->group &&
               2 * (uint64_t)lli_output_unread(&t->output) <= t->request.read_ahead) {
        lli_roster_resume(engine, t);
        lli_thread_wake(engine);
    }
    pthread_mutex_unlock(&engine->lock);
}

static int is_over(int64_t deadline_ns)
{
    return deadline_ns == 0 || (deadline_ns != INT64_MAX && lli_clock_ns() >= deadline_ns);
}

int32_t lli_timeline_read(struct lli_timeline *t, char *out, size_t cap, size_t *n_out, int64_t timeout_ns,
                          struct llminf_error *err)
{
    *n_out = 0;
    int32_t status = lli_engine_check(t->engine, err);
    if (status != LLMINF_OK)
        return status;
    int64_t deadline = find_deadline(t, timeout_ns);
    status = lli_output_read_text(&t->listener, &t->output, t->engine->vocab, t->tokens, out, cap, n_out, 0, err);
    for (push(t); status == LLMINF_AGAIN && !is_over(deadline); push(t))
        status = lli_output_read_text(&t->listener, &t->output, t->engine->vocab, t->tokens, out, cap, n_out, deadline, err);
    return status;
}

int32_t lli_timeline_read_tokens(struct lli_timeline *t, int32_t *out, size_t cap, size_t *n_out, int64_t timeout_ns,
                                 struct llminf_error *err)
{
    *n_out = 0;
    int32_t status = lli_engine_check(t->engine, err);
    if (status != LLMINF_OK)
        return status;
    int64_t deadline = find_deadline(t, timeout_ns);
    status = lli_output_read_ids(&t->listener, &t->output, t->tokens, out, cap, n_out, 0, err);
    push(t);
    if (status == LLMINF_AGAIN && deadline > 0)
        status = lli_output_read_ids(&t->listener, &t->output, t->tokens, out, cap, n_out, deadline, err);
    return status;
}

int32_t lli_timeline_wait(struct lli_timeline *t, int64_t timeout_ns, struct llminf_error *err)
{
    int32_t status = lli_engine_check(t->engine, err);
    return status == LLMINF_OK ? lli_output_wait(&t->output, find_deadline(t, timeout_ns), err) : status;
}

void lli_timeline_cancel(struct lli_timeline *t)
{
    atomic_store(&t->is_cancelled, 1);
    atomic_store(&t->engine->has_cancels, 1);
}

int32_t lli_timeline_fd(struct lli_timeline *t, int *fd_out, struct llminf_error *err)
{
    int32_t status = lli_engine_check(t->engine, err);
    return status == LLMINF_OK ? lli_output_fd(&t->output, fd_out, err) : status;
}

int32_t lli_timeline_notify(struct lli_timeline *t, lli_notify_fn *notify, void *user, struct llminf_error *err)
{
    struct lli_engine *engine = t->engine;
    int32_t status = lli_engine_check(engine, err);
    if (status != LLMINF_OK)
        return status;
    pthread_mutex_lock(&engine->lock);
    t->notify = notify;
    t->notify_user = user;
    if (!notify && t->has_news) {
        lli_queue_remove(&engine->news, t);
        t->has_news = 0;
    }
    engine->n_closing++;
    while (t->is_told)
        pthread_cond_wait(&engine->landed, &engine->lock);
    engine->n_closing--;
    if (notify && lli_output_unread(&t->output) > 0) {
        lli_roster_announce(engine, t);
        lli_thread_wake(engine);
    }
    pthread_mutex_unlock(&engine->lock);
    return LLMINF_OK;
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

int32_t lli_timeline_logits(struct lli_timeline *t, size_t pos, float *out, size_t cap, size_t *n_out, struct llminf_error *err)
{
    const struct lli_kept *kept = &t->request.kept;
    size_t n_vocab = t->engine->vocab->n;
    uint32_t n_tokens;
    *n_out = 0;
    int32_t status = enter_idle(t, &n_tokens, err);
    if (status != LLMINF_OK)
        return status;
    if (pos < kept->first || pos - kept->first >= kept->n)
        return lli_fail(err, LLMINF_E_NOT_FOUND, "position", "%zu: kept are %u from %u on", pos, kept->n, kept->first);
    *n_out = n_vocab;
    if (!out && cap == 0)
        return LLMINF_OK;
    if (cap < n_vocab)
        return lli_fail(err, LLMINF_E_TOO_SMALL, "capacity", "is %zu, want %zu", cap, n_vocab);
    memcpy(out, kept->rows + (pos - kept->first) * n_vocab, n_vocab * sizeof *out);
    return LLMINF_OK;
}

int32_t lli_timeline_logprobs(struct lli_timeline *t, size_t pos, struct lli_logprob *out, size_t cap, size_t *n_out,
                              struct llminf_error *err)
{
    const struct lli_scored *scored = &t->request.scored;
    size_t n = 1 + scored->n_best;
    uint32_t n_tokens;
    *n_out = 0;
    int32_t status = enter_idle(t, &n_tokens, err);
    if (status != LLMINF_OK)
        return status;
    if (pos < scored->first || pos - scored->first >= scored->n || pos >= n_tokens)
        return lli_fail(err, LLMINF_E_NOT_FOUND, "position", "%zu: kept are %u from %u on", pos, scored->n, scored->first);
    *n_out = n;
    if (!out && cap == 0)
        return LLMINF_OK;
    if (cap < n)
        return lli_fail(err, LLMINF_E_TOO_SMALL, "capacity", "is %zu, want %zu", cap, n);
    memcpy(out, scored->rows + (pos - scored->first) * n, n * sizeof *out);
    return LLMINF_OK;
}

int32_t lli_timeline_embedding(struct lli_timeline *t, float *out, size_t cap, size_t *n_out, struct llminf_error *err)
{
    uint32_t n_tokens, n_embd = t->engine->config->n_embd;
    *n_out = 0;
    int32_t status = enter_idle(t, &n_tokens, err);
    if (status != LLMINF_OK)
        return status;
    *n_out = n_embd;
    if (!out && cap == 0)
        return LLMINF_OK;
    if (cap < n_embd)
        return lli_fail(err, LLMINF_E_TOO_SMALL, "capacity", "is %zu, want %u", cap, n_embd);
    status = lli_pooling_read(&t->pooling, n_tokens, out, err);
    if (status != LLMINF_OK)
        *n_out = 0;
    return status;
}

static int64_t public_state(const struct lli_timeline *t)
{
    if (t->engine->failure.status != LLMINF_OK)
        return STATE_FAILED;
    if (t->group && t->group->n_live > 0)
        return STATE_DECODE;
    if (t->state != LLI_TIMELINE_RUNNING)
        return t->state == LLI_TIMELINE_IDLE ? STATE_IDLE : STATE_QUEUED;
    return t->table.n_computed < t->request.n_prompt ? STATE_PREFILL : STATE_DECODE;
}

static int64_t count_shared(const struct lli_timeline *t)
{
    const struct lli_pool *pool = &t->engine->pool;
    return lli_table_held(&t->table, pool) - lli_table_sole(&t->table, pool);
}

void lli_timeline_stats(struct lli_timeline *t, struct lli_timeline_stats *out)
{
    const struct lli_request *request = &t->request;
    *out = (struct lli_timeline_stats){.state = STATE_FAILED};
    if (lli_engine_check(t->engine, NULL) != LLMINF_OK)
        return;
    pthread_mutex_lock(&t->engine->lock);
    *out = (struct lli_timeline_stats){
        .state = public_state(t),
        .stop_reason = t->stop_reason,
        .stop_index = t->stop_index,
        .length = t->n_tokens,
        .computed = t->table.n_computed,
        .cached = request->n_cached,
        .prompt = request->n_prompt,
        .generated = request->n_made,
        .blocks = lli_table_held(&t->table, &t->engine->pool),
        .shared_blocks = count_shared(t),
        .max_length = t->max_length,
        .preemptions = request->n_preempted,
        .drafted = request->n_drafted,
        .accepted = request->n_accepted,
        .queue_ns = request->queue_ns > 0 ? request->queue_ns : 0,
        .first_ns = request->first_ns > 0 ? request->first_ns : 0,
        .prefill_ns = request->prefill_ns,
        .decode_ns = request->decode_ns,
    };
    pthread_mutex_unlock(&t->engine->lock);
}
