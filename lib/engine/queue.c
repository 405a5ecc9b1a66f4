/* engine/queue.c - requests own all that they point to; lists own nothing. Invariant: a timeline is at most once in the
 * lists of one kind of link. */
#include "engine/queue.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/size.h"
#include "engine/timeline.h"
#include "kv/table.h"

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

int32_t lli_request_init(struct lli_request *request, struct lli_heap *heap, const struct lli_request_params *params,
                         uint32_t n_prompt, uint32_t n_max, uint32_t first, uint32_t n_vocab, struct llminf_error *err)
{
    *request = (struct lli_request){.heap = heap, .sampler = params->sampler, .n_prompt = n_prompt, .n_max = n_max};
    request->footprint = lli_table_blocks(n_max);
    request->asked_ns = lli_clock_ns();
    request->queue_ns = request->first_ns = -1;
    lli_arena_init(&request->arena, heap, ARENA_BYTES);
    int32_t status = copy_bias(request, params, err);
    if (status == LLMINF_OK)
        status = lli_stop_init(&request->stop, &request->arena, params->stops, params->n_stops, params->stop_tokens,
                               params->n_stop_tokens, err);
    if (status == LLMINF_OK)
        status = reserve_logits(request, params->logits, first, n_vocab, err);
    request->stop.min_tokens = params->min_tokens;
    request->stop.ignore_eog = params->ignore_eog;
    request->stop.special = params->special;
    return status;
}

void lli_request_finish(struct lli_request *request)
{
    if (request->heap) {
        lli_arena_finish(&request->arena);
        lli_free(request->heap, request->kept.rows);
    }
    *request = (struct lli_request){0};
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
    kept->n = pos - kept->first + 1;
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
