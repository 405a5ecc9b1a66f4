/* Sessions as bytes, over a forward without arithmetic. The numbers in comments are those of the oracles in the design of the
 * engine. */
#include "engine/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/hash.h"
#include "engine/roster.h"
#include "engine/timeline.h"
#include "forward/forward.h"
#include "llminf/status.h"
#include "support/flight.h"

enum { B = LLI_BLOCK_TOKENS };

static struct flight f, g;

/* Of the models that all tests go through: all layers see all; some, or none of them. */
static const struct kind {
    uint32_t n_global, n_local, window;
} kinds[] = {{1, 0, 0}, {1, 2, B + 3}, {0, 1, 2 * B}};

static const struct kind *kind;

/* A pool of so many blocks for each group of layers. */
static void init(struct flight *flight, uint32_t n_blocks)
{
    struct lli_engine_size size;
    flight_init(flight, 100);
    null_engine_window(&flight->e.config, kind->n_global, kind->n_local, kind->window);
    assert_int_equal(lli_engine_size(&size, &flight->e.options, NULL), LLMINF_OK);
    null_engine_pool(&flight->e, 1 + (n_blocks - 1) * size.n_groups);
}

struct bytes {
    uint8_t at[65536];
    size_t n;
};

static struct bytes saved;

static int32_t take(void *user, const void *bytes, size_t n, struct llminf_error *err)
{
    struct bytes *to = user;
    (void)err;
    memcpy(to->at + to->n, bytes, n);
    to->n += n;
    return LLMINF_OK;
}

static const struct lli_snapshot_sink sink = {.write = take, .user = &saved};

/* A session of n tokens and some more, saved. */
static void save(uint32_t n, int64_t more)
{
    init(&f, 200);
    engine_open(&f.e);
    flight_add(&f, n, 0, 1, more);
    flight_run(&f);
    saved.n = 0;
    assert_int_equal(lli_snapshot_write(f.t[0], &sink, NULL), LLMINF_OK);
    flight_check(&f);
    assert_int_equal(f.e.engine->n_saving, 0);
}

/* 55: gone on in another context, and beside the first. */
static void test_going_on(void **state)
{
    static const uint32_t lengths[] = {1, B - 1, B, B + 1, 3 * B, 3 * B + 5, 100};
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (uint32_t n_blocks = 20 * 16 / B; n_blocks > 0; n_blocks = n_blocks > 10 * 16 / B ? 10 * 16 / B : 0) {
            int64_t rows;
            save(lengths[i], i % 3 * 5);
            null_forward_reset();
            init(&g, n_blocks);
            engine_open(&g.e);
            assert_int_equal(lli_snapshot_read(&g.t[0], g.e.engine, saved.at, saved.n, NULL, NULL), LLMINF_OK);
            uint32_t n_whole = f.t[0]->table.n_computed / B * B, n_kept = lli_table_kept(&g.e.engine->pool, n_whole);
            assert_int_equal(g.t[0]->table.n_computed, n_whole);
            assert_int_equal(lli_table_held(&g.t[0]->table, &g.e.engine->pool), n_kept); /* no more is saved than is kept */
            assert_true(saved.n >= n_kept * lli_forward_saved_bytes(g.e.engine->forward) + 4 * f.stories[0].n);
            assert_true(saved.n <= n_kept * lli_forward_saved_bytes(g.e.engine->forward) + 4 * f.stories[0].n + 120);
            g.n = 1;
            g.stories[0] = f.stories[0];
            g.params[0] = f.params[0];
            g.params[0].max_tokens = 9;
            g.params[0].echo = 1;
            flight_check(&g);
            flight_ask(&g, 0);
            rows = null_forward_rows();
            flight_run(&g);
            assert_true(null_forward_rows() - rows <= B + 1 + 9); /* nothing of the blocks was computed again */
            flight_close(&g);
            f.params[0] = g.params[0];
            flight_ask(&f, 0);
            flight_run(&f);
            flight_close(&f);
        }
}

/* 55: a session that has no blocks any more is saved without keys and values, and computed again. */
static void test_without_blocks(void **state)
{
    size_t with;
    (void)state;
    save(3 * B + 1, 4);
    with = saved.n;
    lli_timeline_truncate(f.t[0], f.stories[0].n, NULL);
    assert_int_equal(lli_roster_release(f.e.engine, NULL), 1);
    saved.n = 0;
    assert_int_equal(lli_snapshot_write(f.t[0], &sink, NULL), LLMINF_OK);
    assert_true(saved.n < with);
    init(&g, 60 * 16 / B);
    engine_open(&g.e);
    assert_int_equal(lli_snapshot_read(&g.t[0], g.e.engine, saved.at, saved.n, NULL, NULL), LLMINF_OK);
    assert_int_equal(g.t[0]->table.n_computed, 0);
    for (struct flight *each = &f; each; each = each == &f ? &g : NULL) {
        each->n = 1;
        each->stories[0] = f.stories[0];
        each->stories[0].n = 3 * B + 5;
        each->stories[0].n_said = each->stories[0].n;
        each->params[0] = f.params[0];
        each->params[0].max_tokens = 9;
    }
    flight_ask(&f, 0);
    flight_ask(&g, 0);
    flight_run(&f);
    flight_run(&g);
    flight_close(&f);
    flight_close(&g);
}

/* 57: not found by others, but shared where others have it already. */
static void test_isolation(void **state)
{
    struct lli_timeline_stats stats;
    struct null_story story;
    (void)state;
    save(4 * B, 0);
    assert_int_equal(lli_snapshot_read(&f.t[1], f.e.engine, saved.at, saved.n, NULL, NULL), LLMINF_OK);
    assert_int_equal(f.t[1]->table.blocks[0][0], f.t[0]->table.blocks[0][0]);
    f.stories[1] = f.stories[0];
    f.params[1] = f.params[0];
    f.n = 2;
    flight_check(&f);
    story = f.stories[0];
    flight_close(&f);
    init(&f, 200);
    engine_open(&f.e);
    assert_int_equal(lli_snapshot_read(&f.t[0], f.e.engine, saved.at, saved.n, NULL, NULL), LLMINF_OK);
    f.n = 1;
    f.stories[0] = story;
    f.params[0] = null_engine_params();
    f.params[0].max_tokens = 0;
    flight_ask(&f, 0);
    flight_run(&f);
    flight_add(&f, 4 * B, 0, 1, 2);
    flight_run(&f);
    lli_timeline_stats(f.t[1], &stats);
    assert_int_equal(stats.cached, 0);
    flight_close(&f);
}

/* 56: every truncation and every flipped bit is an error, and the context is as before. */
static void test_damage(void **state)
{
    struct lli_timeline *t;
    struct llminf_error err;
    (void)state;
    save(B + 3, 2);
    for (size_t n = 0; n < saved.n; n++)
        assert_int_equal(lli_snapshot_read(&t, f.e.engine, saved.at, n, NULL, &err), LLMINF_E_FORMAT);
    for (size_t bit = 0; bit < 8 * saved.n; bit++) {
        saved.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(lli_snapshot_read(&t, f.e.engine, saved.at, saved.n, NULL, &err), LLMINF_E_FORMAT);
        assert_null(t);
        saved.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(engine_stats(&f.e).sessions, 1);
    flight_check(&f);
    f.e.engine->fingerprint++; /* another model */
    assert_int_equal(lli_snapshot_read(&t, f.e.engine, saved.at, saved.n, NULL, &err), LLMINF_E_MISMATCH);
    assert_string_equal(err.subject, "model");
    f.e.engine->fingerprint--;
    f.e.engine->kv_type++;
    assert_int_equal(lli_snapshot_read(&t, f.e.engine, saved.at, saved.n, NULL, &err), LLMINF_E_MISMATCH);
    assert_string_equal(err.subject, "kv_type");
    f.e.engine->kv_type--;
    struct lli_timeline_options narrow = {.max_length = 3};
    assert_int_equal(lli_snapshot_read(&t, f.e.engine, saved.at, saved.n, &narrow, &err), LLMINF_E_TOO_LONG);
    flight_close(&f);
}

/* Other windows than this model's; and a file of version 2, which knew none. */
static void test_windows(void **state)
{
    enum { GROUPS_AT = 72 };
    struct lli_timeline *t;
    struct llminf_error err;
    (void)state;
    save(4 * B, 2);
    struct lli_pool *pool = &f.e.engine->pool;
    pool->windows[pool->n_groups - 1]++;
    assert_int_equal(lli_snapshot_read(&t, f.e.engine, saved.at, saved.n, NULL, &err), LLMINF_E_MISMATCH);
    assert_string_equal(err.subject, "window");
    pool->windows[pool->n_groups - 1]--;
    size_t n_cut = 4 + 4 * (size_t)pool->n_groups;
    memmove(saved.at + GROUPS_AT, saved.at + GROUPS_AT + n_cut, saved.n - n_cut - GROUPS_AT);
    saved.n -= n_cut;
    saved.at[8] = 2;
    uint64_t sum = lli_hash(saved.at, saved.n - 8, 0);
    memcpy(saved.at + saved.n - 8, &sum, sizeof sum);
    int32_t status = lli_snapshot_read(&t, f.e.engine, saved.at, saved.n, NULL, &err);
    assert_int_equal(status, kind->window > 0 ? LLMINF_E_MISMATCH : LLMINF_OK);
    lli_timeline_close(t);
    flight_close(&f);
}

/* Each allocation fails once, and the sink too. */
static int32_t refuse(void *user, const void *bytes, size_t n, struct llminf_error *err)
{
    (void)user;
    (void)bytes;
    (void)n;
    return lli_fail(err, LLMINF_E_IO, "sink", "is full");
}

static void test_failures(void **state)
{
    const struct lli_snapshot_sink full = {.write = refuse};
    struct lli_timeline *t;
    int32_t status;
    (void)state;
    save(3 * B + 1, 0);
    assert_int_equal(lli_snapshot_write(f.t[0], &full, NULL), LLMINF_E_IO);
    flight_check(&f);
    for (int64_t i = 1;
         (saved.n = 0, support_heap_arm(&f.e.host, i, 0), status = lli_snapshot_write(f.t[0], &sink, NULL)) != LLMINF_OK; i++) {
        assert_int_equal(status, LLMINF_E_MEMORY);
        assert_true(i < 20);
    }
    for (int64_t i = 1; (support_heap_arm(&f.e.host, i, 0),
                         status = lli_snapshot_read(&t, f.e.engine, saved.at, saved.n, NULL, NULL)) != LLMINF_OK;
         i++) {
        assert_int_equal(status, LLMINF_E_MEMORY);
        assert_int_equal(engine_stats(&f.e).sessions, 1);
        assert_true(i < 20);
    }
    support_heap_arm(&f.e.host, 0, 0);
    lli_timeline_close(t);
    flight_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_going_on), cmocka_unit_test(test_without_blocks), cmocka_unit_test(test_isolation),
        cmocka_unit_test(test_damage),   cmocka_unit_test(test_windows),        cmocka_unit_test(test_failures),
    };
    int failed = 0;
    for (kind = kinds; kind < kinds + sizeof kinds / sizeof *kinds; kind++)
        failed |= cmocka_run_group_tests(tests, NULL, NULL);
    return failed;
}
