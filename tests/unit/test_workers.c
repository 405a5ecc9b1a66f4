/* Threads that run one function together. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpus.h"
#include "base/workers.h"
#include "llminf/status.h"
#include "support/support.h"

enum { MOST = 8 };

struct tally {
    int calls[MOST]; /* each written by its worker alone */
    int n, n_signals_open;
    _Atomic int total;
};

static void count_call(void *arg, int index, int n)
{
    struct tally *t = arg;
    sigset_t mask;
    t->calls[index]++;
    atomic_fetch_add(&t->total, 1);
    if (index == 0)
        t->n = n;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    if (index > 0 && !sigismember(&mask, SIGTERM))
        t->n_signals_open = 1;
}

static void run_many(int n, int64_t spin_ns, int n_runs)
{
    struct lli_heap heap;
    struct lli_workers workers;
    struct tally tally = {0};
    lli_heap_init(&heap, NULL, NULL, NULL);
    assert_int_equal(lli_workers_init(&workers, &heap, n, NULL, spin_ns, NULL), LLMINF_OK);
    for (int i = 1; i <= n_runs; i++) {
        lli_workers_run(&workers, count_call, &tally);
        assert_int_equal(tally.total, i * n); /* all are done when run returns */
    }
    for (int i = 0; i < n; i++)
        assert_int_equal(tally.calls[i], n_runs);
    assert_int_equal(tally.n, n_runs > 0 ? n : 0);
    assert_int_equal(tally.n_signals_open, 0);
    lli_workers_finish(&workers);
    assert_int_equal(heap.live_bytes, 0);
}

static void test_all_run(void **state)
{
    (void)state;
    run_many(1, 20000, 10);
    run_many(2, 20000, 5000);
    run_many(3, 0, 2000);
    run_many(8, 20000, 1000);
}

struct pieces {
    _Atomic int done[64];
    _Atomic int n_wrong; /* workers that there are not */
    int n;
};

static void do_piece(void *arg, size_t piece, int index)
{
    struct pieces *p = arg;
    atomic_fetch_add_explicit(&p->done[piece], 1, memory_order_relaxed);
    if (index < 0 || index >= p->n)
        atomic_fetch_add(&p->n_wrong, 1);
}

/* Every piece once in each call, whoever comes; also between calls for all. */
static void test_pieces(void **state)
{
    static const int threads[] = {1, 2, 3, 8};
    (void)state;
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        struct lli_heap heap;
        struct lli_workers workers;
        struct pieces pieces = {.n = threads[t]};
        struct tally tally = {0};
        lli_heap_init(&heap, NULL, NULL, NULL);
        assert_int_equal(lli_workers_init(&workers, &heap, threads[t], NULL, t % 2 ? 20000 : 0, NULL), LLMINF_OK);
        for (int i = 1; i <= 1000; i++) {
            lli_workers_share(&workers, do_piece, &pieces, (size_t)(i % 65));
            if (i % 7 == 0)
                lli_workers_run(&workers, count_call, &tally);
        }
        for (int k = 0; k < 64; k++) {
            int want = 0;
            for (int i = 1; i <= 1000; i++)
                want += i % 65 > k;
            assert_int_equal(pieces.done[k], want);
        }
        assert_int_equal(tally.total, 1000 / 7 * threads[t]);
        assert_int_equal(pieces.n_wrong, 0);
        lli_workers_finish(&workers);
        assert_int_equal(heap.live_bytes, 0);
    }
}

static void test_start_and_end(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        run_many(1 + i % MOST, 1000, i % 3);
}

static void test_no_memory(void **state)
{
    (void)state;
    for (int64_t k = 1; k <= 2; k++) {
        struct support_heap source = {.fail_at = k};
        struct lli_heap heap;
        struct lli_workers workers;
        struct llminf_error error;
        lli_heap_init(&heap, support_alloc, support_release, &source);
        assert_int_equal(lli_workers_init(&workers, &heap, 4, NULL, 0, &error), LLMINF_E_MEMORY);
        assert_int_equal(source.live_bytes, 0);
        lli_workers_finish(&workers); /* a failed one may be finished again */
    }
}

/* No more than the affinity mask allows. */
static void test_usable(void **state)
{
    cpu_set_t before, one;
    int n = lli_cpus_usable(), cpu = 0;
    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_in_range(n, 1, CPU_COUNT(&before));
    while (!CPU_ISSET(cpu, &before))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(lli_cpus_usable(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(lli_cpus_usable(), n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_run),   cmocka_unit_test(test_pieces), cmocka_unit_test(test_start_and_end),
        cmocka_unit_test(test_no_memory), cmocka_unit_test(test_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
