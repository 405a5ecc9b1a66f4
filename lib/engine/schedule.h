/* engine/schedule.h - the plan of a step: who gets rows, who gets blocks, who must give them up.
 *
 * Scheduling changes time, never output. Running decodes come first, then chunks of prompts, then who waits, in the roster's
 * order, under the token budget of a step. A request is admitted when its next rows fit what is free and cached, less what
 * admission keeps for those that run (admit_reserve); it may later be preempted: its blocks stay cached and only what was
 * recycled meanwhile is computed again. The first in order is never preempted and its footprint was checked, so that it ends.
 *
 * The modes are for measuring: `static` admits when nothing runs, and reserves whole footprints; `continuous` (iteration level:
 * Orca, Yu et al. 2022) admits at each step, which holds prompts or decodes; `inflight` mixes both in a step (chunked prefill:
 * Sarathi-Serve, Agrawal et al. 2024). All functions: under the engine's lock. */
#ifndef LLI_ENGINE_SCHEDULE_H
#define LLI_ENGINE_SCHEDULE_H

struct lli_engine;

/* PLAN: stops what is due, fills the batch and reserves its blocks. 0: there is nothing to run. */
int lli_schedule_plan(struct lli_engine *engine);

#endif
