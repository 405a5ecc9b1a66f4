/* engine/drafter.h - guesses by a second, smaller model of the same vocabulary (Leviathan et al. 2023, Chen et al. 2023), which
 * a step then verifies as it does those of engine/draft.h.
 *
 * It has a forward and a pool of its own, with the prefix rules of kv/; a timeline that it guesses for has a second table over
 * that pool, only while it runs. It draws by the session's own sampler, seed and position, so that it agrees as often as it
 * can. Its part of a step:
 *
 *     PLAN, lock      begin: how many guesses in a row are worth their time; board: who gets them, blocks are taken
 *     RUN, no lock    run: reads what is new of each timeline, then guesses, one pass for each guess of all
 *     COMMIT, lock    commit: keeps what it read and guessed right
 *
 * Whatever goes wrong here - no block, NaN, nothing to draw from - means fewer guesses, never a failure. */
#ifndef LLI_ENGINE_DRAFTER_H
#define LLI_ENGINE_DRAFTER_H

#include <stdint.h>

#include "engine/plan.h"
#include "kv/pool.h"

struct llminf_error;
struct lli_engine;
struct lli_engine_options;
struct lli_forward;
struct lli_timeline;

/* Time of a pass as a line over its rows: sums with a short memory, for least squares. */
struct lli_pace {
    double n, rows, ns, rows_rows, rows_ns;
};

struct lli_drafter {
    struct lli_heap *heap;
    int64_t block_bytes;
    uint32_t n_positions; /* that its model knows, and its pool holds */

    /* of whoever runs the steps */
    struct lli_forward *forward;
    struct lli_batch batch;    /* its passes; a ride's n_drafts are guesses that it may make, n_picked those that it made */
    uint32_t *riders;          /* [max_seqs] whose sequence it is in the pass */
    struct lli_pace step, own; /* of the engine's steps, without guessing; of a pass of this model */
    int is_worth;              /* guesses were worth their time for the last step, or were not: */
    uint32_t n_alike;          /* for so many in a row */

    /* the engine's lock */
    struct lli_pool pool;
    float accepted; /* running share of right guesses, of all: where a generation begins */
};

/* Bytes of the budget that are its own; 0: there is no draft model. */
int64_t lli_drafter_share(const struct lli_engine_options *options, int64_t budget);

/* What it will take, as lli_drafter_new finds it: the pool with its bookkeeping, and all of the heap. Nothing without a share.
 * OPTION with "draft_share"; MEMORY. */
struct lli_engine_size;
int32_t lli_drafter_size(struct lli_engine_size *out, const struct lli_engine_options *options, struct llminf_error *err);

/* For an engine whose batch and workers are ready. NULL without a share. OPTION with "draft_share" if that holds no block;
 * NUMERIC for weights; MEMORY. */
int32_t lli_drafter_new(struct lli_drafter **out, struct lli_engine *engine, const struct lli_engine_options *options,
                        struct llminf_error *err);
void lli_drafter_free(struct lli_drafter *drafter); /* NULL does nothing */

/* A generation is asked for: reserve on the host's thread, start under the lock. MEMORY. */
int32_t lli_drafter_reserve(struct lli_timeline *t, uint32_t n_max);
void lli_drafter_start(struct lli_timeline *t);

/* PLAN: how many guesses in a row a decode of this batch may get, `room` at most for all; 0: none. */
uint32_t lli_drafter_begin(struct lli_engine *engine, uint32_t room);

/* PLAN: guesses for a decode, `n` at most, or as far as it gets with reading. How many may come. */
uint32_t lli_drafter_board(struct lli_engine *engine, struct lli_timeline *t, uint32_t n);

/* RUN: adds the guesses to the engine's batch. */
void lli_drafter_run(struct lli_engine *engine);

/* RUN: what the step took without guessing. */
void lli_drafter_time(struct lli_engine *engine);

/* COMMIT: `ride` is the timeline's in the engine's batch, sampled. Before its tokens count. */
void lli_drafter_commit(struct lli_engine *engine, struct lli_timeline *t, const struct lli_ride *ride);

/* The timeline no longer runs: its blocks are cached for when it goes on. Under the lock, not in flight. */
void lli_drafter_release(struct lli_timeline *t);

#endif
