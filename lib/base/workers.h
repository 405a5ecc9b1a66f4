/* base/workers.h - a fixed set of threads that run one function together and meet at its end.
 *
 * The caller of run is worker 0. Idle workers spin for spin_ns, then sleep. All have every signal blocked, a name, a
 * small stack (256 KiB) and round-to-nearest without FTZ and DAZ. */
#ifndef LLI_BASE_WORKERS_H
#define LLI_BASE_WORKERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/cpus.h"

struct llminf_error;

/* index: 0 .. n - 1. */
typedef void lli_work_fn(void *arg, int index, int n);

struct lli_workers {
    struct lli_heap *heap;
    pthread_t *threads; /* n - 1 */
    void *seats;        /* what each thread starts with; owned */
    void *shares;       /* [n] the pieces that each has before it; owned */
    int n, n_started;
    uint32_t most; /* beside the caller, that share work at the same time */
    int64_t spin_ns;
    pthread_mutex_t lock;
    pthread_cond_t start, end;
    lli_work_fn *work; /* valid while a generation runs */
    void *arg;
    int all;               /* every worker is to come in */
    _Atomic uint64_t gate; /* who may go in and who is inside */
    _Atomic uint32_t n_spinning;
    _Atomic int32_t n_left; /* workers that have not been through yet, where all are to come */
    _Atomic int stopping;
    int ready; /* locks are initialised */
};

/* n threads in all, n - 1 of them new (n >= 1): thread i on the i-th of the CPUs, from the first on again, or on any (NULL, or
 * none). IO with os_error if one does not start, or not there. */
int32_t lli_workers_init(struct lli_workers *w, struct lli_heap *heap, int n, const struct lli_cpus *cpus, int64_t spin_ns,
                         struct llminf_error *err);

/* Bytes of heap and of stacks that n workers take. */
size_t lli_workers_bytes(int n);
size_t lli_workers_stack_bytes(int n);

void lli_workers_finish(struct lli_workers *w); /* joins; accepts a zeroed or half-built struct */

/* Runs work(arg, 0..n-1, n) and returns when all are done. One caller at a time, here and below. */
void lli_workers_run(struct lli_workers *w, lli_work_fn *work, void *arg);

/* A piece of what is to be done, 0 .. n_pieces - 1; index: 0 .. n - 1, of the worker that does it. */
typedef void lli_share_fn(void *arg, size_t piece, int index);

/* Does each piece once (fewer than 2^32), on whatever workers come in time: with more threads than cores nobody waits for one
 * that sleeps. Each begins with a run of its own, in ascending order, and then takes half of what another has left. Returns
 * when all are done. */
void lli_workers_share(struct lli_workers *w, lli_share_fn *piece, void *arg, size_t n_pieces);

/* Starts a thread as the workers are: signals blocked, named (15 bytes), `stack_bytes` of stack. 0 or an errno. */
int lli_workers_thread(pthread_t *out, const char *name, size_t stack_bytes, void *(*run)(void *), void *arg);

#endif
