/* The block pool, the prefix index and the tables: small cases by hand. The numbers in comments are those of the oracles in
 * the design of the engine. */
#include "kv/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kv/prefix.h"
#include "llminf/status.h"
#include "support.h"

enum { B = LLI_BLOCK_TOKENS, MAX_TOKENS = 20 * B };

static struct support_heap host;
static struct lli_heap heap;
static const uint32_t no_window;

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

static void open_pool(struct lli_pool *pool, uint32_t n_blocks)
{
    assert_int_equal(lli_pool_init(pool, &heap, n_blocks, &no_window, 1, 42), LLMINF_OK);
}

static void check_pool(const struct lli_pool *pool)
{
    if (lli_pool_check(pool))
        fail_msg("%s", lli_pool_check(pool));
}

/* ---- pool -------------------------------------------------------------------------------------------------------- */

static void test_take_order(void **state)
{
    struct lli_pool pool;
    (void)state;
    open_pool(&pool, 5);
    check_pool(&pool);
    for (uint32_t id = 1; id < 5; id++)
        assert_int_equal(lli_pool_take(&pool, 0), id);
    assert_int_equal(lli_pool_take(&pool, 0), LLI_NONE); /* 2 */
    check_pool(&pool);
    assert_int_equal(lli_pool_unref(&pool, 3), LLMINF_OK);
    assert_int_equal(lli_pool_unref(&pool, 1), LLMINF_OK);
    assert_int_equal(pool.n_cached, 0); /* nothing was filled */
    assert_int_equal(lli_pool_take(&pool, 0), 1);
    assert_int_equal(lli_pool_take(&pool, 0), 3);
    assert_int_equal(pool.blocks[3].generation, 2);
    lli_pool_finish(&pool);
    lli_pool_finish(&pool);
}

/* 2: a status, and the state as it was. */
static void test_refused(void **state)
{
    static const uint32_t bad[] = {0, 1, 3, LLI_NONE}; /* null, free, behind the end */
    struct lli_pool pool;
    (void)state;
    open_pool(&pool, 3);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(lli_pool_ref(&pool, bad[i]), LLMINF_E_INTERNAL);
        assert_int_equal(lli_pool_unref(&pool, bad[i]), LLMINF_E_INTERNAL);
        assert_int_equal(lli_pool_hold(&pool, bad[i]), LLMINF_E_INTERNAL);
        assert_int_equal(lli_pool_unhold(&pool, bad[i]), LLMINF_E_INTERNAL);
    }
    assert_int_equal(pool.n_free, 2);
    uint32_t id = lli_pool_take(&pool, 0);
    assert_int_equal(lli_pool_unhold(&pool, id), LLMINF_E_INTERNAL);
    check_pool(&pool);
    lli_pool_finish(&pool);
}

/* What the check finds when something is damaged. */
static void test_check(void **state)
{
    struct lli_pool pool;
    int32_t tokens[B] = {0};
    (void)state;
    open_pool(&pool, 6);
    uint32_t id = lli_pool_take(&pool, 0);
    assert_int_equal(lli_prefix_enter(&pool, id, 7, 0, 0, tokens), 1);
    check_pool(&pool);
    uint32_t *counts[] = {&pool.blocks[0].refs, &pool.n_free, &pool.n_cached, &pool.index.n, &pool.blocks[pool.free_head].refs};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        ++*counts[i];
        assert_non_null(lli_pool_check(&pool));
        --*counts[i];
        check_pool(&pool);
    }
    pool.blocks[id].refs = 0; /* lost */
    assert_non_null(lli_pool_check(&pool));
    pool.blocks[id].refs = 1;
    pool.blocks[id].state = LLI_BLOCK_OPEN; /* has a slot */
    assert_non_null(lli_pool_check(&pool));
    pool.blocks[id].n_filled = 1; /* hangs on a parent that does not list it */
    pool.blocks[id].state = LLI_BLOCK_PENDING;
    lli_prefix_leave(&pool, id);
    assert_non_null(lli_pool_check(&pool));
    lli_pool_finish(&pool);
}

static void test_no_memory(void **state)
{
    struct lli_pool pool;
    struct lli_table table = {0};
    (void)state;
    for (int64_t i = 1; i < 3; i++) {
        support_heap_arm(&host, i, 0);
        assert_int_equal(lli_pool_init(&pool, &heap, 8, &no_window, 1, 0), LLMINF_E_MEMORY);
        lli_pool_finish(&pool);
    }
    support_heap_arm(&host, 1, 1);
    assert_int_equal(lli_table_reserve(&table, &heap, 1, 4), LLMINF_E_MEMORY);
    support_heap_arm(&host, 0, 0);
    assert_int_equal(table.cap, 0);
    lli_table_finish(&table, &heap);
    open_pool(&pool, 9); /* the number that a budget is settled with */
    assert_int_equal(heap.live_bytes, (int64_t)lli_pool_bytes(9));
    lli_pool_finish(&pool);
    assert_int_equal(sizeof(struct lli_block), 64 + 4 * B);
}

/* ---- index ------------------------------------------------------------------------------------------------------- */

/* Keys that differ in one part are different; a crowded place refuses; deletion leaves the others reachable. */
static void test_index(void **state)
{
    struct lli_pool pool;
    int32_t tokens[B] = {1}, other[B] = {2};
    uint32_t ids[20];
    (void)state;
    open_pool(&pool, 21);
    for (uint32_t i = 0; i < 20; i++)
        ids[i] = lli_pool_take(&pool, 0);
    assert_int_equal(lli_prefix_enter(&pool, ids[0], 5, 0, 0, tokens), 1);
    assert_int_equal(lli_prefix_find(&pool, 5, 0, 0, tokens), ids[0]);
    assert_int_equal(lli_prefix_find(&pool, 6, 0, 0, tokens), LLI_NONE);
    assert_int_equal(lli_prefix_find(&pool, 5, 1, 0, tokens), LLI_NONE); /* 8 */
    assert_int_equal(lli_prefix_find(&pool, 5, 0, ids[1], tokens), LLI_NONE);
    assert_int_equal(lli_prefix_find(&pool, 5, 0, 0, other), LLI_NONE);
    assert_int_equal(pool.counters.rejects, 3);
    for (uint32_t i = 1; i < 16; i++) /* all in one place */
        assert_int_equal(lli_prefix_enter(&pool, ids[i], 5, i, 0, tokens), 1);
    assert_int_equal(lli_prefix_enter(&pool, ids[16], 5, 16, 0, tokens), 0);
    assert_int_equal(pool.blocks[ids[16]].state, LLI_BLOCK_OPEN);
    check_pool(&pool);
    for (uint32_t i = 0; i < 16; i += 2) {
        lli_prefix_leave(&pool, ids[i]);
        pool.blocks[ids[i]].parent_generation = 0;
        check_pool(&pool);
    }
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(lli_prefix_find(&pool, 5, i, 0, tokens), i % 2 ? ids[i] : LLI_NONE);
    lli_pool_finish(&pool);
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

struct session {
    struct lli_table table;
    int32_t tokens[MAX_TOKENS];
};

static void open_session(struct session *s, struct lli_pool *pool, int32_t first, uint64_t extra)
{
    lli_table_init(&s->table, pool, extra, 0);
    assert_int_equal(lli_table_reserve(&s->table, &heap, pool->n_groups, lli_table_blocks(MAX_TOKENS)), LLMINF_OK);
    for (uint32_t i = 0; i < MAX_TOKENS; i++)
        s->tokens[i] = first + (int32_t)i;
}

static int32_t grow(struct session *s, struct lli_pool *pool, uint32_t end)
{
    int32_t status = lli_table_extend(&s->table, pool, end);
    if (status != LLMINF_OK)
        return status;
    lli_table_enter(&s->table, pool, s->tokens, end);
    lli_table_commit(&s->table, pool, s->tokens, end);
    if (lli_table_check(&s->table, pool, s->tokens))
        fail_msg("%s", lli_table_check(&s->table, pool, s->tokens));
    check_pool(pool);
    return LLMINF_OK;
}

static uint32_t find(struct session *s, struct lli_pool *pool, uint32_t n)
{
    struct lli_hit hit;
    lli_table_find(&hit, &s->table, pool, s->tokens, n);
    assert_int_equal(hit.pending, LLI_NONE);
    lli_table_accept(&s->table, pool, &hit);
    check_pool(pool);
    return hit.n_tokens;
}

static void close_session(struct session *s, struct lli_pool *pool)
{
    lli_table_cut(&s->table, pool, 0);
    lli_table_finish(&s->table, &heap);
    check_pool(pool);
}

static void test_table_sizes(void **state)
{
    static const uint32_t lengths[] = {0, 1, B - 1, B, B + 1, 2 * B - 1, 2 * B, 2 * B + 1};
    static const uint32_t blocks[] = {0, 1, 1, 1, 2, 2, 2, 3};
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        assert_int_equal(lli_table_blocks(lengths[i]), blocks[i]);
    assert_int_equal(lli_table_blocks(UINT32_MAX), UINT32_MAX / B + 1);
}

/* 24: with lengths as in ShareGPT (161 in, 338 out in the mean, long tails) nearly all of what is taken is used. */
static void test_waste(void **state)
{
    uint64_t seed = 5, n_used = 0, n_taken = 0;
    (void)state;
    for (int i = 0; i < 10000; i++) {
        double u = (double)(support_random(&seed) >> 11) / 9007199254740992.0, v = 1 - u;
        uint32_t n = 1 + (uint32_t)(499 * (u * u + 2 * u * v) * 1.5); /* mean 499 */
        n_used += n;
        n_taken += lli_table_blocks(n) * (uint64_t)B;
    }
    assert_true((double)n_used >= 0.985 * (double)n_taken);
    if (B == 16) /* of a block of 160 KB */
        assert_true((double)lli_pool_bytes(100000) / 100000 <= 0.001 * 160 * 1024);
}

/* 3: what is free and cached can be had, and not one more. */
static void test_exact_fit(void **state)
{
    struct lli_pool pool;
    struct session a, b;
    struct lli_table roomier;
    (void)state;
    open_pool(&pool, 6);
    open_session(&a, &pool, 0, 0);
    open_session(&b, &pool, 1000, 0);
    assert_int_equal(lli_table_extend(&a.table, &pool, 5 * B + 1), LLMINF_E_FULL); /* all or nothing */
    assert_int_equal(a.table.n, 0);
    assert_int_equal(lli_table_extend(&a.table, &pool, 100 * B), LLMINF_E_INTERNAL); /* over cap */
    assert_int_equal(grow(&a, &pool, 5 * B), LLMINF_OK);
    assert_int_equal(lli_pool_available(&pool), 0);
    assert_int_equal(grow(&b, &pool, 1), LLMINF_E_FULL);
    uint32_t last = a.table.blocks[0][4];
    lli_table_cut(&a.table, &pool, 3 * B);
    assert_int_equal(pool.n_cached, 2);
    assert_int_equal(grow(&b, &pool, 2 * B + 1), LLMINF_E_FULL);
    assert_int_equal(grow(&b, &pool, 2 * B), LLMINF_OK);
    assert_int_equal(b.table.blocks[0][0], last); /* 4: the tail is recycled first */
    assert_int_equal(pool.counters.recycled, 2);
    roomier = (struct lli_table){0};
    assert_int_equal(lli_table_reserve(&roomier, &heap, 1, 99), LLMINF_OK);
    lli_table_move(&b.table, &roomier);
    assert_int_equal(b.table.cap, 99);
    assert_null(lli_table_check(&b.table, &pool, b.tokens));
    lli_table_finish(&roomier, &heap);
    close_session(&a, &pool);
    close_session(&b, &pool);
    assert_int_equal(lli_pool_available(&pool), 5);
    lli_pool_finish(&pool);
}

/* 10, 11: full blocks are shared, a partial one costs a copy, or nothing if nobody else needs it. */
static void test_hits(void **state)
{
    struct lli_pool pool;
    struct session a, b;
    (void)state;
    open_pool(&pool, 20);
    open_session(&a, &pool, 0, 0);
    open_session(&b, &pool, 0, 0);
    assert_int_equal(grow(&a, &pool, 3 * B + 1), LLMINF_OK);
    for (uint32_t n = 1; n <= 3 * B + 1; n++) {
        uint32_t before = pool.n_free;
        assert_int_equal(find(&b, &pool, n), n);
        assert_int_equal(pool.n_free, before);
        assert_int_equal(lli_table_need(&b.table, &pool, n), 0);
        assert_int_equal(lli_table_need(&b.table, &pool, n + 1), 1);
        b.tokens[n] = -1; /* goes on differently */
        assert_int_equal(lli_table_extend(&b.table, &pool, n + 1), LLMINF_OK);
        assert_int_equal(b.table.n_copies, n % B != 0);
        if (n % B != 0) {
            assert_int_equal(b.table.copies[0].src, a.table.blocks[0][n / B]);
            assert_int_equal(b.table.copies[0].n_tokens, n % B);
            assert_int_equal(pool.blocks[b.table.copies[0].src].holds, 1);
        }
        lli_table_roll_back(&b.table, &pool); /* 13 */
        assert_int_equal(pool.n_free, before);
        assert_null(lli_table_check(&b.table, &pool, b.tokens));
        check_pool(&pool);
        b.tokens[n] = (int32_t)n;
        lli_table_cut(&b.table, &pool, 0);
    }
    lli_table_cut(&a.table, &pool, 0);
    assert_int_equal(pool.n_cached, 4);
    assert_int_equal(find(&b, &pool, 4 * B), 3 * B + 1); /* the cached tail is adopted: 0 copies */
    assert_int_equal(lli_table_extend(&b.table, &pool, 4 * B), LLMINF_OK);
    assert_int_equal(b.table.n_copies, 0);
    lli_table_commit(&b.table, &pool, b.tokens, 4 * B);
    check_pool(&pool);
    close_session(&a, &pool);
    close_session(&b, &pool);
    lli_pool_finish(&pool);
}

/* 8, 9: another salt, a private session, a parent that is another block by now. */
static void test_misses(void **state)
{
    struct lli_pool pool;
    struct session a, b, c;
    (void)state;
    open_pool(&pool, 5);
    open_session(&a, &pool, 0, 0);
    open_session(&b, &pool, 0, 1);
    open_session(&c, &pool, 0, 0);
    c.table.is_private = 1;
    assert_int_equal(grow(&a, &pool, 2 * B), LLMINF_OK);
    assert_int_equal(find(&b, &pool, 2 * B), 0);
    assert_int_equal(find(&c, &pool, 2 * B), 0);
    assert_int_equal(grow(&c, &pool, 2 * B), LLMINF_OK);
    assert_int_equal(pool.counters.deduplicated, 0);
    lli_table_cut(&c.table, &pool, 0);
    assert_int_equal(pool.n_cached, 0); /* nothing of it stays */
    lli_table_cut(&a.table, &pool, 0);
    assert_int_equal(grow(&b, &pool, 3 * B), LLMINF_OK); /* recycles the second block of a */
    assert_int_equal(find(&a, &pool, 2 * B), B);
    lli_table_cut(&a.table, &pool, 0);
    assert_int_equal(grow(&b, &pool, 4 * B), LLMINF_OK);
    assert_int_equal(find(&a, &pool, 2 * B), 0);
    close_session(&a, &pool);
    close_session(&b, &pool);
    close_session(&c, &pool);
    lli_pool_finish(&pool);
}

/* 14, 15: two that compute the same share it in the end; what one computes now is seen as pending. */
static void test_same(void **state)
{
    struct lli_pool pool;
    struct session a, b;
    struct lli_hit hit;
    (void)state;
    open_pool(&pool, 20);
    open_session(&a, &pool, 0, 0);
    open_session(&b, &pool, 0, 0);
    assert_int_equal(lli_table_extend(&a.table, &pool, 2 * B + 1), LLMINF_OK);
    lli_table_enter(&a.table, &pool, a.tokens, 2 * B + 1);
    lli_table_find(&hit, &b.table, &pool, b.tokens, 4 * B);
    assert_int_equal(hit.n_tokens, 0);
    assert_int_equal(hit.pending, a.table.blocks[0][0]);
    assert_int_equal(lli_table_extend(&b.table, &pool, 3 * B), LLMINF_OK);
    lli_table_enter(&b.table, &pool, b.tokens, 3 * B);
    assert_int_equal(b.table.n_entered, 0); /* known already, so nothing behind it either */
    check_pool(&pool);
    lli_table_commit(&b.table, &pool, b.tokens, 3 * B); /* before the other: not yet */
    assert_int_equal(b.table.n_published, 0);
    lli_table_commit(&a.table, &pool, a.tokens, 2 * B + 1);
    assert_int_equal(a.table.n_published, 2);
    check_pool(&pool);
    assert_int_equal(grow(&b, &pool, 4 * B), LLMINF_OK);
    assert_int_equal(b.table.n_published, 4);
    assert_int_equal(b.table.blocks[0][0], a.table.blocks[0][0]);
    assert_int_equal(b.table.blocks[0][1], a.table.blocks[0][1]);
    assert_int_equal(pool.counters.deduplicated, 2);
    assert_int_equal(pool.n_free, 19 - 3 - 2);
    lli_table_cut(&a.table, &pool, 2 * B);
    assert_int_equal(grow(&a, &pool, 4 * B), LLMINF_OK);
    assert_int_equal(pool.n_cached, 1); /* the tail of 2 * B + 1 */
    assert_int_equal(lli_table_held(&a.table, &pool), 4);
    assert_int_equal(lli_table_sole(&a.table, &pool), 0);
    close_session(&a, &pool);
    close_session(&b, &pool);
    lli_pool_finish(&pool);
}

/* 17: forks copy the shared tail once each, the last owner not at all. 18: a cut into a shared block changes nobody's. */
static void test_fork_and_cut(void **state)
{
    struct lli_pool pool;
    struct session s[3];
    (void)state;
    open_pool(&pool, 20);
    for (int i = 0; i < 3; i++)
        open_session(&s[i], &pool, 0, 0);
    assert_int_equal(grow(&s[0], &pool, B + 1), LLMINF_OK);
    lli_table_fork(&s[1].table, &pool, &s[0].table);
    lli_table_fork(&s[2].table, &pool, &s[0].table);
    uint32_t tail = s[0].table.blocks[0][1];
    assert_int_equal(pool.blocks[tail].refs, 3);
    for (int i = 0; i < 3; i++) {
        s[i].tokens[B + 1] = -1 - i;
        assert_int_equal(lli_table_extend(&s[i].table, &pool, B + 2), LLMINF_OK);
        assert_int_equal(s[i].table.n_copies, i < 2);
    }
    assert_int_equal(s[2].table.blocks[0][1], tail);
    lli_table_roll_back(&s[0].table, &pool); /* its tail is written meanwhile, behind what it trusts */
    for (int i = 1; i < 3; i++)
        lli_table_commit(&s[i].table, &pool, s[i].tokens, B + 2);
    check_pool(&pool);
    assert_int_equal(pool.blocks[tail].refs, 2);
    assert_int_equal(lli_table_extend(&s[0].table, &pool, B + 2), LLMINF_OK);
    assert_int_equal(s[0].table.n_copies, 1);
    assert_int_equal(s[0].table.copies[0].n_tokens, 1);
    lli_table_commit(&s[0].table, &pool, s[0].tokens, B + 2);
    lli_table_cut(&s[0].table, &pool, B - 1); /* into a block that three share */
    assert_int_equal(s[0].table.n_published, 0);
    assert_int_equal(lli_table_extend(&s[0].table, &pool, B), LLMINF_OK);
    assert_int_equal(s[0].table.n_copies, 1);
    lli_table_commit(&s[0].table, &pool, s[0].tokens, B);
    assert_int_equal(s[0].table.blocks[0][0], s[1].table.blocks[0][0]); /* the same again */
    for (int i = 0; i < 3; i++)
        close_session(&s[i], &pool);
    lli_pool_finish(&pool);
}

/* A full block that is cut into is copied, and where there is no room for that written in place. */
static void test_cut_in_place(void **state)
{
    struct lli_pool pool;
    struct session a;
    (void)state;
    open_pool(&pool, 4);
    open_session(&a, &pool, 0, 0);
    assert_int_equal(grow(&a, &pool, 2 * B), LLMINF_OK);
    lli_table_cut(&a.table, &pool, 2 * B - 1);
    a.tokens[2 * B - 1] = -7;
    assert_int_equal(lli_table_need(&a.table, &pool, 3 * B), 1);
    assert_int_equal(grow(&a, &pool, 2 * B), LLMINF_OK); /* by copy: the old one stays cached */
    assert_int_equal(pool.n_cached, 1);
    assert_int_equal(grow(&a, &pool, 3 * B), LLMINF_OK);
    lli_table_cut(&a.table, &pool, 3 * B - 1);
    a.tokens[3 * B - 1] = -8;
    assert_int_equal(lli_pool_available(&pool), 0);
    assert_int_equal(grow(&a, &pool, 3 * B), LLMINF_OK);
    assert_int_equal(a.table.n_published, 3);
    close_session(&a, &pool);
    lli_pool_finish(&pool);
}

/* 18: a block that two forks share and that one of them makes known in a plan is not written in place by the other, which was
 * cut into it. It is full and not yet known because another computed the same tokens in the same step, and failed. */
static void test_cut_beside_fork(void **state)
{
    struct lli_pool pool;
    struct session a, b, other;
    (void)state;
    open_pool(&pool, 12);
    open_session(&a, &pool, 0, 0);
    open_session(&b, &pool, 0, 0);
    open_session(&other, &pool, 0, 0);
    assert_int_equal(lli_table_extend(&other.table, &pool, B), LLMINF_OK);
    lli_table_enter(&other.table, &pool, other.tokens, B);
    assert_int_equal(grow(&a, &pool, B), LLMINF_OK);
    lli_table_roll_back(&other.table, &pool);
    assert_int_equal(a.table.n_published, 0);
    lli_table_fork(&b.table, &pool, &a.table);
    lli_table_cut(&b.table, &pool, B - 1);
    uint32_t shared = a.table.blocks[0][0];
    assert_int_equal(lli_table_extend(&a.table, &pool, B + 1), LLMINF_OK);
    lli_table_enter(&a.table, &pool, a.tokens, B + 1);
    assert_int_equal(pool.blocks[shared].state, LLI_BLOCK_PENDING);
    b.tokens[B - 1] = -7;
    assert_int_equal(lli_table_need(&b.table, &pool, B), 1);
    assert_int_equal(lli_table_extend(&b.table, &pool, B), LLMINF_OK);
    assert_int_not_equal(b.table.blocks[0][0], shared);
    assert_int_equal(b.table.n_copies, 1);
    assert_int_equal(b.table.copies[0].src, shared);
    lli_table_enter(&b.table, &pool, b.tokens, B);
    lli_table_commit(&a.table, &pool, a.tokens, B + 1);
    lli_table_commit(&b.table, &pool, b.tokens, B);
    assert_int_equal(a.table.n_published, 1);
    assert_int_equal(b.table.n_published, 1);
    check_pool(&pool);
    close_session(&a, &pool);
    close_session(&b, &pool);
    close_session(&other, &pool);
    lli_pool_finish(&pool);
}

/* 4: takes are served from what is free, then from what was given up first, its end before its beginning. */
static void test_recycling(void **state)
{
    struct lli_pool pool;
    struct session s[3];
    uint32_t want[6], n = 0;
    (void)state;
    open_pool(&pool, 8);
    for (int i = 0; i < 3; i++) {
        open_session(&s[i], &pool, 1000 * i, 0);
        assert_int_equal(grow(&s[i], &pool, 2 * B), LLMINF_OK);
    }
    for (int i = 2; i >= 0; i--) {
        want[n++] = s[i].table.blocks[0][1];
        want[n++] = s[i].table.blocks[0][0];
        close_session(&s[i], &pool);
    }
    assert_int_equal(pool.n_cached, 6);
    assert_int_equal(lli_pool_take(&pool, 0), 7); /* the one that was never used */
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(lli_pool_take(&pool, 0), want[i]);
    assert_int_equal(lli_pool_take(&pool, 0), LLI_NONE);
    lli_pool_finish(&pool);
}

/* 12: what was found, and what is to be copied, survives the taking of all other blocks; one more, and nothing is taken. */
static void test_found_survives(void **state)
{
    struct lli_pool pool;
    struct session a, b, c;
    (void)state;
    for (uint32_t n_blocks = 6; n_blocks <= 7; n_blocks++) {
        uint32_t found[4];
        open_pool(&pool, n_blocks);
        open_session(&a, &pool, 0, 0);
        open_session(&b, &pool, 0, 0);
        open_session(&c, &pool, 0, 0);
        assert_int_equal(grow(&a, &pool, 3 * B + 1), LLMINF_OK);
        memcpy(found, a.table.blocks[0], sizeof found);
        lli_table_cut(&a.table, &pool, 0);
        assert_int_equal(find(&c, &pool, 3 * B + 1), 3 * B + 1); /* all cached blocks are in use now */
        assert_int_equal(find(&b, &pool, 3 * B + 1), 3 * B + 1);
        assert_int_equal(lli_table_need(&b.table, &pool, 4 * B + 1), 2); /* a copy and a new one */
        int32_t status = lli_table_extend(&b.table, &pool, 4 * B + 1);
        assert_int_equal(status, n_blocks == 7 ? LLMINF_OK : LLMINF_E_FULL);
        assert_memory_equal(b.table.blocks[0], found, 3 * sizeof *found);
        assert_int_equal(b.table.n_copies, n_blocks == 7);
        if (n_blocks == 7) {
            assert_int_equal(b.table.copies[0].src, found[3]);
            assert_int_equal(pool.blocks[found[3]].holds, 1);
            assert_int_equal(pool.blocks[found[3]].n_filled, 1);
            assert_int_equal(lli_pool_available(&pool), 0);
            lli_table_commit(&b.table, &pool, b.tokens, 4 * B + 1);
        } else {
            assert_int_equal(b.table.blocks[0][3], found[3]);
        }
        check_pool(&pool);
        close_session(&c, &pool);
        close_session(&b, &pool);
        close_session(&a, &pool);
        lli_pool_finish(&pool);
    }
}

/* 19: a session that goes on differently from inside its last block: the bytes that change are nobody's source. */
static void test_overwritten_tail(void **state)
{
    enum { FILLED = B > 2 ? 6 : 1, KEPT = B > 2 ? 3 : 0 };
    struct lli_pool pool;
    struct session a, b;
    struct lli_hit hit;
    (void)state;
    for (int has_room = 0; has_room < 2 && KEPT > 0; has_room++)
        for (int is_read = 0; is_read < 2; is_read++) {
            open_pool(&pool, has_room ? 8 : is_read ? 5 : 3);
            open_session(&a, &pool, 0, 0);
            open_session(&b, &pool, 0, 0);
            assert_int_equal(grow(&a, &pool, B + FILLED), LLMINF_OK);
            uint32_t tail = a.table.blocks[0][1];
            if (is_read) { /* a copy of all that is filled is under way */
                assert_int_equal(find(&b, &pool, B + FILLED), B + FILLED);
                assert_int_equal(lli_table_extend(&b.table, &pool, B + FILLED + 1), LLMINF_OK);
                assert_int_equal(b.table.copies[0].src, tail);
                assert_int_equal(b.table.copies[0].n_tokens, FILLED);
            }
            lli_table_cut(&a.table, &pool, B + KEPT);
            a.tokens[B + KEPT] = -5;
            assert_int_equal(lli_table_extend(&a.table, &pool, B + KEPT + 1), LLMINF_OK);
            if (a.table.blocks[0][1] == tail) { /* in place: what is trusted is what stays */
                assert_false(has_room || is_read);
                assert_int_equal(pool.blocks[tail].n_filled, KEPT);
            } else {
                assert_int_equal(a.table.copies[0].n_tokens, KEPT);
            }
            if (!is_read) {
                lli_table_find(&hit, &b.table, &pool, b.tokens, B + FILLED);
                assert_true(hit.n_tokens <= (a.table.blocks[0][1] == tail ? B + KEPT : B + FILLED));
            }
            lli_table_commit(&a.table, &pool, a.tokens, B + KEPT + 1);
            if (is_read)
                lli_table_commit(&b.table, &pool, b.tokens, B + FILLED + 1);
            check_pool(&pool);
            close_session(&a, &pool);
            close_session(&b, &pool);
            lli_pool_finish(&pool);
        }
}

/* 10, 20, 21: layers that see all, and layers that see a window. */
static void test_windows(void **state)
{
    static const uint32_t windows[] = {0, B};
    struct lli_pool pool;
    struct session a, b;
    uint32_t ids[4], n_trimmed;
    (void)state;
    assert_int_equal(lli_pool_init(&pool, &heap, 40, windows, 2, 42), LLMINF_OK);
    open_session(&a, &pool, 0, 0);
    open_session(&b, &pool, 0, 0);
    for (uint32_t n = 1; n <= 6 * B; n++) {
        assert_int_equal(grow(&a, &pool, n), LLMINF_OK);
        assert_true(a.table.n - a.table.n_dropped[1] <= 2);
    }
    uint32_t available = lli_pool_available(&pool);
    assert_int_equal(find(&b, &pool, 6 * B), 6 * B); /* a full hit: the last row again, all that it sees is there */
    assert_int_equal(lli_table_need(&b.table, &pool, 6 * B), 0);
    assert_int_equal(lli_pool_available(&pool), available);
    assert_int_equal(b.table.n_dropped[1], 5);
    assert_int_equal(b.table.blocks[1][5], a.table.blocks[1][5]);
    lli_table_cut(&b.table, &pool, 0);
    lli_table_cut(&a.table, &pool, 3 * B); /* what the next row would see has been dropped */
    assert_int_equal(a.table.n_computed, 0);
    assert_int_equal(find(&a, &pool, 3 * B), 3 * B); /* but not forgotten yet */
    lli_table_cut(&a.table, &pool, 0);
    for (n_trimmed = 0; find(&b, &pool, 3 * B) == 3 * B; n_trimmed++) {
        lli_table_cut(&b.table, &pool, 0);
        assert_int_equal(lli_pool_trim(&pool, pool.n_cached - 1, ids, 4), 1);
    }
    assert_true(n_trimmed > 0 && b.table.n_computed < 3 * B); /* the longest that is whole in both */
    for (uint32_t g = 0; g < 2; g++)
        for (uint32_t i = b.table.n_dropped[g]; i < b.table.n; i++)
            assert_int_not_equal(b.table.blocks[g][i], 0);
    close_session(&a, &pool);
    close_session(&b, &pool);
    lli_pool_finish(&pool);
}

/* Cached blocks can be given up, oldest first, and are not found any more. */
static void test_trim(void **state)
{
    struct lli_pool pool;
    struct session a;
    uint32_t ids[8], second;
    (void)state;
    open_pool(&pool, 9);
    open_session(&a, &pool, 0, 0);
    assert_int_equal(grow(&a, &pool, 4 * B), LLMINF_OK);
    assert_int_equal(lli_pool_trim(&pool, 0, ids, 8), 0);
    second = a.table.blocks[0][1];
    lli_table_cut(&a.table, &pool, 0);
    assert_int_equal(lli_pool_trim(&pool, 1, ids, 2), 2);
    assert_int_equal(lli_pool_trim(&pool, 1, ids, 2), 1);
    assert_int_equal(ids[0], second);
    check_pool(&pool);
    assert_int_equal(find(&a, &pool, 4 * B), B);
    close_session(&a, &pool);
    lli_pool_finish(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_order), cmocka_unit_test(test_refused),        cmocka_unit_test(test_check),
        cmocka_unit_test(test_no_memory),  cmocka_unit_test(test_index),          cmocka_unit_test(test_table_sizes),
        cmocka_unit_test(test_exact_fit),  cmocka_unit_test(test_hits),           cmocka_unit_test(test_misses),
        cmocka_unit_test(test_same),       cmocka_unit_test(test_fork_and_cut),   cmocka_unit_test(test_cut_in_place),
        cmocka_unit_test(test_trim),       cmocka_unit_test(test_waste),          cmocka_unit_test(test_cut_beside_fork),
        cmocka_unit_test(test_recycling),  cmocka_unit_test(test_found_survives), cmocka_unit_test(test_overwritten_tail),
        cmocka_unit_test(test_windows),
    };
    return cmocka_run_group_tests(tests, make_heap, check_heap);
}
