/* engine/engine.h - sessions in flight over one model: the pool, the forward, one engine thread and its workers.
 *
 * Many threads may use many timelines at once. One lock (the engine's) guards queue, pool, tables and states; each
 * timeline's output has a leaf lock of its own. Order: engine, then output; neither is held while a step runs. */
#ifndef LLI_ENGINE_ENGINE_H
#define LLI_ENGINE_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/workers.h"
#include "engine/plan.h"
#include "engine/queue.h"
#include "kv/pool.h"
#include "model/config.h"
#include "model/weights.h"
#include "sample/chain.h"
#include "text/vocab.h"

struct llminf_error;
struct lli_backend;
struct lli_forward;

struct lli_engine_options {
    const struct lli_config *config; /* these outlive the engine */
    const struct lli_weights *weights;
    const struct lli_vocab *vocab;
    const struct lli_backend *backend;
    int kv_type;             /* enum lli_kv_type */
    int64_t kv_budget_bytes; /* 0: one session of full length, at most 1/4 of the memory open to the process */
    uint32_t max_sessions;   /* open at once */
    uint32_t max_waiting;    /* generations that wait for admission; one more is FULL */
    uint32_t step_tokens;    /* rows of a prefill step; 0: 64 */
    int n_threads;           /* 0: lli_cpus_usable() */
    int64_t spin_ns;
};

struct lli_engine;

/* Reserves the pool and all scratch, starts the threads. OPTION with the key as subject if the budget holds no block;
 * NUMERIC for weights; MEMORY; IO for a thread. */
int32_t lli_engine_new(struct lli_engine **out, struct lli_heap *heap, const struct lli_engine_options *options,
                       struct llminf_error *err);

/* After its last timeline: stops and joins the threads. NULL does nothing. Not from the engine thread. */
void lli_engine_free(struct lli_engine *engine);

/* Options in force and counters that only grow, one consistent snapshot. All 0 in a child after fork(). */
struct lli_engine_stats {
    int64_t sessions, running, waiting;
    int64_t kv_blocks, kv_blocks_used, kv_bytes, kv_budget_bytes, scratch_bytes;
    int64_t steps, step_ns, step_max_ns, prefill_tokens, decode_tokens, evictions, refused, cancelled;
    int64_t threads, step_tokens, max_sessions, max_waiting, spin_ns;
};
void lli_engine_stats(struct lli_engine *engine, struct lli_engine_stats *out);

/* 0, or STATE in a child after fork(), which has none of the threads. */
int32_t lli_engine_check(const struct lli_engine *engine, struct llminf_error *err);

/* Read outside engine/ only through the functions above. */
struct lli_engine {
    struct lli_heap *heap;
    const struct lli_vocab *vocab;
    pid_t process;
    uint32_t max_length; /* of a session that does not say */
    size_t text_bytes;   /* no token decodes to more */
    uint32_t max_sessions, max_waiting, step_tokens;

    /* the engine thread's */
    pthread_t thread;
    struct lli_workers workers;
    struct lli_forward *forward;
    struct lli_batch batch;   /* the step in the making or in flight */
    struct lli_chain chain;   /* scratch of sampling */
    struct lli_buffer text;   /* scratch of stop texts */
    int has_lock, has_thread; /* initialised; started: set once */

    _Atomic uint32_t has_cancels; /* some timeline was cancelled since the last plan */
    pthread_mutex_t lock;         /* guards all below, and of each timeline what its header says */
    pthread_cond_t work;          /* something can be planned, or the engine stops */
    pthread_cond_t landed;        /* a step was committed while a close waits for it */
    struct lli_pool pool;
    struct lli_queue waiting, running; /* FIFO; the next to run is first */
    struct lli_queue soft;             /* hold blocks and are not running; the one that ran longest ago is first */
    uint32_t n_reserved;               /* blocks: footprints of the running */
    uint32_t n_sessions, n_closing;
    int is_stopping;
    struct lli_engine_stats totals; /* options in force, counters */
};

#endif
