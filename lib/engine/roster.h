/* engine/roster.h - who is idle, waits, runs or pauses, in which order, and who holds blocks without running.
 *
 *     IDLE --enter--> WAITING --run--> RUNNING --end--> IDLE         WAITING, PAUSED --end--> IDLE
 *                      ^   ^             |  |
 *                      |   +-- preempt --+  +-- pause --> PAUSED --resume--> WAITING
 *
 * One order serves waiting and running: by rank, then by arrival. The rank is priority * age_steps - (the step it arrived at),
 * so that waiting raises a priority by one each age_steps steps, and yet two requests never change places.
 *
 * A timeline that holds blocks and does not run is a soft holder, unless it is pinned: when blocks are short, the one that ran
 * longest ago gives all of its up and is recomputed later, with the same bits. All functions: under the engine's lock. */
#ifndef LLI_ENGINE_ROSTER_H
#define LLI_ENGINE_ROSTER_H

#include <stdint.h>

struct lli_engine;
struct lli_request;
struct lli_timeline;
struct lli_verdict;
struct llminf_error;

/* An idle timeline with a request begins to wait. FULL, and idle as before: over max_waiting beyond max_running; or its
 * footprint would take what pinned timelines have been promised. */
int32_t lli_roster_enter(struct lli_engine *engine, struct lli_timeline *t, struct llminf_error *err);

/* May the timeline come to hold n blocks, beside what pinned ones have been promised? If it is pinned itself, so that the
 * largest request of the others still fits. 0 or FULL. */
int32_t lli_roster_promise(const struct lli_engine *engine, const struct lli_timeline *t, uint32_t n, struct llminf_error *err);

void lli_roster_run(struct lli_engine *engine, struct lli_timeline *t);
void lli_roster_pause(struct lli_engine *engine, struct lli_timeline *t);
void lli_roster_resume(struct lli_engine *engine, struct lli_timeline *t);

/* A beam: to wait in the place of its session's request; until its group goes on; and not any more, without its blocks. */
void lli_roster_await(struct lli_engine *engine, struct lli_timeline *t, const struct lli_request *as);
void lli_roster_park(struct lli_engine *engine, struct lli_timeline *t);
void lli_roster_retire(struct lli_engine *engine, struct lli_timeline *t);

/* Back to waiting, at its old place; all its blocks are given up. It is in no plan. */
void lli_roster_preempt(struct lli_engine *engine, struct lli_timeline *t);

/* Idle again: tells readers; blocks of what is computed are kept. Not in flight. error: valid if status is one. The last
 * three let readers have the whole text: it is over as asked for, stopped from outside, or failed. */
void lli_roster_end(struct lli_engine *engine, struct lli_timeline *t, const struct lli_verdict *verdict, int32_t status,
                    const struct llminf_error *error);
void lli_roster_finish(struct lli_engine *engine, struct lli_timeline *t);
void lli_roster_stop(struct lli_engine *engine, struct lli_timeline *t, int reason);
void lli_roster_fail(struct lli_engine *engine, struct lli_timeline *t, int32_t status, const struct llminf_error *error);

/* Nothing can be computed any more: every open request fails with this error, and so does each that comes. Nothing is in
 * flight. */
void lli_roster_abandon(struct lli_engine *engine, const struct llminf_error *error);

/* Stops what is cancelled or past its deadline and not in flight. */
void lli_roster_stop_due(struct lli_engine *engine);

/* Gives back the blocks behind n_computed positions. Not in flight. */
void lli_roster_cut(struct lli_engine *engine, struct lli_timeline *t, uint32_t n_computed);

/* In or out of the soft holders, after its table or state changed. */
void lli_roster_settle(struct lli_engine *engine, struct lli_timeline *t);

/* The soft holder that ran longest ago gives its blocks up; `spared` does not. 0: there is none. */
int lli_roster_release(struct lli_engine *engine, const struct lli_timeline *spared);

/* Its readers have something new, or it ended: those who asked for it are told behind the lock. */
void lli_roster_announce(struct lli_engine *engine, struct lli_timeline *t);

#endif
