/* Communicators: the table's checks, messages, the ordered sum by both ways, and ranks that do not answer. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/patience.h"
#include "parallel/local.h"
#include "support/ranks.h"
#include "support/support.h"

#define MS 1000000ll

static const int32_t SHAPES[][2] = {{2, 1}, {4, 1}, {8, 1}, {2, 2}, {4, 2}, {1, 4}}; /* tp, pp */
enum { N_SHAPES = sizeof SHAPES / sizeof *SHAPES };

/* ---- the table */

static void check_refused(struct llminf_comm table, int32_t tp, int32_t pp, const char *text)
{
    struct lli_comm comm;
    struct lli_heap heap;
    struct llminf_error err;
    lli_heap_init(&heap, NULL, NULL, NULL);
    assert_int_equal(lli_comm_init(&comm, &heap, &table, tp, pp, MS, &err), LLMINF_E_COMM);
    assert_int_equal(err.status, LLMINF_E_COMM);
    assert_string_equal(err.text, text);
    lli_comm_finish(&comm);
}

/* Oracle F12 and C04 of the design's list of bad input: what is wrong is named, with both numbers. */
static void test_bad_tables(void **state)
{
    (void)state;
    struct ranks ranks;
    struct llminf_comm table;
    char text[200];
    assert_int_equal(ranks_init(&ranks, 2, 2, MS), LLMINF_OK);
    for (size_t size = 0; size < sizeof table; size += 4) {
        table = ranks.tables[1];
        table.size = size;
        snprintf(text, sizeof text, "communicator: size is %zu, want %zu", size, sizeof table);
        check_refused(table, 2, 2, text);
    }
    table = ranks.tables[1];
    table.abi = 2;
    check_refused(table, 2, 2, "communicator: abi is 2, want 1");
    table = ranks.tables[1];
    check_refused(table, 8, 1, "communicator: n_ranks is 4, want tensor_parallel 8 x pipeline_parallel 1");
    table.rank = 4;
    check_refused(table, 2, 2, "communicator: rank is 4, want 0 to 3");
    table.rank = -1;
    check_refused(table, 2, 2, "communicator: rank is -1, want 0 to 3");
    table = ranks.tables[1];
    table.receive = NULL;
    check_refused(table, 2, 2, "communicator: slot receive is NULL, wanted for 4 ranks in 2 stages");
    table = ranks.tables[1];
    table.group_gather = NULL;
    check_refused(table, 2, 2, "communicator: slot group_gather is NULL, wanted for 4 ranks in 2 stages");
    for (int32_t i = 0; i < ranks.n; i++)
        ranks.tables[i].close(ranks.tables[i].state);
    assert_int_equal(ranks.heap.live_bytes, 0);
}

/* A table of a later release is longer; one without the slots that may be NULL serves a single stage. */
static void test_good_tables(void **state)
{
    (void)state;
    struct ranks ranks;
    struct lli_comm comm;
    struct {
        struct llminf_comm table;
        void *later[4];
    } longer;
    assert_int_equal(ranks_init(&ranks, 4, 1, MS), LLMINF_OK);
    longer.table = ranks.tables[3];
    longer.table.size = sizeof longer;
    longer.table.group_gather = NULL;
    longer.table.window = NULL;
    longer.table.lost = NULL;
    assert_int_equal(lli_comm_init(&comm, &ranks.heap, &longer.table, 4, 1, MS, NULL), LLMINF_OK);
    assert_int_equal(comm.rank, 3);
    assert_int_equal(comm.index, 3);
    lli_comm_finish(&comm);
    for (int32_t i = 0; i < ranks.n; i++)
        ranks.tables[i].close(ranks.tables[i].state);
}

/* ---- messages */

static void check_all(struct ranks *ranks, rank_fn *fn, void *arg)
{
    struct rank rank[RANKS_MOST];
    ranks_run(ranks, rank, fn, arg, 0);
    for (int32_t i = 0; i < ranks->n; i++)
        assert_int_equal(rank[i].status, LLMINF_OK);
    assert_int_equal(ranks->heap.live_bytes, 0);
}

static void test_messages(void **state)
{
    (void)state;
    struct ranks ranks;
    for (int i = 0; i < N_SHAPES; i++) {
        assert_int_equal(ranks_init(&ranks, SHAPES[i][0], SHAPES[i][1], 60000 * MS), LLMINF_OK);
        check_all(&ranks, rank_exchange_all, NULL);
        assert_int_equal(ranks_init(&ranks, SHAPES[i][0], SHAPES[i][1], 60000 * MS), LLMINF_OK);
        check_all(&ranks, rank_gather_all, NULL);
    }
}

/* Oracle C03: a message of another size is refused, and the rank that sent it is named. */
static int32_t send_short(struct rank *rank)
{
    char data[8] = {0};
    if (rank->comm.rank == 1)
        return lli_comm_send(&rank->comm, 0, data, 7);
    return lli_comm_receive(&rank->comm, 1, data, 8);
}

static void test_wrong_size(void **state)
{
    (void)state;
    struct ranks ranks;
    struct rank rank[RANKS_MOST];
    assert_int_equal(ranks_init(&ranks, 2, 1, 10000 * MS), LLMINF_OK);
    ranks_run(&ranks, rank, send_short, NULL, 0);
    assert_int_equal(rank[1].status, LLMINF_OK);
    assert_int_equal(rank[0].status, LLMINF_E_COMM);
    assert_non_null(strstr(rank[0].comm.error.text, "rank 1: failed"));
}

/* ---- sums */

/* Oracle R2. */
static void test_sums(void **state)
{
    (void)state;
    static const size_t LONG[] = {0, 16383, 16384, 16385, 65535, 65536, 65537, 16384, 200001, 3, 131072};
    size_t all[257];
    struct ranks ranks;
    for (size_t i = 0; i < 257; i++)
        all[i] = i + 1;
    struct rank_lengths lengths[] = {
        {LLI_COMM_GATHER, 257, all, 257},     {LLI_COMM_WINDOW, 257, all, 257},     {LLI_COMM_ANY, 100, all, 257},
        {LLI_COMM_GATHER, 1 << 20, LONG, 11}, {LLI_COMM_WINDOW, 1 << 20, LONG, 11},
    };
    for (int i = 0; i < N_SHAPES; i++)
        for (int j = 0; j < 5; j++) {
            assert_int_equal(ranks_init(&ranks, SHAPES[i][0], SHAPES[i][1], 60000 * MS), LLMINF_OK);
            check_all(&ranks, rank_sum_all, &lengths[j]);
        }
}

/* ---- ranks that do not answer */

/* One call that needs the other rank; `sums` went through both before. */
struct one_call {
    int number, ways;
};

enum { N_CALLS = 8 };

static int32_t call_one(struct rank *rank)
{
    struct lli_comm *comm = &rank->comm;
    const struct one_call *call = rank->arg;
    float x[64] = {0};
    char small[2] = {0}, both[4];
    if (call->number < 2) {
        comm->timeout_ns = 20000 * MS;
        int32_t status = lli_comm_reserve(comm, 64, call->ways, NULL);
        comm->timeout_ns = rank->ranks->timeout_ns;
        if (status != LLMINF_OK || comm->rank == 1)
            return status;
        return lli_comm_sum(comm, x, 64);
    }
    if (comm->rank == 1)
        return LLMINF_OK;
    switch (call->number) {
    case 2:
        return lli_comm_gather(comm, small, 2, both);
    case 3:
        return lli_comm_group_gather(comm, small, 2, both);
    case 4:
        return lli_comm_receive(comm, 1, small, 2);
    case 5:
        return lli_comm_broadcast(comm, 1, small, 2);
    case 6:
        return lli_comm_reserve(comm, 64, call->ways, NULL);
    default: /* the first message is taken, the second has to wait */
        return lli_comm_send(comm, 1, small, 2) ? 1 : lli_comm_send(comm, 1, small, 2);
    }
}

/* Oracle R8: every call ends at its timeout with an error that names the rank, and then nothing is called any more. */
static void test_silence(void **state)
{
    (void)state;
    struct ranks ranks;
    struct rank rank[RANKS_MOST];
    static const int WAYS[] = {LLI_COMM_GATHER, LLI_COMM_WINDOW};
    for (int number = 0; number < N_CALLS; number++)
        for (int w = 0; w < 2; w++) {
            struct one_call call = {number, WAYS[w]};
            assert_int_equal(ranks_init(&ranks, 2, 1, 30 * MS), LLMINF_OK);
            ranks_run(&ranks, rank, call_one, &call, 0);
            assert_int_equal(rank[1].status, LLMINF_OK);
            assert_int_equal(rank[0].status, LLMINF_E_COMM);
            assert_true(rank[0].ns >= 30 * MS && rank[0].ns < 1030 * MS);
            assert_string_equal(rank[0].comm.error.text, "rank 1: no answer within 30 ms");
            assert_int_equal(rank[0].comm.lost, 1);
            assert_int_equal(lli_comm_barrier(&rank[0].comm), LLMINF_E_COMM); /* its table is closed: it may not be called */
            assert_int_equal(ranks.heap.live_bytes, 0);
        }
}

/* A rank that lives is not kept waiting for so long, also where many programs share few CPUs. */
#define LEAVING_NS (250 * MS)

/* Calls numbered until one rank leaves. */
struct leaving {
    int32_t who;
    int at; /* its calls before */
    int ways;
};

static int32_t work_until(struct rank *rank)
{
    struct lli_comm *comm = &rank->comm;
    const struct leaving *leaving = rank->arg;
    float x[100] = {0};
    char data[4] = {0}, all[4 * RANKS_MOST];
    int32_t next = (comm->rank + 1) % comm->n_ranks, previous = (comm->rank + comm->n_ranks - 1) % comm->n_ranks;
    for (int i = 0;; i++) {
        if (comm->rank == leaving->who && i == leaving->at)
            return LLMINF_OK;
        comm->step = (uint64_t)i + 1;
        int32_t status = i == 0       ? lli_comm_reserve(comm, 100, leaving->ways, NULL)
                         : i % 6 == 1 ? lli_comm_broadcast(comm, 0, data, 4)
                         : i % 6 == 2 ? lli_comm_sum(comm, x, 100)
                         : i % 6 == 3 ? lli_comm_send(comm, next, data, 4)
                         : i % 6 == 4 ? lli_comm_receive(comm, previous, data, 4)
                         : i % 6 == 5 ? lli_comm_gather(comm, data, 4, all)
                                      : lli_comm_barrier(comm);
        if (status != LLMINF_OK)
            return status;
    }
}

/* Oracle R5, for threads: a rank goes away before each of its calls; every other one returns in time and says COMM. */
static void test_leaving(void **state)
{
    (void)state;
    struct ranks ranks;
    struct rank rank[RANKS_MOST];
    for (int at = 0; at < 14; at++)
        for (int32_t who = 0; who < 4; who++) {
            struct leaving leaving = {who, at, who % 2 ? LLI_COMM_WINDOW : LLI_COMM_GATHER};
            assert_int_equal(ranks_init(&ranks, 2, 2, LEAVING_NS), LLMINF_OK);
            ranks_run(&ranks, rank, work_until, &leaving, 0);
            for (int32_t i = 0; i < 4; i++) {
                assert_int_equal(rank[i].status, i == who ? LLMINF_OK : LLMINF_E_COMM);
                assert_true(rank[i].ns < 1500 * MS);
                assert_true(i == who || strstr(rank[i].comm.error.text, "in step "));
            }
            assert_int_equal(ranks.heap.live_bytes, 0);
        }
}

/* A rank that gives up wakes those that wait for it, long before their time. */
static int32_t give_up(struct rank *rank)
{
    struct lli_comm *comm = &rank->comm;
    float x[8] = {0};
    int32_t status = lli_comm_reserve(comm, 8, *(int *)rank->arg, NULL);
    if (status != LLMINF_OK)
        return status;
    if (comm->rank == 2)
        return lli_comm_fail(comm, 2, "has had enough");
    return lli_comm_sum(comm, x, 8);
}

static void test_giving_up(void **state)
{
    (void)state;
    struct ranks ranks;
    struct rank rank[RANKS_MOST];
    for (int ways = LLI_COMM_GATHER; ways <= LLI_COMM_WINDOW; ways++) {
        assert_int_equal(ranks_init(&ranks, 4, 1, 100000 * MS), LLMINF_OK);
        ranks_run(&ranks, rank, give_up, &ways, 0);
        for (int32_t i = 0; i < 4; i++) {
            assert_int_equal(rank[i].status, LLMINF_E_COMM);
            assert_true(rank[i].ns < 20000 * MS);
        }
        assert_string_equal(rank[2].comm.error.text, "rank 2: has had enough");
    }
}

/* ---- memory, waiting */

static int32_t sum_one(struct rank *rank)
{
    float x[8] = {0};
    struct llminf_error err = {0};
    int32_t status = lli_comm_reserve(&rank->comm, 8, LLI_COMM_ANY, &err);
    if (status != LLMINF_OK)
        return status == err.status ? status : 1;
    return lli_comm_sum(&rank->comm, x, 8);
}

/* Every allocation fails once: a status, no leak, no rank that waits for ever. */
static void test_no_memory(void **state)
{
    (void)state;
    for (int64_t fail_at = 1;; fail_at++) {
        struct support_heap counter = {.fail_at = fail_at};
        struct ranks ranks = {.n = 4, .tp = 4, .pp = 1, .timeout_ns = 20000 * MS};
        struct rank rank[RANKS_MOST];
        lli_heap_init(&ranks.heap, support_alloc, support_release, &counter);
        int32_t status = lli_local_new(ranks.tables, &ranks.heap, 4, 64, NULL);
        if (status == LLMINF_OK)
            ranks_run(&ranks, rank, sum_one, NULL, 0);
        else
            assert_int_equal(status, LLMINF_E_MEMORY);
        assert_int_equal(counter.live_bytes, 0);
        if (counter.n_calls < fail_at) {
            for (int32_t i = 0; i < 4; i++)
                assert_int_equal(rank[i].status, LLMINF_OK);
            return;
        }
        assert_true(fail_at < 100);
    }
}

static void test_patience(void **state)
{
    (void)state;
    int64_t start_ns = lli_clock_ns();
    struct lli_patience none = lli_patience_begin(0), some = lli_patience_begin(30 * MS);
    while (!lli_patience_is_over(&none))
        assert_true(lli_clock_ns() - start_ns < 1000 * MS);
    start_ns = lli_clock_ns();
    while (!lli_patience_is_over(&some))
        assert_true(lli_clock_ns() - start_ns < 1000 * MS);
    assert_true(lli_clock_ns() - start_ns >= 30 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_tables), cmocka_unit_test(test_good_tables), cmocka_unit_test(test_messages),
        cmocka_unit_test(test_wrong_size), cmocka_unit_test(test_sums),        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_leaving),    cmocka_unit_test(test_giving_up),   cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_patience),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
