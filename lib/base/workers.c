/* base/workers.c - work goes by generations: the caller writes what is to be done, then raises the counter that all idle
 * workers look at; each takes itself from n_running when it is done, and the last one wakes the caller. The order of memory
 * hangs on these two atomics; the lock is for sleeping only. */
#include "base/workers.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cpus.h"
#include "base/error.h"
#include "base/fenv.h"

enum { STACK_BYTES = 256 << 10, SPINS_PER_LOOK = 64 };

struct seat {
    struct lli_workers *workers;
    int index;
};

int lli_workers_thread(pthread_t *out, const char *name, size_t stack_bytes, void *(*run)(void *), void *arg)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    char short_name[16];
    size_t n = strlen(name) < 15 ? strlen(name) : 15;
    int code = pthread_attr_init(&attributes);
    if (code != 0)
        return code;
    if (stack_bytes < (size_t)PTHREAD_STACK_MIN)
        stack_bytes = (size_t)PTHREAD_STACK_MIN;
    code = pthread_attr_setstacksize(&attributes, stack_bytes);
    if (code == 0) {
        sigfillset(&all); /* the new thread inherits the mask: the host's signals stay the host's */
        pthread_sigmask(SIG_SETMASK, &all, &before);
        code = pthread_create(out, &attributes, run, arg);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attributes);
    if (code == 0) {
        memcpy(short_name, name, n);
        short_name[n] = 0;
        pthread_setname_np(*out, short_name);
    }
    return code;
}

/* Tells the core that this is a spin. */
#if defined(__x86_64__) || defined(__i386__)
static void relax(void)
{
    __builtin_ia32_pause();
}
#elif defined(__aarch64__)
static void relax(void)
{
    __asm__ volatile("yield");
}
#else
static void relax(void)
{
}
#endif

/* Spins until the generation is no longer `seen` or the time is over. */
static void spin(const struct lli_workers *w, uint32_t seen)
{
    int64_t end = w->spin_ns > 0 ? lli_clock_ns() + w->spin_ns : 0;
    while (w->spin_ns > 0 && lli_clock_ns() < end)
        for (int i = 0; i < SPINS_PER_LOOK; i++) {
            if (atomic_load_explicit(&w->generation, memory_order_acquire) != seen)
                return;
            relax();
        }
}

/* The next generation; sleeps if spinning was not enough. */
static uint32_t await_start(struct lli_workers *w, uint32_t seen)
{
    uint32_t now;
    spin(w, seen);
    now = atomic_load_explicit(&w->generation, memory_order_acquire);
    if (now != seen)
        return now;
    pthread_mutex_lock(&w->lock);
    while ((now = atomic_load_explicit(&w->generation, memory_order_acquire)) == seen)
        pthread_cond_wait(&w->start, &w->lock);
    pthread_mutex_unlock(&w->lock);
    return now;
}

static void leave_generation(struct lli_workers *w)
{
    if (atomic_fetch_sub_explicit(&w->n_running, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_lock(&w->lock);
    pthread_cond_signal(&w->end);
    pthread_mutex_unlock(&w->lock);
}

static void *run_worker(void *arg)
{
    const struct seat *seat = arg;
    struct lli_workers *w = seat->workers;
    uint32_t seen = 0;
    lli_fenv_enter();
    for (;;) {
        seen = await_start(w, seen);
        if (atomic_load_explicit(&w->stopping, memory_order_acquire))
            return NULL;
        w->work(w->arg, seat->index, w->n);
        leave_generation(w);
    }
}

static int init_locks(struct lli_workers *w)
{
    int code = pthread_mutex_init(&w->lock, NULL);
    if (code != 0)
        return code;
    code = pthread_cond_init(&w->start, NULL);
    if (code == 0 && (code = pthread_cond_init(&w->end, NULL)) != 0)
        pthread_cond_destroy(&w->start);
    if (code != 0)
        pthread_mutex_destroy(&w->lock);
    w->ready = code == 0;
    return code;
}

int32_t lli_workers_init(struct lli_workers *w, struct lli_heap *heap, int n, int64_t spin_ns, struct llminf_error *err)
{
    struct seat *seats;
    int code;
    memset(w, 0, sizeof *w);
    w->heap = heap;
    w->n = n;
    w->spin_ns = n > 1 && n <= lli_cpus_usable() ? spin_ns : 0; /* who spins on a shared CPU delays whom he waits for */
    code = init_locks(w);
    if (code != 0)
        return lli_fail_os(err, code, "threads", "cannot make a lock");
    w->threads = lli_alloc_array(heap, (size_t)n, sizeof *w->threads);
    w->seats = seats = lli_alloc_array(heap, (size_t)n, sizeof *seats);
    if (w->threads == NULL || seats == NULL) {
        lli_workers_finish(w);
        return lli_fail_memory(err, "threads", (size_t)n * (sizeof *w->threads + sizeof *seats));
    }
    for (int i = 1; i < n; i++) {
        seats[i].workers = w;
        seats[i].index = i;
        code = lli_workers_thread(&w->threads[i], "llminf-worker", STACK_BYTES, run_worker, &seats[i]);
        if (code != 0) {
            lli_workers_finish(w);
            return lli_fail_os(err, code, "threads", "cannot start worker %d of %d", i, n);
        }
        w->n_started = i;
    }
    return LLMINF_OK;
}

/* Everything that a worker reads is written before the generation moves. */
static void start_generation(struct lli_workers *w)
{
    pthread_mutex_lock(&w->lock);
    atomic_fetch_add_explicit(&w->generation, 1, memory_order_release);
    pthread_cond_broadcast(&w->start);
    pthread_mutex_unlock(&w->lock);
}

void lli_workers_finish(struct lli_workers *w)
{
    if (w->ready) {
        atomic_store_explicit(&w->stopping, 1, memory_order_release);
        start_generation(w);
        for (int i = 1; i <= w->n_started; i++)
            pthread_join(w->threads[i], NULL);
        pthread_cond_destroy(&w->start);
        pthread_cond_destroy(&w->end);
        pthread_mutex_destroy(&w->lock);
    }
    if (w->heap != NULL) {
        lli_free(w->heap, w->threads);
        lli_free(w->heap, w->seats);
    }
    memset(w, 0, sizeof *w);
}

void lli_workers_run(struct lli_workers *w, lli_work_fn *work, void *arg)
{
    if (w->n == 1) {
        work(arg, 0, 1);
        return;
    }
    w->work = work;
    w->arg = arg;
    atomic_store_explicit(&w->n_running, w->n - 1, memory_order_relaxed);
    start_generation(w);
    work(arg, 0, w->n);
    for (int64_t end = lli_clock_ns() + w->spin_ns; lli_clock_ns() < end; relax())
        if (atomic_load_explicit(&w->n_running, memory_order_acquire) == 0)
            return;
    pthread_mutex_lock(&w->lock);
    while (atomic_load_explicit(&w->n_running, memory_order_acquire) != 0)
        pthread_cond_wait(&w->end, &w->lock);
    pthread_mutex_unlock(&w->lock);
}
