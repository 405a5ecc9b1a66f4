/* engine/thread.h - who runs the steps: the engine thread, which plans, runs and commits while there is work and sleeps while
 * there is none; or, host-driven, the host's thread. */
#ifndef LLI_ENGINE_THREAD_H
#define LLI_ENGINE_THREAD_H

#include <stdint.h>

struct lli_engine;
struct llminf_error;

#define LLI_THREAD_STACK_BYTES (256u << 10)

int32_t lli_thread_start(struct lli_engine *engine, struct llminf_error *err); /* IO */

/* There may be work. Under the engine's lock. */
void lli_thread_wake(struct lli_engine *engine);

/* Ends and joins it; accepts an engine whose thread was not started. Not under the lock, not on the thread itself. */
void lli_thread_stop(struct lli_engine *engine);

#endif
