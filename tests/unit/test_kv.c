/* The block pool and the tables, against a model that counts naively. */
#include "kv/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "llminf/status.h"
#include "support.h"

static struct support_heap host;
static struct lli_heap heap;

static int make_heap(void **state)
{
    (void)state;
    memset(&host, 0, sizeof host);
    lli_heap_init(&heap, support_alloc, support_release, &host);
    return 0;
}

static int check_heap(void **state)
{
    (void)state;
    return host.live_bytes == 0 ? 0 : -1;
}

static void test_take_order(void **state)
{
    struct lli_pool pool;
    (void)state;
    assert_int_equal(lli_pool_init(&pool, &heap, 5), LLMINF_OK);
    assert_null(lli_pool_check(&pool));
    for (uint32_t id = 1; id < 5; id++)
        assert_int_equal(lli_pool_take(&pool), id);
    assert_int_equal(lli_pool_take(&pool), LLI_NONE);
    assert_null(lli_pool_check(&pool));
    assert_int_equal(lli_pool_unref(&pool, 3), LLMINF_OK);
    assert_int_equal(lli_pool_unref(&pool, 1), LLMINF_OK);
    assert_int_equal(lli_pool_take(&pool), 1); /* freed last */
    assert_int_equal(lli_pool_take(&pool), 3);
    lli_pool_finish(&pool);
    lli_pool_finish(&pool);
}

static void test_refused(void **state)
{
    struct lli_pool pool;
    (void)state;
    assert_int_equal(lli_pool_init(&pool, &heap, 3), LLMINF_OK);
    assert_int_equal(lli_pool_unref(&pool, 0), LLMINF_E_INTERNAL);
    assert_int_equal(lli_pool_ref(&pool, 0), LLMINF_E_INTERNAL);
    assert_int_equal(lli_pool_unref(&pool, 1), LLMINF_E_INTERNAL); /* free */
    assert_int_equal(lli_pool_ref(&pool, 1), LLMINF_E_INTERNAL);
    assert_int_equal(lli_pool_unref(&pool, 3), LLMINF_E_INTERNAL); /* no such block */
    assert_int_equal(lli_pool_unref(&pool, LLI_NONE), LLMINF_E_INTERNAL);
    assert_int_equal(pool.n_free, 2);
    assert_null(lli_pool_check(&pool));
    lli_pool_finish(&pool);
}

/* What the check finds when the lists are damaged. */
static void test_check(void **state)
{
    struct lli_pool pool;
    (void)state;
    assert_int_equal(lli_pool_init(&pool, &heap, 6), LLMINF_OK);
    uint32_t id = lli_pool_take(&pool);
    assert_null(lli_pool_check(&pool));
    pool.blocks[0].refs = 1;
    assert_non_null(lli_pool_check(&pool));
    pool.blocks[0].refs = 0;
    pool.n_free++;
    assert_non_null(lli_pool_check(&pool));
    pool.n_free -= 2;
    assert_non_null(lli_pool_check(&pool));
    pool.n_free++;
    pool.blocks[id].refs = 0; /* lost */
    assert_non_null(lli_pool_check(&pool));
    pool.blocks[id].refs = 1;
    pool.blocks[pool.free_head].refs = 1;
    assert_non_null(lli_pool_check(&pool));
    pool.blocks[pool.free_head].refs = 0;
    assert_null(lli_pool_check(&pool));
    lli_pool_finish(&pool);
}

static void test_no_memory(void **state)
{
    struct lli_pool pool;
    struct lli_table table = {0};
    (void)state;
    support_heap_arm(&host, 1, 1);
    assert_int_equal(lli_pool_init(&pool, &heap, 8), LLMINF_E_MEMORY);
    assert_int_equal(lli_table_reserve(&table, &heap, 4), LLMINF_E_MEMORY);
    support_heap_arm(&host, 0, 0);
    assert_int_equal(table.cap, 0);
    lli_pool_finish(&pool);
    lli_table_finish(&table, &heap);
}

static void test_table_sizes(void **state)
{
    static const uint32_t lengths[] = {0, 1, 15, 16, 17, 31, 32, 33, 0xffffffff};
    static const uint32_t blocks[] = {0, 1, 1, 1, 2, 2, 2, 3, 0x10000000};
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        assert_int_equal(lli_table_blocks(lengths[i]), blocks[i]);
}

static void test_exact_fit(void **state)
{
    struct lli_pool pool;
    struct lli_table a = {0}, b = {0}, roomier = {0};
    (void)state;
    assert_int_equal(lli_pool_init(&pool, &heap, 6), LLMINF_OK);
    assert_int_equal(lli_table_reserve(&a, &heap, 8), LLMINF_OK);
    assert_int_equal(lli_table_reserve(&b, &heap, 2), LLMINF_OK);
    assert_int_equal(lli_table_append(&a, &pool, 5 * 16 + 1), LLMINF_E_FULL); /* all or nothing */
    assert_int_equal(a.n, 0);
    assert_int_equal(lli_table_append(&a, &pool, 5 * 16), LLMINF_OK);
    assert_int_equal(pool.n_free, 0);
    assert_int_equal(lli_table_append(&a, &pool, 5 * 16), LLMINF_OK);
    assert_int_equal(lli_table_append(&a, &pool, 3), LLMINF_OK); /* never gives back */
    assert_int_equal(a.n, 5);
    assert_int_equal(lli_table_append(&b, &pool, 1), LLMINF_E_FULL);
    uint32_t fourth = a.blocks[3], last = a.blocks[4];
    lli_table_cut(&a, &pool, 48);
    assert_int_equal(a.n, 3);
    assert_int_equal(lli_table_append(&b, &pool, 33), LLMINF_E_INTERNAL); /* over cap */
    assert_int_equal(lli_table_append(&b, &pool, 32), LLMINF_OK);
    assert_int_equal(b.blocks[0], fourth); /* given back last */
    assert_int_equal(b.blocks[1], last);
    assert_int_equal(lli_table_reserve(&roomier, &heap, 9), LLMINF_OK);
    lli_table_move(&b, &roomier);
    assert_int_equal(b.n, 2);
    assert_int_equal(b.cap, 9);
    assert_int_equal(b.blocks[1], last);
    assert_int_equal(roomier.n, 0);
    lli_table_finish(&roomier, &heap);
    lli_table_cut(&a, &pool, 0);
    lli_table_cut(&b, &pool, 0);
    assert_int_equal(pool.n_free, 5);
    assert_null(lli_pool_check(&pool));
    lli_table_finish(&a, &heap);
    lli_table_finish(&b, &heap);
    lli_pool_finish(&pool);
}

#define N_TABLES 7
#define MAX_BLOCKS 40
#define N_OPERATIONS 100000

struct model {
    struct lli_pool pool;
    struct lli_table tables[N_TABLES];
    uint32_t wanted[N_TABLES]; /* blocks */
    uint32_t owner[MAX_BLOCKS];
    uint32_t n_blocks;
};

/* The owners of all blocks, found anew; the first thing that is wrong. */
static const char *compare(struct model *m)
{
    uint32_t n_held = 0;
    memset(m->owner, 0, sizeof m->owner);
    for (uint32_t t = 0; t < N_TABLES; t++) {
        if (m->tables[t].n != m->wanted[t])
            return "a table has another length";
        for (uint32_t i = 0; i < m->tables[t].n; i++) {
            uint32_t id = m->tables[t].blocks[i];
            if (id == 0 || id >= m->n_blocks)
                return "a table names no block";
            if (m->owner[id]++ != 0)
                return "two entries name one block";
            n_held++;
        }
    }
    for (uint32_t id = 1; id < m->n_blocks; id++)
        if (m->pool.blocks[id].refs != m->owner[id])
            return "refs is not the number of entries";
    return m->pool.n_free + n_held + 1 == m->n_blocks ? lli_pool_check(&m->pool) : "blocks are lost";
}

static const char *operate(struct model *m, uint64_t *seed)
{
    uint32_t t = (uint32_t)(support_random(seed) % N_TABLES), n_tokens = (uint32_t)(support_random(seed) % 260);
    uint32_t n = lli_table_blocks(n_tokens), n_free = m->pool.n_free;
    struct lli_table *table = &m->tables[t];
    if (support_random(seed) % 2) {
        lli_table_cut(table, &m->pool, n_tokens);
        m->wanted[t] = n < m->wanted[t] ? n : m->wanted[t];
        return NULL;
    }
    int32_t status = lli_table_append(table, &m->pool, n_tokens);
    int32_t want = n > table->cap                                  ? LLMINF_E_INTERNAL
                   : n > m->wanted[t] && n - m->wanted[t] > n_free ? LLMINF_E_FULL
                                                                   : LLMINF_OK;
    if (status == LLMINF_OK && n > m->wanted[t])
        m->wanted[t] = n;
    return status == want ? NULL : "append gave another status";
}

static void test_random(void **state)
{
    static struct model m;
    uint64_t seed = 7;
    (void)state;
    for (uint32_t n_blocks = 5; n_blocks <= MAX_BLOCKS; n_blocks += 7) {
        memset(&m, 0, sizeof m);
        m.n_blocks = n_blocks;
        assert_int_equal(lli_pool_init(&m.pool, &heap, n_blocks), LLMINF_OK);
        for (uint32_t t = 0; t < N_TABLES; t++)
            assert_int_equal(lli_table_reserve(&m.tables[t], &heap, 3 + 2 * t), LLMINF_OK);
        for (int i = 0; i < N_OPERATIONS / 6; i++) {
            const char *wrong = operate(&m, &seed);
            if (!wrong)
                wrong = compare(&m);
            if (wrong)
                fail_msg("pool of %u, operation %d: %s", n_blocks, i, wrong);
        }
        for (uint32_t t = 0; t < N_TABLES; t++) {
            lli_table_cut(&m.tables[t], &m.pool, 0);
            lli_table_finish(&m.tables[t], &heap);
        }
        assert_int_equal(m.pool.n_free, n_blocks - 1);
        lli_pool_finish(&m.pool);
    }
}

/* Shared blocks: free only when the last holder lets go. */
static void test_refs(void **state)
{
    struct lli_pool pool;
    uint32_t refs[8] = {0};
    uint64_t seed = 11;
    (void)state;
    assert_int_equal(lli_pool_init(&pool, &heap, 8), LLMINF_OK);
    for (int i = 0; i < 20000; i++) {
        uint32_t id = (uint32_t)(support_random(&seed) % 8), n_free = pool.n_free;
        switch (support_random(&seed) % 3) {
        case 0:
            id = lli_pool_take(&pool);
            assert_int_equal(id == LLI_NONE, n_free == 0);
            if (id != LLI_NONE)
                assert_int_equal(refs[id]++, 0);
            break;
        case 1:
            assert_int_equal(lli_pool_ref(&pool, id), refs[id] ? LLMINF_OK : LLMINF_E_INTERNAL);
            refs[id] += refs[id] > 0;
            break;
        default:
            assert_int_equal(lli_pool_unref(&pool, id), refs[id] ? LLMINF_OK : LLMINF_E_INTERNAL);
            refs[id] -= refs[id] > 0;
        }
        if (lli_pool_check(&pool))
            fail_msg("operation %d: %s", i, lli_pool_check(&pool));
    }
    lli_pool_finish(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_order), cmocka_unit_test(test_refused),     cmocka_unit_test(test_check),
        cmocka_unit_test(test_no_memory),  cmocka_unit_test(test_table_sizes), cmocka_unit_test(test_exact_fit),
        cmocka_unit_test(test_random),     cmocka_unit_test(test_refs),
    };
    return cmocka_run_group_tests(tests, make_heap, check_heap);
}
