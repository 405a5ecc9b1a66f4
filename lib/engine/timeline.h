/* engine/timeline.h - one session: its tokens, its block table, its state, and what its readers see.
 *
 * States: engine/roster.h. The calls below are made by one thread at a time on one timeline, but for wait, cancel and stats,
 * which any thread may call. While a generation runs, append, truncate, fork, generate, logits, logprobs and embedding give
 * BUSY. After fork() the child gets STATE from everything but close. */
#ifndef LLI_ENGINE_TIMELINE_H
#define LLI_ENGINE_TIMELINE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/beam.h"
#include "engine/draft.h"
#include "engine/engine.h"
#include "engine/output.h"
#include "engine/pooling.h"
#include "engine/queue.h"
#include "engine/seats.h"
#include "kv/table.h"

enum lli_timeline_state { LLI_TIMELINE_IDLE, LLI_TIMELINE_WAITING, LLI_TIMELINE_RUNNING, LLI_TIMELINE_PAUSED };

typedef void lli_notify_fn(void *user);

/* Read outside engine/ only through the functions below. "Host" is the one thread that is in a call on the timeline. */
struct lli_timeline {
    struct lli_engine *engine;
    uint32_t max_length;
    int is_pinned;           /* keeps its blocks while idle */
    struct lli_seats *seats; /* its adapter's, or NULL; beams have the session's */
    double adapter_scale;
    int32_t *tokens;              /* [cap]; grown by the host while idle, slots from n_tokens on written by the step; owned */
    uint32_t cap;                 /* host */
    struct lli_listener listener; /* host */
    struct lli_output output;     /* its own lock */
    _Atomic uint32_t is_cancelled;

    /* the engine's lock */
    int state;                          /* enum lli_timeline_state */
    uint64_t in_flight;                 /* number of the plan that holds it, or 0 */
    uint64_t last_step;                 /* number of the plan that held it last */
    uint32_t ride;                      /* in flight: its place in the batch */
    struct lli_link links[LLI_N_LINKS]; /* in the lists of the engine */
    int is_soft;                        /* in the list of soft holders */
    uint32_t n_promised;                /* pinned: blocks that count as taken */
    uint32_t n_tokens;                  /* committed; the last sampled one is not computed yet */
    uint32_t n_reached;                 /* what was computed before a release; hangs on the calls alone */
    uint32_t n_said;                    /* tokens when the last generation ended; echo begins here */
    struct lli_table table;             /* covers what is computed, in flight also the rows of the plan */
    struct lli_request request;         /* running, or the last one */
    struct lli_pooling pooling;
    struct lli_draft draft;       /* proposals; in flight the step's */
    struct lli_table draft_table; /* over the drafter's pool; empty unless it runs */
    struct lli_group *group;      /* of beams, or NULL: as a session its own, as a hidden timeline the session's */
    int stop_reason, stop_index;  /* of the last generation */
    lli_notify_fn *notify;        /* NULL: nobody asked */
    void *notify_user;
    int has_news, is_told; /* to be told; being told right now */
};

/* The first position that is to be computed even where it was: its logits are asked for, or it is to be pooled. UINT32_MAX:
 * none. */
static inline uint32_t lli_timeline_again(const struct lli_timeline *t)
{
    uint32_t asked = lli_request_from(&t->request), pooled = lli_pooling_from(&t->pooling);
    return asked < pooled ? asked : pooled;
}

/* The first position whose row is due: what is not computed, or the last one again, or one whose logits are asked for or that
 * is to be pooled. */
static inline uint32_t lli_timeline_next(const struct lli_timeline *t)
{
    uint32_t first = t->table.n_computed < t->n_tokens ? t->table.n_computed : t->n_tokens - 1;
    uint32_t again = lli_timeline_again(t);
    return again < first ? again : first;
}

/* It, or one of its beams, is in the plan in flight. */
static inline int lli_timeline_flies(const struct lli_timeline *t)
{
    return t->in_flight != 0 || (t->group && t->group->n_in_flight > 0);
}

struct lli_timeline_options {
    int64_t max_length; /* 0: the model's context length, or what the pool holds if that is less */
    const char *salt;   /* shares blocks with equal salts only; NULL: empty */
    size_t salt_len;
    struct lli_adapter *adapter; /* NULL: none */
    double adapter_scale;
    int no_prefix_cache, is_pinned;
    int pooling; /* enum lli_pooling_kind: of a session for embeddings, which computes prompts only */
    int is_normalized;
};

/* Blocks of all groups of layers that one may come to hold. */
static inline uint32_t lli_timeline_footprint(const struct lli_engine *engine, uint32_t n_tokens)
{
    return lli_table_footprint(engine->pool.windows, engine->pool.n_groups, n_tokens, engine->batch.max_rows);
}

/* Bytes of heap that one of n tokens takes, with a generation that keeps no logits and asks for nothing else. */
size_t lli_timeline_bytes(uint32_t n_tokens, uint32_t n_groups, size_t text_bytes);

/* options NULL: all 0. FULL over max_sessions, MEMORY, IO. */
int32_t lli_timeline_open(struct lli_timeline **out, struct lli_engine *engine, const struct lli_timeline_options *options,
                          struct llminf_error *err);

/* Another of the same tokens and options, which shares all blocks. FULL also if it is pinned and the pool cannot promise
 * so much; BUSY, MEMORY, IO. */
int32_t lli_timeline_fork(struct lli_timeline **out, struct lli_timeline *t, struct llminf_error *err);

/* Cancels what runs, waits for the step in progress, gives the blocks back. A wait that is in progress gets STATE and is out
 * before this returns; no other call may be in progress or begin. In a child after fork() it does nothing: the child's copy
 * goes with the child. */
void lli_timeline_close(struct lli_timeline *t);

/* INVALID for an id outside the vocabulary (position: its index), TOO_LONG over max_length, MEMORY, BUSY. */
int32_t lli_timeline_append(struct lli_timeline *t, const int32_t *ids, size_t n, struct llminf_error *err);

/* INVALID over the length, BUSY. Text of what is cut can no longer be read. */
int32_t lli_timeline_truncate(struct lli_timeline *t, size_t n_keep, struct llminf_error *err);

/* Copies tokens [from, from + cap); *n_out is the number behind `from`. Never fails for from <= length, else INVALID. While
 * a generation runs these are the tokens released to readers. */
int32_t lli_timeline_tokens(struct lli_timeline *t, size_t from, int32_t *out, size_t cap, size_t *n_out,
                            struct llminf_error *err);

/* Queues and returns. STATE without a token, OPTION for new tokens of a session with pooling, TOO_LONG, FULL, MEMORY, BUSY. */
int32_t lli_timeline_generate(struct lli_timeline *t, const struct lli_request_params *params, struct llminf_error *err);

/* The next text or tokens of the generation. OK with at least one byte or token; AGAIN (timeout over, nothing); DONE; or the
 * error that ended it, each time anew. Whole characters only: if the next one and a NUL do not fit, TOO_SMALL with *n_out its
 * length. Text is NUL-terminated (cap counts it). timeout_ns -1: for ever; host-driven it counts as 0. STATE before the first
 * generate. */
int32_t lli_timeline_read(struct lli_timeline *t, char *out, size_t cap, size_t *n_out, int64_t timeout_ns,
                          struct llminf_error *err);
int32_t lli_timeline_read_tokens(struct lli_timeline *t, int32_t *out, size_t cap, size_t *n_out, int64_t timeout_ns,
                                 struct llminf_error *err);

/* For the end: DONE, AGAIN after the timeout, or the error that ended it. STATE before the first generate, or when closed
 * meanwhile. If the host begins another generation before a waiter has seen the end of the last, it waits for the new one. */
int32_t lli_timeline_wait(struct lli_timeline *t, int64_t timeout_ns, struct llminf_error *err);

/* Two atomic stores, the timeline's mark and the engine's: allowed in a signal handler. The engine looks at PLAN and COMMIT. */
void lli_timeline_cancel(struct lli_timeline *t);

/* A descriptor that is readable while there is something to read, owned by the timeline. IO. */
int32_t lli_timeline_fd(struct lli_timeline *t, int *fd_out, struct llminf_error *err);

/* Called on the thread that runs the steps whenever there is something to read. NULL removes it, and waits for a call in
 * progress. */
int32_t lli_timeline_notify(struct lli_timeline *t, lli_notify_fn *notify, void *user, struct llminf_error *err);

/* n_vocab logits after the token at a position. NOT_FOUND if they were not kept. */
int32_t lli_timeline_logits(struct lli_timeline *t, size_t pos, float *out, size_t cap, size_t *n_out,
                            struct llminf_error *err);

/* n_embd values. STATE without pooling, or while the timeline is not computed whole; NUMERIC. */
int32_t lli_timeline_embedding(struct lli_timeline *t, float *out, size_t cap, size_t *n_out, struct llminf_error *err);

/* The log-probability of the token at a position, and the best ones in its place. NOT_FOUND if they were not kept. */
int32_t lli_timeline_logprobs(struct lli_timeline *t, size_t pos, struct lli_logprob *out, size_t cap, size_t *n_out,
                              struct llminf_error *err);

/* States and stop reasons have the numbers of LLMINF_STATE_* and LLMINF_STOP_*. In a child after fork() the state is FAILED
 * and all else 0. */
struct lli_timeline_stats {
    int64_t state, stop_reason, stop_index, length, computed, cached, prompt, generated, blocks, shared_blocks, max_length;
    int64_t preemptions, drafted, accepted, queue_ns, first_ns, prefill_ns, decode_ns;
};
void lli_timeline_stats(struct lli_timeline *t, struct lli_timeline_stats *out);

#endif
