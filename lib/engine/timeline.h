/* engine/timeline.h - one session: its tokens, its block table, its state, and what its readers see.
 *
 * IDLE --generate--> WAITING --admit--> RUNNING --stop--> IDLE. The calls below are made by one thread at a time on one
 * timeline, but for wait, cancel and stats, which any thread may call. While a generation runs, append, truncate, generate and
 * logits give BUSY. After fork() the child gets STATE from everything but close. */
#ifndef LLI_ENGINE_TIMELINE_H
#define LLI_ENGINE_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "engine/engine.h"
#include "sample/chain.h"

struct lli_timeline;

enum lli_logits_mode { LLI_LOGITS_OFF, LLI_LOGITS_LAST, LLI_LOGITS_ALL };

/* What a generation is asked to do. Everything behind the pointers is copied. */
struct lli_request_params {
    struct lli_sampler_params sampler;
    const struct lli_bias *bias; /* sorted or not; later entries for the same token win */
    size_t n_bias;
    int64_t max_tokens;           /* -1: up to max_length; 0: compute the prompt only */
    int64_t min_tokens;           /* no end of generation, stop text or stop token before this many */
    const struct lli_text *stops; /* texts that end the output and are not part of it */
    size_t n_stops;
    const int32_t *stop_tokens; /* these end the output; the token joins the timeline */
    size_t n_stop_tokens;
    int ignore_eog, special, echo;
    int logits; /* enum lli_logits_mode */
};

/* max_length 0: the model's context length, or what the pool holds if that is less. FULL over max_sessions. */
int32_t lli_timeline_open(struct lli_timeline **out, struct lli_engine *engine, int64_t max_length, struct llminf_error *err);

/* Cancels what runs, waits for the step in progress, gives the blocks back. */
void lli_timeline_close(struct lli_timeline *t);

/* INVALID for an id outside the vocabulary (position: its index), TOO_LONG over max_length. */
int32_t lli_timeline_append(struct lli_timeline *t, const int32_t *ids, size_t n, struct llminf_error *err);
int32_t lli_timeline_truncate(struct lli_timeline *t, size_t n_keep, struct llminf_error *err); /* INVALID over the length */

/* Copies tokens [from, from + cap); *n_out is the number behind `from`. Never fails for from <= length, else INVALID. While
 * a generation runs these are the tokens released to readers. */
int32_t lli_timeline_tokens(struct lli_timeline *t, size_t from, int32_t *out, size_t cap, size_t *n_out,
                            struct llminf_error *err);

/* Queues and returns. STATE without a token, TOO_LONG, FULL, MEMORY, BUSY. */
int32_t lli_timeline_generate(struct lli_timeline *t, const struct lli_request_params *params, struct llminf_error *err);

/* The next text or tokens of the generation. OK with at least one byte or token; AGAIN (timeout over, nothing); DONE; or the
 * error that ended it, each time anew. Whole characters only: cap < 4 may give TOO_SMALL with *n_out the bytes needed. Text is NUL-terminated
 * (cap counts it). timeout_ns -1: for ever. STATE before the first generate. */
int32_t lli_timeline_read(struct lli_timeline *t, char *out, size_t cap, size_t *n_out, int64_t timeout_ns,
                          struct llminf_error *err);
int32_t lli_timeline_read_tokens(struct lli_timeline *t, int32_t *out, size_t cap, size_t *n_out, int64_t timeout_ns,
                                 struct llminf_error *err);

/* For the end: DONE, AGAIN after the timeout, or the error that ended it. STATE before the first generate, or when closed meanwhile. */
int32_t lli_timeline_wait(struct lli_timeline *t, int64_t timeout_ns, struct llminf_error *err);

/* One atomic store. */
void lli_timeline_cancel(struct lli_timeline *t);

/* n_vocab logits after the token at a position. NOT_FOUND if they were not kept. */
int32_t lli_timeline_logits(struct lli_timeline *t, size_t pos, float *out, size_t cap, size_t *n_out,
                            struct llminf_error *err);

/* States and stop reasons have the numbers of LLMINF_STATE_* and LLMINF_STOP_*. */
struct lli_timeline_stats {
    int64_t state, stop_reason, stop_index, length, computed, prompt, generated, blocks, max_length;
    int64_t queue_ns, first_ns, prefill_ns, decode_ns;
};
void lli_timeline_stats(struct lli_timeline *t, struct lli_timeline_stats *out);

#endif
