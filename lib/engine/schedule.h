/* engine/schedule.h - who runs, who waits, and who holds blocks.
 *
 * A request is admitted, in the order of arrival, when the footprints of all that run fit the pool with its own. So a running
 * one always gets its blocks: what is short is held softly, by timelines that do not run, and the one that ran longest ago
 * gives its blocks up and is recomputed later, with the same bits. All functions: under the engine's lock. */
#ifndef LLI_ENGINE_SCHEDULE_H
#define LLI_ENGINE_SCHEDULE_H

#include <stdint.h>

struct lli_engine;
struct lli_timeline;
struct lli_verdict;
struct llminf_error;

/* An idle timeline with a request begins to wait, or to run if it fits at once. FULL over max_waiting: idle as before. */
int32_t lli_schedule_enter(struct lli_engine *engine, struct lli_timeline *t);

/* PLAN: finishes what is cancelled, admits, fills the batch and reserves its blocks. 0: there is nothing to run. */
int lli_schedule_plan(struct lli_engine *engine);

/* Idle again: tells readers, and keeps the blocks of what is computed, softly. Not in flight. error: valid if status is one.
 * The last three let readers have the whole text: it is over as asked for, cancelled, or failed. */
void lli_schedule_end(struct lli_engine *engine, struct lli_timeline *t, const struct lli_verdict *verdict, int32_t status,
                      const struct llminf_error *error);
void lli_schedule_finish(struct lli_engine *engine, struct lli_timeline *t);
void lli_schedule_cancel(struct lli_engine *engine, struct lli_timeline *t);
void lli_schedule_fail(struct lli_engine *engine, struct lli_timeline *t, int32_t status, const struct llminf_error *error);

/* Gives back the blocks behind n_computed positions. Not in flight. */
void lli_schedule_cut(struct lli_engine *engine, struct lli_timeline *t, uint32_t n_computed);

#endif
