/* engine/thread.c - Invariant: the lock is held but for RUN, SAMPLE, WAKE's calls and sleep.
 *
 * What can be planned is planned, so a sleep ends by a signal, or when a deadline passes. Cancel does not signal, as it must
 * be allowed in a signal handler: while a request is open that no step serves, the sleep is short. */
#include "engine/thread.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fenv.h"
#include "engine/engine.h"
#include "engine/measure.h"
#include "engine/schedule.h"
#include "engine/step.h"
#include "engine/timeline.h"

#define SHORT_SLEEP_NS 20000000

/* ---- a step ------------------------------------------------------------------------------------------------------ */

/* WAKE: those who asked to be called. How many; meanwhile anything may have happened. */
static int tell_news(struct lli_engine *engine)
{
    struct lli_timeline *t;
    int n = 0;
    for (; (t = engine->news.first); n++) {
        lli_notify_fn *notify = t->notify;
        void *user = t->notify_user;
        lli_queue_remove(&engine->news, t);
        t->has_news = 0;
        t->is_told = 1;
        pthread_mutex_unlock(&engine->lock);
        notify(user);
        pthread_mutex_lock(&engine->lock);
        t->is_told = 0;
        if (engine->n_closing > 0)
            pthread_cond_broadcast(&engine->landed);
    }
    return n;
}

/* Under the lock. 0: there was nothing to run and nobody to tell. */
static int step(struct lli_engine *engine)
{
    int measured = lli_measure_serve(engine), planned = lli_schedule_plan(engine);
    if (planned) {
        pthread_mutex_unlock(&engine->lock);
        lli_step_run(engine);
        pthread_mutex_lock(&engine->lock);
        lli_step_commit(engine);
    }
    return tell_news(engine) > 0 || planned || measured;
}

/* ---- the engine thread ------------------------------------------------------------------------------------------- */

static void rest(struct lli_engine *engine)
{
    int64_t until = INT64_MAX;
    if (engine->n_paused + engine->waiting.n + engine->running.n > 0)
        until = lli_clock_ns() + SHORT_SLEEP_NS;
    if (engine->deadlines.first && engine->deadlines.first->request.deadline_ns < until)
        until = engine->deadlines.first->request.deadline_ns;
    lli_clock_cond_wait(&engine->work, &engine->lock, until);
}

static void *serve(void *arg)
{
    struct lli_engine *engine = arg;
    lli_fenv_enter();
    pthread_mutex_lock(&engine->lock);
    while (!engine->is_stopping)
        if (!step(engine) && !engine->is_stopping)
            rest(engine);
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}

int32_t lli_thread_start(struct lli_engine *engine, struct llminf_error *err)
{
    int failed = lli_workers_thread(&engine->thread, "llminf-engine", LLI_THREAD_STACK_BYTES, serve, engine);
    if (failed)
        return lli_fail_os(err, failed, "context", "the engine thread did not start");
    engine->has_thread = 1;
    failed = engine->cpu >= 0 ? lli_cpus_pin(engine->thread, engine->cpu) : 0;
    return failed ? lli_fail_os(err, failed, "cpus", "cannot pin the engine thread to CPU %d", engine->cpu) : LLMINF_OK;
}

/* The counter of an eventfd is at most 1 here; nothing of this can fail or block. */
static void set_event(struct lli_engine *engine)
{
    uint64_t one = 1;
    if (engine->event_fd < 0)
        return;
    ssize_t n = write(engine->event_fd, &one, sizeof one);
    (void)n;
}

static void clear_event(struct lli_engine *engine)
{
    uint64_t count;
    if (engine->event_fd < 0)
        return;
    ssize_t n = read(engine->event_fd, &count, sizeof count);
    (void)n;
}

void lli_thread_wake(struct lli_engine *engine)
{
    pthread_cond_signal(&engine->work);
    set_event(engine);
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

/* ---- driven by the host ------------------------------------------------------------------------------------------ */

static int32_t check_driver(const struct lli_engine *engine, struct llminf_error *err)
{
    int32_t status = lli_engine_check(engine, err);
    if (status == LLMINF_OK && !engine->host_driven)
        status = lli_fail(err, LLMINF_E_STATE, "host_driven", "is 0: the context has a thread of its own");
    return status;
}

int32_t lli_engine_step(struct lli_engine *engine, int64_t max_ns, struct llminf_error *err)
{
    uint32_t nobody = 0;
    int n_steps = 0, planned;
    int32_t status = check_driver(engine, err);
    if (status != LLMINF_OK)
        return status;
    if (!atomic_compare_exchange_strong(&engine->is_stepping, &nobody, 1))
        return lli_fail(err, LLMINF_E_BUSY, "context", "another thread runs its steps");
    uint64_t state = lli_fenv_enter();
    int64_t start = lli_clock_ns();
    pthread_mutex_lock(&engine->lock);
    do {
        planned = step(engine);
        n_steps += planned;
    } while (planned && lli_clock_ns() - start < max_ns);
    if (!planned)
        clear_event(engine);
    pthread_mutex_unlock(&engine->lock);
    lli_fenv_leave(state);
    atomic_store(&engine->is_stepping, 0);
    return n_steps > 0 ? LLMINF_OK : LLMINF_DONE;
}

int32_t lli_engine_fd(struct lli_engine *engine, int *fd_out, struct llminf_error *err)
{
    int32_t status = check_driver(engine, err);
    if (status != LLMINF_OK)
        return status;
    pthread_mutex_lock(&engine->lock);
    if (engine->event_fd < 0)
        engine->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (engine->event_fd < 0)
        status = lli_fail_os(err, errno, "context", "no descriptor for events");
    else if (engine->waiting.n + engine->running.n > 0)
        set_event(engine);
    *fd_out = engine->event_fd;
    pthread_mutex_unlock(&engine->lock);
    return status;
}
