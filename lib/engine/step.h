/* engine/step.h - the phases of a step behind PLAN: run and sample without a lock, commit under the engine's. */
#ifndef LLI_ENGINE_STEP_H
#define LLI_ENGINE_STEP_H

struct lli_engine;

/* RUN and SAMPLE of the planned batch. Changes nothing that others see. */
void lli_step_run(struct lli_engine *engine);

/* COMMIT: keeps or rolls back, ride by ride; releases tokens to readers and ends what is over. Under the engine's lock. */
void lli_step_commit(struct lli_engine *engine);

#endif
