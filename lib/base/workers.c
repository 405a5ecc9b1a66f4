/* base/workers.c - work goes by generations: the caller writes what is to be done and opens the gate with the next number;
 * a worker that finds it open goes in, and takes itself out when it has done its part. The order of memory hangs on the
 * gate; the lock is for sleeping only.
 *
 *     gate: generation << 32 | OPEN | ALL | workers inside
 *
 * With more threads than CPUs only as many are let in and woken as there are CPUs. */
#include "base/workers.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cpus.h"
#include "base/error.h"
#include "base/fenv.h"
#include "base/patience.h"

enum { STACK_BYTES = 256 << 10, SPINS_PER_LOOK = 64 };

#define OPEN (UINT64_C(1) << 31)
#define ALL (UINT64_C(1) << 30) /* every worker is to come in */

static uint32_t generation_of(uint64_t gate)
{
    return (uint32_t)(gate >> 32);
}

static uint32_t inside(uint64_t gate)
{
    return (uint32_t)(gate & (ALL - 1));
}

struct seat {
    struct lli_workers *workers;
    int index;
};

/* A worker's run of pieces: first << 32 | last. A line of its own, and the one that is fetched with it. */
struct share {
    _Alignas(128) _Atomic uint64_t run;
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

/* A generation after `seen` is there. */
static int has_come(struct lli_workers *w, uint32_t seen)
{
    return generation_of(atomic_load_explicit(&w->gate, memory_order_acquire)) != seen;
}

static void spin(struct lli_workers *w, uint32_t seen)
{
    int64_t end = lli_clock_ns() + w->spin_ns;
    atomic_fetch_add_explicit(&w->n_spinning, 1, memory_order_relaxed);
    while (!has_come(w, seen) && lli_clock_ns() < end)
        for (int i = 0; i < SPINS_PER_LOOK && !has_come(w, seen); i++)
            lli_relax();
    atomic_fetch_sub_explicit(&w->n_spinning, 1, memory_order_relaxed);
}

/* Waits for the next generation; sleeps if spinning was not enough. With more threads than CPUs who was not inside does not
 * spin: no more spin than are let in, so they take no CPU from each other. */
static void await_start(struct lli_workers *w, uint32_t seen, int was_inside)
{
    if (w->spin_ns > 0 && (was_inside || w->most + 1 == (uint32_t)w->n))
        spin(w, seen);
    if (has_come(w, seen))
        return;
    pthread_mutex_lock(&w->lock);
    while (!has_come(w, seen))
        pthread_cond_wait(&w->start, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

/* The generation that this worker went into, or that was closed or full when it came. */
static uint32_t enter(struct lli_workers *w, int *is_inside)
{
    uint64_t gate = atomic_load_explicit(&w->gate, memory_order_acquire);
    do
        *is_inside = (gate & OPEN) != 0 && ((gate & ALL) != 0 || inside(gate) < w->most);
    while (*is_inside &&
           !atomic_compare_exchange_weak_explicit(&w->gate, &gate, gate + 1, memory_order_acquire, memory_order_acquire));
    return generation_of(gate);
}

/* The last one that the caller may wait for wakes it. */
static void leave(struct lli_workers *w)
{
    int all = w->all, is_last;
    uint64_t gate = atomic_fetch_sub_explicit(&w->gate, 1, memory_order_acq_rel);
    if (all)
        is_last = atomic_fetch_sub_explicit(&w->n_left, 1, memory_order_acq_rel) == 1;
    else
        is_last = !(gate & OPEN) && inside(gate) == 1;
    if (!is_last)
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
    int is_inside = 1;
    lli_fenv_enter();
    for (;;) {
        await_start(w, seen, is_inside);
        seen = enter(w, &is_inside);
        if (atomic_load_explicit(&w->stopping, memory_order_acquire))
            return NULL;
        if (is_inside) {
            w->work(w->arg, seat->index, w->n);
            leave(w);
        }
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

/* cpu: -1: any. */
static int32_t start_worker(struct lli_workers *w, struct seat *seat, int cpu, struct llminf_error *err)
{
    pthread_t *thread = &w->threads[seat->index];
    int code = lli_workers_thread(thread, "llminf-worker", STACK_BYTES, run_worker, seat);
    if (code != 0)
        return lli_fail_os(err, code, "threads", "cannot start worker %d of %d", seat->index, w->n);
    w->n_started = seat->index;
    code = cpu >= 0 ? lli_cpus_pin(*thread, cpu) : 0;
    return code == 0 ? LLMINF_OK : lli_fail_os(err, code, "cpus", "cannot pin worker %d to CPU %d", seat->index, cpu);
}

int32_t lli_workers_init(struct lli_workers *w, struct lli_heap *heap, int n, const struct lli_cpus *cpus, int64_t spin_ns,
                         struct llminf_error *err)
{
    struct seat *seats;
    int code;
    memset(w, 0, sizeof *w);
    w->heap = heap;
    w->n = n;
    int n_cpus = lli_cpus_usable(), n_pinned = cpus ? lli_cpus_count(cpus) : 0;
    if (n_pinned > 0 && n_pinned < n_cpus)
        n_cpus = n_pinned;
    w->most = (uint32_t)(n <= n_cpus ? n : n_cpus) - 1;
    w->spin_ns = w->most > 0 ? spin_ns : 0; /* who spins on the only CPU delays whom he waits for */
    code = init_locks(w);
    if (code != 0)
        return lli_fail_os(err, code, "threads", "cannot make a lock");
    w->threads = lli_alloc_array(heap, (size_t)n, sizeof *w->threads);
    w->seats = seats = lli_alloc_array(heap, (size_t)n, sizeof *seats);
    w->shares = lli_alloc_aligned(heap, (size_t)n * sizeof(struct share), _Alignof(struct share));
    if (w->threads == NULL || seats == NULL || w->shares == NULL) {
        lli_workers_finish(w);
        return lli_fail_memory(err, "threads", lli_workers_bytes(n));
    }
    for (int i = 1; i < n; i++) {
        seats[i].workers = w;
        seats[i].index = i;
        int32_t status = start_worker(w, &seats[i], n_pinned > 0 ? lli_cpus_at(cpus, i % n_pinned) : -1, err);
        if (status != LLMINF_OK) {
            lli_workers_finish(w);
            return status;
        }
    }
    return LLMINF_OK;
}

size_t lli_workers_bytes(int n)
{
    return (size_t)n * (sizeof(pthread_t) + sizeof(struct seat) + sizeof(struct share));
}

size_t lli_workers_stack_bytes(int n)
{
    return (size_t)(n - 1) * STACK_BYTES;
}

/* Everything that a worker reads is written before the gate opens. Those that spin need no waking: one that gives up looks at
 * the gate once more under the lock. */
static void open_gate(struct lli_workers *w, int all)
{
    uint32_t next = generation_of(atomic_load_explicit(&w->gate, memory_order_relaxed)) + 1;
    pthread_mutex_lock(&w->lock);
    atomic_store_explicit(&w->gate, (uint64_t)next << 32 | OPEN | (all ? ALL : 0), memory_order_release);
    if (all || w->most + 1 == (uint32_t)w->n)
        pthread_cond_broadcast(&w->start);
    else
        for (uint32_t i = atomic_load_explicit(&w->n_spinning, memory_order_relaxed); i < w->most; i++)
            pthread_cond_signal(&w->start);
    pthread_mutex_unlock(&w->lock);
}

void lli_workers_finish(struct lli_workers *w)
{
    if (w->ready) {
        atomic_store_explicit(&w->stopping, 1, memory_order_release);
        open_gate(w, 1);
        for (int i = 1; i <= w->n_started; i++)
            pthread_join(w->threads[i], NULL);
        pthread_cond_destroy(&w->start);
        pthread_cond_destroy(&w->end);
        pthread_mutex_destroy(&w->lock);
    }
    if (w->heap != NULL) {
        lli_free(w->heap, w->threads);
        lli_free(w->heap, w->seats);
        lli_free(w->heap, w->shares);
    }
    memset(w, 0, sizeof *w);
}

static int is_over(struct lli_workers *w)
{
    if (w->all)
        return atomic_load_explicit(&w->n_left, memory_order_acquire) == 0;
    return inside(atomic_load_explicit(&w->gate, memory_order_acquire)) == 0;
}

static void run(struct lli_workers *w, lli_work_fn *work, void *arg, int all)
{
    w->work = work;
    w->arg = arg;
    w->all = all;
    atomic_store_explicit(&w->n_left, w->n - 1, memory_order_relaxed);
    open_gate(w, all);
    work(arg, 0, w->n);
    if (!all)
        atomic_fetch_and_explicit(&w->gate, ~OPEN, memory_order_acq_rel);
    for (int64_t end = lli_clock_ns() + w->spin_ns; !is_over(w) && lli_clock_ns() < end;)
        lli_relax();
    if (!is_over(w)) {
        pthread_mutex_lock(&w->lock);
        while (!is_over(w))
            pthread_cond_wait(&w->end, &w->lock);
        pthread_mutex_unlock(&w->lock);
    }
    if (all)
        atomic_fetch_and_explicit(&w->gate, ~OPEN, memory_order_acq_rel);
}

void lli_workers_run(struct lli_workers *w, lli_work_fn *work, void *arg)
{
    if (w->n == 1)
        work(arg, 0, 1);
    else
        run(w, work, arg, 1);
}

struct sharing {
    lli_share_fn *piece;
    void *arg;
    struct share *shares;
};

static uint64_t run_of(uint64_t first, uint64_t last)
{
    return first << 32 | last;
}

static uint32_t first_of(uint64_t run)
{
    return (uint32_t)(run >> 32);
}

static uint32_t length_of(uint64_t run)
{
    return (uint32_t)run - first_of(run);
}

/* The first piece of a worker's own run. 0: it has none left. */
static int take_first(uint32_t *out, struct share *own)
{
    uint64_t run = atomic_load_explicit(&own->run, memory_order_relaxed);
    do
        if (length_of(run) == 0)
            return 0;
    while (!atomic_compare_exchange_weak_explicit(&own->run, &run, run + run_of(1, 0), memory_order_relaxed,
                                                  memory_order_relaxed));
    *out = first_of(run);
    return 1;
}

/* The second half of another's run, which becomes this worker's own. A run that is the same as before has the same pieces to
 * do, so it does no harm if it was away meanwhile. */
static int take_half(struct share *shares, int index, int n)
{
    for (int i = 1; i < n; i++) {
        struct share *other = &shares[(index + i) % n];
        uint64_t run = atomic_load_explicit(&other->run, memory_order_relaxed), middle;
        while (length_of(run) > 0) {
            middle = first_of(run) + length_of(run) / 2;
            if (atomic_compare_exchange_weak_explicit(&other->run, &run, run_of(first_of(run), middle), memory_order_relaxed,
                                                      memory_order_relaxed)) {
                atomic_store_explicit(&shares[index].run, run_of(middle, (uint32_t)run), memory_order_relaxed);
                return 1;
            }
        }
    }
    return 0;
}

static void take_pieces(void *arg, int index, int n)
{
    const struct sharing *s = arg;
    uint32_t piece;
    do
        while (take_first(&piece, &s->shares[index]))
            s->piece(s->arg, piece, index);
    while (take_half(s->shares, index, n));
}

void lli_workers_share(struct lli_workers *w, lli_share_fn *piece, void *arg, size_t n_pieces)
{
    struct sharing sharing = {.piece = piece, .arg = arg, .shares = w->shares};
    uint64_t n = (uint64_t)w->n;
    if (n_pieces <= 1 || w->most == 0) {
        for (size_t i = 0; i < n_pieces; i++)
            piece(arg, i, 0);
        return;
    }
    for (uint64_t i = 0; i < n; i++)
        atomic_store_explicit(&sharing.shares[i].run, run_of(i * n_pieces / n, (i + 1) * n_pieces / n), memory_order_relaxed);
    run(w, take_pieces, &sharing, 0);
}
