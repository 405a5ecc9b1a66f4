/* engine/engine.h - sessions in flight over one model: the pool, the forward, one engine thread and its workers.
 *
 * Many threads may use many timelines at once. One lock (the engine's) guards queue, pool, tables and states; each
 * timeline's output has a leaf lock of its own. Order: engine, then output; neither is held while a step runs. */
#ifndef LLI_ENGINE_ENGINE_H
#define LLI_ENGINE_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "file/mapping.h"
#include "model/config.h"
#include "model/weights.h"
#include "text/vocab.h"

struct llminf_error;
struct lli_backend;
struct lli_engine;

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
    int n_threads;           /* 0: lli_workers_usable() */
    int64_t spin_ns;
    struct lli_progress progress;
};

/* Reserves the pool and all scratch, starts the threads. OPTION with the key as subject if the budget holds no block;
 * NUMERIC for weights; MEMORY; IO for a thread. */
int32_t lli_engine_new(struct lli_engine **out, struct lli_heap *heap, const struct lli_engine_options *options,
                       struct llminf_error *err);

/* After its last timeline: stops and joins the threads. NULL does nothing. Not from the engine thread. */
void lli_engine_free(struct lli_engine *engine);

/* Options in force and counters that only grow, one consistent snapshot. */
struct lli_engine_stats {
    int64_t sessions, running, waiting;
    int64_t kv_blocks, kv_blocks_used, kv_bytes, kv_budget_bytes, scratch_bytes;
    int64_t steps, step_ns, step_max_ns, prefill_tokens, decode_tokens, evictions, refused, cancelled;
    int64_t threads, step_tokens, max_sessions, max_waiting, spin_ns;
};
void lli_engine_stats(struct lli_engine *engine, struct lli_engine_stats *out);

#endif
