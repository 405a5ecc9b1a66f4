/* The map and the hash under it. */
#include "base/map.h"
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "support.h"

#define N_KEYS 20000

/* Key i: a length that depends on i, its number in front. */
static uint8_t bytes[N_KEYS][12];

static size_t key_len(uint32_t i)
{
    return 4 + i % 9;
}

static int make_keys(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < N_KEYS; i++)
        memcpy(bytes[i], &i, sizeof i);
    return 0;
}

static struct support_heap host;
static struct lli_heap heap;

static int make_heap(void **state)
{
    (void)state;
    memset(&host, 0, sizeof host);
    lli_heap_init(&heap, support_alloc, support_release, &host);
    return 0;
}

static void keys_are_found(void **state)
{
    (void)state;
    struct lli_map map;
    assert_int_equal(lli_map_init(&map, &heap, 0), 0);
    for (uint32_t i = 0; i < N_KEYS; i += 2)
        assert_int_equal(lli_map_put(&map, bytes[i], key_len(i), i * 3), 0);
    assert_int_equal(map.n, N_KEYS / 2);
    assert_true(map.n * 10 <= (map.mask + 1) * 7);
    for (uint32_t i = 0; i < N_KEYS; i++) {
        uint32_t value = 77;
        uint8_t copy[12]; /* the bytes decide, not the pointer */
        memcpy(copy, bytes[i], sizeof copy);
        assert_int_equal(lli_map_find(&map, copy, key_len(i), &value), i % 2 == 0);
        assert_int_equal(value, i % 2 == 0 ? i * 3 : 77);
    }
    assert_int_equal(lli_map_find(&map, bytes[0], key_len(0) - 1, NULL), 0);
    assert_int_equal(lli_map_find(&map, bytes[0], key_len(0), NULL), 1);
    lli_map_finish(&map);
    lli_map_finish(&map);
    assert_true(host.live_bytes == 0);
}

static void first_value_stays(void **state)
{
    (void)state;
    struct lli_map map;
    uint32_t value;
    assert_int_equal(lli_map_init(&map, &heap, 1), 0);
    assert_int_equal(lli_map_put(&map, "ab", 2, 1), 0);
    assert_int_equal(lli_map_put(&map, "ab", 2, 2), 1);
    assert_int_equal(lli_map_put(&map, "", 0, 3), 0);
    assert_int_equal(lli_map_put(&map, "x", 0, 4), 1);
    assert_int_equal(lli_map_find(&map, "ab", 2, &value), 1);
    assert_int_equal(value, 1);
    assert_int_equal(lli_map_find(&map, "y", 0, &value), 1);
    assert_int_equal(value, 3);
    assert_int_equal(map.n, 2);
    lli_map_finish(&map);
}

static void room_is_made_at_once(void **state)
{
    (void)state;
    for (size_t n = 0; n < 3000; n = n * 2 + 1) {
        struct lli_map map;
        support_heap_arm(&host, 0, 0);
        assert_int_equal(lli_map_init(&map, &heap, n), 0);
        for (uint32_t i = 0; i < n; i++)
            assert_int_equal(lli_map_put(&map, bytes[i], key_len(i), i), 0);
        assert_true(host.n_calls == 1);
        lli_map_finish(&map);
    }
}

static void without_memory(void **state)
{
    (void)state;
    struct lli_map map = {0};
    assert_int_equal(lli_map_find(&map, "a", 1, NULL), 0);
    lli_map_finish(&map);
    support_heap_arm(&host, 1, 0);
    assert_int_equal(lli_map_init(&map, &heap, 100), -1);
    lli_map_finish(&map);
    assert_int_equal(lli_map_init(&map, &heap, SIZE_MAX), -1);
    lli_map_finish(&map);

    support_heap_arm(&host, 3, 1);
    assert_int_equal(lli_map_init(&map, &heap, 0), 0);
    uint32_t entered = 0;
    while (lli_map_put(&map, bytes[entered], key_len(entered), entered) == 0)
        entered++;
    assert_in_range(entered, 10, 100);
    assert_int_equal(map.n, entered); /* as before the call that failed */
    for (uint32_t i = 0; i < entered; i++)
        assert_int_equal(lli_map_find(&map, bytes[i], key_len(i), NULL), 1);
    assert_int_equal(lli_map_find(&map, bytes[entered], key_len(entered), NULL), 0);
    assert_int_equal(lli_map_put(&map, bytes[0], key_len(0), 9), 1); /* known keys need no memory */
    support_heap_arm(&host, 0, 0);
    assert_int_equal(lli_map_put(&map, bytes[entered], key_len(entered), entered), 0);
    lli_map_finish(&map);
    assert_true(host.live_bytes == 0);
}

/* Values of the published algorithm: they stand in saved files. */
static void hash_is_xxh3(void **state)
{
    (void)state;
    assert_true(lli_hash("", 0, 0) == 0x2D06800538D394C2u);
    assert_true(lli_hash("abc", 3, 0) != lli_hash("abc", 3, 1));
    assert_true(lli_hash("abc", 3, 0) == lli_hash("abcd", 3, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(keys_are_found, make_heap),
        cmocka_unit_test_setup(first_value_stays, make_heap),
        cmocka_unit_test_setup(room_is_made_at_once, make_heap),
        cmocka_unit_test_setup(without_memory, make_heap),
        cmocka_unit_test(hash_is_xxh3),
    };
    return cmocka_run_group_tests(tests, make_keys, NULL);
}
