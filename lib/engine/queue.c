/* engine/queue.c - requests own all that they point to; lists own nothing. Invariant: a timeline is at most once in the
 * lists of one kind of link. */
#include "engine/queue.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/size.h"
#include "engine/timeline.h"

#define ARENA_BYTES 1024u

static int32_t copy_bias(struct lli_request *request, const struct lli_request_params *params, struct llminf_error *err)
{
    if (params->n_bias == 0)
        return LLMINF_OK;
    request->bias = lli_arena_take(&request->arena, params->n_bias, sizeof *request->bias);
    if (!request->bias)
        return lli_fail_memory(err, "bias", params->n_bias * sizeof *request->bias);
    memcpy(request->bias, params->bias, params->n_bias * sizeof *request->bias);
    request->n_bias = params->n_bias;
    return LLMINF_OK;
}

/* A list of runs and the tokens of each; NULL without memory. */
static struct lli_ban *copy_runs(struct lli_arena *arena, const struct lli_ban *from, size_t n)
{
    struct lli_ban *runs = lli_arena_take(arena, n, sizeof *runs);
    for (size_t i = 0; runs && i < n; i++) {
        int32_t *tokens = lli_arena_take(arena, from[i].n, sizeof *tokens);
        if (!tokens)
            return NULL;
        memcpy(tokens, from[i].tokens, from[i].n * sizeof *tokens);
        runs[i] = (struct lli_ban){.tokens = tokens, .n = from[i].n};
    }
    return runs;
}

static int32_t copy_bans(struct lli_request *request, const struct lli_request_params *params, struct llminf_error *err)
{
    request->bans = copy_runs(&request->arena, params->bans, params->n_bans);
    if (!request->bans)
        return lli_fail_memory(err, "ban", params->n_bans * sizeof *request->bans);
    request->n_bans = params->n_bans;
    return LLMINF_OK;
}

static int32_t copy_breaks(struct lli_request *request, const struct lli_breaks *from, struct llminf_error *err)
{
    if (!from || request->sampler.dry_multiplier <= 0)
        return LLMINF_OK;
    size_t bytes = (from->n_tokens + 7u) / 8;
    struct lli_breaks *breaks = lli_arena_take(&request->arena, 1, sizeof *breaks);
    uint8_t *in_token = lli_arena_take(&request->arena, bytes, 1);
    struct lli_ban *runs = copy_runs(&request->arena, from->runs, from->n_runs);
    if (!breaks || !in_token || !runs)
        return lli_fail_memory(err, "dry_breaker", bytes + from->n_runs * sizeof *runs);
    memcpy(in_token, from->in_token, bytes);
    *breaks = (struct lli_breaks){.in_token = in_token, .n_tokens = from->n_tokens, .runs = runs, .n_runs = from->n_runs};
    request->breaks = breaks;
    return LLMINF_OK;
}

/* The last token of a timeline is never computed, unless nothing is to follow it. */
static int32_t reserve_logits(struct lli_request *request, int mode, uint32_t first, uint32_t n_vocab, struct llminf_error *err)
{
    uint32_t end = request->n_max > request->n_prompt ? request->n_max - 1 : request->n_prompt;
    struct lli_kept *kept = &request->kept;
    size_t bytes;
    kept->mode = mode;
    kept->first = first;
    kept->cap = mode == LLI_LOGITS_ALL ? end - first : mode == LLI_LOGITS_LAST;
    if (kept->cap == 0)
        return LLMINF_OK;
    if (lli_size_mul(&bytes, kept->cap, n_vocab) || lli_size_mul(&bytes, bytes, sizeof(float)))
        return lli_fail(err, LLMINF_E_LIMIT, "logits", "%u positions of %u values are over the address space", kept->cap,
                        n_vocab);
    kept->rows = lli_alloc(request->heap, bytes);
    return kept->rows ? LLMINF_OK : lli_fail_memory(err, "logits", bytes);
}

/* The first token of a timeline has no log-probability. */
static int32_t reserve_scores(struct lli_request *request, const struct lli_request_params *params,
                              const struct lli_request_frame *frame, struct llminf_error *err)
{
    struct lli_scored *scored = &request->scored;
    int n_best = params->logprobs > params->prompt_logprobs ? params->logprobs : params->prompt_logprobs;
    uint32_t said = frame->n_said > 0 ? frame->n_said : 1;
    scored->of_prompt = params->prompt_logprobs >= 0;
    scored->of_new = params->logprobs >= 0;
    if (n_best < 0)
        return LLMINF_OK;
    scored->n_best = (uint32_t)n_best < frame->n_vocab ? (uint32_t)n_best : frame->n_vocab;
    scored->first = scored->of_prompt && said < request->n_prompt ? said : request->n_prompt;
    scored->cap = (scored->of_new ? request->n_max : request->n_prompt) - scored->first;
    scored->rows = lli_alloc_array(request->heap, scored->cap, (1 + scored->n_best) * sizeof *scored->rows);
    return scored->rows || scored->cap == 0
               ? LLMINF_OK
               : lli_fail_memory(err, "logprobs", scored->cap * (1 + scored->n_best) * sizeof *scored->rows);
}

static void copy_wishes(struct lli_request *request, const struct lli_request_params *params)
{
    request->stop.min_tokens = params->min_tokens;
    request->stop.ignore_eog = params->ignore_eog;
    request->stop.special = params->special;
    request->filter = params->filter;
    request->user = params->user;
    request->mu = lli_chain_mu(&params->sampler);
    request->read_ahead = params->read_ahead;
    request->priority = params->priority;
    request->asked_ns = lli_clock_ns();
    request->queue_ns = request->first_ns = -1;
    if (params->deadline_ns > 0)
        request->deadline_ns =
            params->deadline_ns < INT64_MAX - request->asked_ns ? request->asked_ns + params->deadline_ns : INT64_MAX;
}

int32_t lli_request_init(struct lli_request *request, struct lli_heap *heap, const struct lli_request_params *params,
                         const struct lli_request_frame *frame, struct llminf_error *err)
{
    *request =
        (struct lli_request){.heap = heap, .sampler = params->sampler, .n_prompt = frame->n_prompt, .n_max = frame->n_max};
    lli_arena_init(&request->arena, heap, ARENA_BYTES);
    int32_t status = copy_bias(request, params, err);
    if (status == LLMINF_OK)
        status = copy_bans(request, params, err);
    if (status == LLMINF_OK)
        status = copy_breaks(request, params->breaks, err);
    if (status == LLMINF_OK && params->grammar && params->max_tokens != 0)
        status = lli_matcher_init(&request->matcher, heap, params->grammar, err);
    if (status == LLMINF_OK)
        status = lli_stop_init(&request->stop, &request->arena, params->stops, params->n_stops, params->stop_tokens,
                               params->n_stop_tokens, err);
    if (status == LLMINF_OK)
        status = reserve_logits(request, params->logits, frame->first, frame->n_vocab, err);
    if (status == LLMINF_OK)
        status = reserve_scores(request, params, frame, err);
    copy_wishes(request, params);
    return status;
}

size_t lli_request_bytes(void)
{
    return lli_arena_bytes(ARENA_BYTES);
}

void lli_request_finish(struct lli_request *request)
{
    if (request->heap) {
        lli_arena_finish(&request->arena);
        lli_matcher_finish(&request->matcher);
        lli_free(request->heap, request->kept.rows);
        lli_free(request->heap, request->scored.rows);
    }
    *request = (struct lli_request){0};
}

/* The first position whose logits score a token of the prompt that has no score yet. */
static uint32_t score_from(const struct lli_request *request)
{
    const struct lli_scored *scored = &request->scored;
    uint32_t next = scored->first + scored->n;
    return scored->of_prompt && next < request->n_prompt ? next - 1 : UINT32_MAX;
}

static uint32_t keep_from(const struct lli_request *request)
{
    const struct lli_kept *kept = &request->kept;
    return kept->mode == LLI_LOGITS_ALL && kept->n < kept->cap ? kept->first + kept->n : UINT32_MAX;
}

uint32_t lli_request_from(const struct lli_request *request)
{
    uint32_t a = score_from(request), b = keep_from(request);
    return a < b ? a : b;
}

int lli_request_wants(const struct lli_request *request, uint32_t pos, uint32_t n_tokens)
{
    if (pos >= keep_from(request) || (pos >= score_from(request) && pos + 1 < request->n_prompt))
        return 1;
    return pos + 1 == n_tokens && (request->n_max > request->n_prompt || request->kept.mode != LLI_LOGITS_OFF);
}

void lli_request_keep(struct lli_request *request, uint32_t pos, const float *logits, uint32_t n_vocab)
{
    struct lli_kept *kept = &request->kept;
    if (kept->mode == LLI_LOGITS_OFF || kept->cap == 0)
        return;
    if (kept->mode == LLI_LOGITS_LAST)
        kept->first = pos;
    if (pos < kept->first || pos - kept->first >= kept->cap)
        return;
    memcpy(kept->rows + (size_t)(pos - kept->first) * n_vocab, logits, n_vocab * sizeof *logits);
    if (kept->n < pos - kept->first + 1)
        kept->n = pos - kept->first + 1;
}

void lli_request_score(struct lli_request *request, uint32_t pos, int32_t token, const float *logits, uint32_t n_vocab)
{
    struct lli_scored *scored = &request->scored;
    size_t row_len = 1 + scored->n_best;
    if (pos < scored->first || pos - scored->first >= scored->cap)
        return;
    if (pos < request->n_prompt ? !scored->of_prompt : !scored->of_new)
        return;
    lli_logprob_best(scored->rows + (pos - scored->first) * row_len, logits, n_vocab, token, scored->n_best);
    if (scored->n < pos - scored->first + 1)
        scored->n = pos - scored->first + 1;
}

void lli_request_cut(struct lli_request *request, uint32_t n)
{
    struct lli_kept *kept = &request->kept;
    struct lli_scored *scored = &request->scored;
    uint32_t n_kept = n > kept->first ? n - kept->first : 0, n_scored = n > scored->first ? n - scored->first : 0;
    kept->n = kept->n < n_kept ? kept->n : n_kept;
    scored->n = scored->n < n_scored ? scored->n : n_scored;
}

void lli_queue_insert(struct lli_queue *queue, struct lli_timeline *t, struct lli_timeline *after)
{
    struct lli_timeline *next = after ? after->links[queue->kind].next : queue->first;
    t->links[queue->kind] = (struct lli_link){.prev = after, .next = next};
    *(after ? &after->links[queue->kind].next : &queue->first) = t;
    *(next ? &next->links[queue->kind].prev : &queue->last) = t;
    queue->n++;
}

void lli_queue_append(struct lli_queue *queue, struct lli_timeline *t)
{
    lli_queue_insert(queue, t, queue->last);
}

void lli_queue_remove(struct lli_queue *queue, struct lli_timeline *t)
{
    struct lli_link *link = &t->links[queue->kind];
    *(link->prev ? &link->prev->links[queue->kind].next : &queue->first) = link->next;
    *(link->next ? &link->next->links[queue->kind].prev : &queue->last) = link->prev;
    *link = (struct lli_link){0};
    queue->n--;
}
