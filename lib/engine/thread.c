/* engine/thread.c - Invariant: the lock is held but for RUN, SAMPLE and sleep. If a request is open there is something to
 * plan, so the sleep needs no time limit. */
#include "engine/thread.h"

#include "base/error.h"
#include "base/fenv.h"
#include "engine/engine.h"
#include "engine/schedule.h"
#include "engine/step.h"

#define STACK_BYTES (256u << 10)

static void *serve(void *arg)
{
    struct lli_engine *engine = arg;
    lli_fenv_enter();
    pthread_mutex_lock(&engine->lock);
    while (!engine->is_stopping) {
        if (!lli_schedule_plan(engine)) {
            pthread_cond_wait(&engine->work, &engine->lock);
            continue;
        }
        pthread_mutex_unlock(&engine->lock);
        lli_step_run(engine);
        pthread_mutex_lock(&engine->lock);
        lli_step_commit(engine);
    }
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}

int32_t lli_thread_start(struct lli_engine *engine, struct llminf_error *err)
{
    int failed = lli_workers_thread(&engine->thread, "llminf-engine", STACK_BYTES, serve, engine);
    if (failed)
        return lli_fail_os(err, failed, "context", "the engine thread did not start");
    engine->has_thread = 1;
    return LLMINF_OK;
}

void lli_thread_wake(struct lli_engine *engine)
{
    pthread_cond_signal(&engine->work);
}

void lli_thread_stop(struct lli_engine *engine)
{
    if (!engine->has_thread)
        return;
    pthread_mutex_lock(&engine->lock);
    engine->is_stopping = 1;
    lli_thread_wake(engine);
    pthread_mutex_unlock(&engine->lock);
    pthread_join(engine->thread, NULL);
    engine->has_thread = 0;
}
