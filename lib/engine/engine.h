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
#include "engine/calibrate.h"
#include "engine/executor.h"
#include "engine/plan.h"
#include "engine/queue.h"
#include "engine/stats.h"
#include "kv/pool.h"
#include "model/config.h"
#include "model/weights.h"
#include "sample/chain.h"
#include "text/vocab.h"

struct llminf_error;
struct lli_backend;
struct lli_crew;
struct lli_division;
struct lli_drafter;
struct lli_forward;
struct lli_measuring;
struct lli_salt;
struct lli_seats;

#define LLI_NUMERICS 1u /* the arithmetic that makes keys, values and logits (docs/numerics.md) */

enum lli_batching { LLI_BATCHING_STATIC, LLI_BATCHING_CONTINUOUS, LLI_BATCHING_INFLIGHT };

struct lli_engine_options {
    const struct lli_config *config; /* these outlive the engine */
    const struct lli_weights *weights;
    const struct lli_vocab *vocab;
    const struct lli_backend *backend;
    uint64_t fingerprint;    /* of the model, for saved sessions */
    int kv_type;             /* enum lli_kv_type */
    int64_t kv_budget_bytes; /* 0: one session of full length, at most 1/4 of the memory open to the process */
    uint32_t max_sessions;   /* open at once */
    uint32_t max_running;    /* generations in one batch; 0: 64 */
    uint32_t max_waiting;    /* generations beyond these; one more is FULL */
    uint32_t step_tokens;    /* rows of a step; 0: 64 beyond max_running */
    int batching;            /* enum lli_batching */
    double admit_reserve;    /* share of what the running may still need that admission leaves free */
    uint32_t age_steps;      /* steps of waiting that raise a priority by 1; 0: never */
    uint32_t bypass_limit;   /* how often the head may be overtaken while it is blocked */
    int no_prefix_cache, host_driven, kv_prefault;
    int n_threads; /* 0: lli_cpus_usable() */
    struct lli_cpus cpus; /* that workers and the engine thread are pinned to; empty: none is */
    int64_t spin_ns;

    const struct lli_config *draft_config;   /* of a second model with the same vocabulary, which guesses; NULL: none */
    const struct lli_weights *draft_weights; /* both outlive the engine */
    double draft_share;                      /* of the budget, for its keys and values; 0: it does not guess */
    struct lli_cost cost;                    /* of the model, to predict how long steps last; all zero: that is not done */
    const struct lli_rates *rates;           /* by which it is predicted; NULL: as it is learned */
    int64_t step_target_ns; /* prompts lengthen a step that decodes no further than to this; 0: as far as they do */

    const struct lli_division *division; /* the model is dealt out to ranks so; NULL: it is not */
    uint32_t n_here;                     /* ranks that share this machine's memory by the default budget; 0: 1 */
    struct lli_crew *crew; /* the ranks, the weights being those of the first; new takes it, also if it fails. NULL: none */
};

struct lli_engine;

/* What an engine will take, and the numbers that this follows from. Bytes are of the heap, but for the stacks. */
struct lli_engine_size {
    int64_t kv_budget_bytes;
    uint32_t n_blocks, max_running, step_tokens, max_rows, max_logits;
    uint32_t n_groups, windows[LLI_GROUPS_MAX]; /* of layers, as the pool has them */
    uint32_t longest;                           /* timeline in tokens that the pool holds */
    int n_threads;
    size_t text_bytes;                          /* no token decodes to more */
    size_t block_bytes, kv_bytes;               /* a block's, the pool's */
    size_t meta_bytes, plan_bytes;              /* bookkeeping of the pool; of a step */
    size_t scratch_bytes, logits_bytes;         /* of the forward; its part for logits */
    size_t sample_bytes;                        /* of the samplers, one for each worker */
    size_t own_bytes;                           /* the engine itself, and its workers */
    size_t draft_bytes;                         /* of the draft model's part, all in all; 0: none */
    size_t draft_kv_bytes, draft_scratch_bytes; /* of that its pool with the bookkeeping, and its forward's */
    uint32_t draft_groups;                      /* of its layers */
    size_t stack_bytes;
};

/* Settles it. weights may be NULL (then the forward's vectors are left out), vocab and backend too. OPTION with the key as
 * subject if the budget holds no block; LIMIT, MEMORY for what does not fit the address space. */
int32_t lli_engine_size(struct lli_engine_size *out, const struct lli_engine_options *options, struct llminf_error *err);

/* Reserves the pool and all scratch, starts the threads. OPTION with the key as subject if the budget holds no block;
 * NUMERIC for weights; MEMORY; IO for a thread; with a crew it waits until all ranks are ready, or COMM. */
int32_t lli_engine_new(struct lli_engine **out, struct lli_heap *heap, const struct lli_engine_options *options,
                       struct llminf_error *err);

/* After its last timeline: stops and joins the threads. NULL does nothing. Not from the engine thread. */
void lli_engine_free(struct lli_engine *engine);

/* One consistent snapshot. All 0 in a child after fork(). */
void lli_engine_stats(struct lli_engine *engine, struct lli_engine_stats *out);

/* 0, or STATE in a child after fork(), which has none of the threads. */
int32_t lli_engine_check(const struct lli_engine *engine, struct llminf_error *err);

/* Cached blocks become free, oldest first, until their bytes are at most keep_bytes; their memory goes back to the system. */
void lli_engine_trim(struct lli_engine *engine, int64_t keep_bytes);

/* Host-driven only, else STATE. step: runs steps until max_ns are over, at least one; OK, DONE without work, BUSY while
 * another thread is in it. fd: readable while there is work; owned by the engine; IO. */
int32_t lli_engine_step(struct lli_engine *engine, int64_t max_ns, struct llminf_error *err);
int32_t lli_engine_fd(struct lli_engine *engine, int *fd_out, struct llminf_error *err);

/* What stands for a salt in the keys of the prefix index: equal for equal salts and adapters (0 for the empty one without an
 * adapter), and never equal to that of `own`, which is new each time. Under the engine's lock. 0 or MEMORY. */
int32_t lli_engine_salt(uint64_t *extra_out, struct lli_engine *engine, const struct lli_salt *salt);
uint64_t lli_engine_own_extra(struct lli_engine *engine);

/* Sampling is shared by the workers; each has its own scratch. */
struct lli_picker {
    struct lli_chain chain;
    struct lli_buffer text; /* of stop texts */
};

/* What decides, beside tokens, whether two sessions may share blocks. */
struct lli_salt {
    char *text; /* owned by the engine's list */
    size_t len;
    int32_t adapter; /* its id; 0: none */
    double scale;    /* of the adapter */
    uint64_t extra;
};

/* Read outside engine/ only through the functions above. */
struct lli_engine {
    struct lli_heap *heap;
    const struct lli_vocab *vocab;
    const struct lli_config *config;
    pid_t process;
    uint64_t fingerprint;
    int kv_type;
    uint32_t max_length;  /* of a session that does not say */
    uint32_t n_positions; /* that the model knows */
    size_t text_bytes;   /* no token decodes to more */
    uint32_t max_sessions, max_running, max_waiting, step_tokens, age_steps, bypass_limit, watermark;
    int batching, no_prefix_cache, host_driven;
    double admit_reserve;
    int64_t step_target_ns;

    /* of whoever runs the steps: the engine thread, or the host's that is in step() */
    pthread_t thread;
    int cpu; /* that the engine thread runs on; -1: any */
    struct lli_workers workers;
    struct lli_forward *forward; /* the whole model's, or rank 0's part */
    struct lli_crew *crew;       /* of other ranks; NULL: none */
    struct lli_executor executor;
    struct lli_batch batch;      /* the step in the making or in flight */
    struct lli_drafter *drafter; /* NULL: none */
    struct lli_picker *pickers;
    int n_pickers, has_lock, has_thread; /* initialised; started: set once */

    _Atomic uint32_t has_cancels; /* some timeline was cancelled since the last plan */
    _Atomic uint32_t is_stepping; /* a host is in step() */
    pthread_mutex_t lock;         /* guards all below, and of each timeline what its header says */
    pthread_cond_t work;          /* something can be planned, or the engine stops; on the monotonic clock */
    pthread_cond_t landed;        /* a step was committed, or news were told, while somebody waits for that */
    struct lli_calibration calibration;
    struct lli_pool pool;
    struct lli_queue timelines;        /* all */
    struct lli_queue waiting, running; /* in the roster's order */
    struct lli_queue soft;             /* hold blocks and are not running; the one that ran longest ago is first */
    struct lli_queue deadlines;        /* open requests with one; the next is first */
    struct lli_queue news;             /* whose notify is to be called */
    struct lli_seats *seats;           /* of the adapters of open sessions */
    struct lli_salt *salts;
    uint32_t n_salts, cap_salts;
    uint64_t n_extras;            /* given out */
    uint32_t n_pinned;            /* blocks promised to pinned timelines */
    uint32_t n_paused, n_closing; /* n_closing: threads that wait for `landed` */
    uint64_t n_arrived;
    uint32_t n_saving;               /* saves and loads that hold blocks for a while: who lacks them waits */
    struct lli_measuring *measuring; /* steps that are to be timed; NULL: none. The asker's */
    struct llminf_error failure; /* status < 0: nothing can be computed any more */
    int is_stopping;
    int event_fd;                   /* host_driven: readable while there is work; -1: not asked for */
    struct lli_engine_stats totals; /* options in force, counters */
};

#endif
