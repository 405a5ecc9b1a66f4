/* engine/queue.h - what one generation was asked for, and the orders in which timelines stand.
 *
 * A request is made on the host's thread with everything copied and reserved, so that the steps which serve it allocate
 * nothing. It stays with its timeline until the next one, for its logits and its times. */
#ifndef LLI_ENGINE_QUEUE_H
#define LLI_ENGINE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "engine/stop.h"
#include "file/gguf.h"
#include "sample/chain.h"

struct llminf_error;
struct lli_timeline;

enum lli_logits_mode { LLI_LOGITS_OFF, LLI_LOGITS_LAST, LLI_LOGITS_ALL };

/* What a generation is asked to do. Everything behind the pointers is copied. */
struct lli_request_params {
    struct lli_sampler_params sampler;
    const struct lli_bias *bias; /* sorted or not; later entries for the same token win */
    size_t n_bias;
    int64_t max_tokens;           /* -1: up to max_length; 0: compute the prompt only */
    int64_t min_tokens;           /* no end of generation, stop text or stop token before this many, the ending one counted */
    const struct lli_text *stops; /* texts that end the output and are not part of it */
    size_t n_stops;
    const int32_t *stop_tokens; /* these end the output; as an end of generation they join the timeline, but not the text */
    size_t n_stop_tokens;
    int ignore_eog, special, echo;
    int logits; /* enum lli_logits_mode */
};

/* Logits kept: those after positions first .. first + n - 1. */
struct lli_kept {
    float *rows; /* [cap, n_vocab] */
    uint32_t first, n, cap;
    int mode; /* enum lli_logits_mode */
};

struct lli_request {
    struct lli_heap *heap;
    struct lli_arena arena; /* of bias and stop */
    struct lli_sampler_params sampler;
    struct lli_bias *bias;
    size_t n_bias;
    struct lli_stop stop;
    struct lli_kept kept;
    uint32_t n_prompt;                                           /* tokens of the timeline before it */
    uint32_t n_max;                                              /* hard length of the timeline */
    uint32_t footprint;                                          /* blocks that hold n_max positions */
    uint32_t n_made;                                             /* tokens committed */
    int64_t asked_ns, queue_ns, first_ns, prefill_ns, decode_ns; /* asked: on the clock; -1: not yet */
};

/* For a timeline of n_prompt tokens that may grow to n_max; logits are kept from position `first` on. OPTION, MEMORY, LIMIT. */
int32_t lli_request_init(struct lli_request *request, struct lli_heap *heap, const struct lli_request_params *params,
                         uint32_t n_prompt, uint32_t n_max, uint32_t first, uint32_t n_vocab, struct llminf_error *err);
void lli_request_finish(struct lli_request *request); /* accepts a zeroed or half-built struct */

/* Keeps the logits after a position, if the mode and the room say so. */
void lli_request_keep(struct lli_request *request, uint32_t pos, const float *logits, uint32_t n_vocab);

/* A list of timelines, linked through one of their links. */
enum lli_link_kind { LLI_LINK_REQUEST, LLI_LINK_SOFT, LLI_N_LINKS };

struct lli_link {
    struct lli_timeline *prev, *next;
};

struct lli_queue {
    struct lli_timeline *first, *last;
    uint32_t n;
    int kind; /* enum lli_link_kind */
};

void lli_queue_append(struct lli_queue *queue, struct lli_timeline *t);
void lli_queue_insert(struct lli_queue *queue, struct lli_timeline *t, struct lli_timeline *after); /* NULL: first */
void lli_queue_remove(struct lli_queue *queue, struct lli_timeline *t);

#endif
