/* The cursor over hostile bytes: exact reads, sticky failure, counts that lie. */
#include "base/reader.h"
#include "base/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void little_endian(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0xFF, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0x8E, 'x', 'y'};
    struct lli_reader r;
    lli_reader_init(&r, bytes, sizeof bytes);
    assert_int_equal(lli_reader_u8(&r), 0xFF);
    assert_int_equal(lli_reader_u16(&r), 0x0201);
    assert_true(lli_reader_u32(&r) == 0x06050403u);
    assert_true(lli_reader_u64(&r) == 0x8E0D0C0B0A090807u);
    assert_int_equal(lli_reader_pos(&r), 15);
    assert_int_equal(lli_reader_left(&r), 2);
    assert_ptr_equal(lli_reader_bytes(&r, 2), bytes + 15);
    assert_int_equal(r.failed, 0);
    assert_non_null(lli_reader_bytes(&r, 0)); /* nothing of nothing is fine */
    assert_int_equal(r.failed, 0);
    assert_int_equal(lli_reader_u8(&r), 0);
    assert_int_equal(r.failed, 1);
}

/* A failed read of any width leaves the place and makes all later reads zero, though bytes are left. */
static void failure_is_sticky(void **state)
{
    (void)state;
    for (size_t n = 0; n < 8; n++) {
        uint8_t *bytes = malloc(n ? n : 1);
        memset(bytes, 0xAB, n ? n : 1);
        struct lli_reader r;
        lli_reader_init(&r, bytes, n);
        assert_true(lli_reader_u64(&r) == 0);
        assert_int_equal(r.failed, 1);
        assert_int_equal(lli_reader_pos(&r), 0);
        assert_int_equal(lli_reader_u8(&r), 0);
        assert_int_equal(lli_reader_u16(&r), 0);
        assert_int_equal(lli_reader_u32(&r), 0);
        assert_null(lli_reader_bytes(&r, 0));
        assert_true(lli_reader_count(&r, 0) == 0);
        assert_int_equal(lli_reader_left(&r), n);
        free(bytes);
    }
}

static void lengths_that_lie(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {9, 1u << 31, 1ull << 32, 1ull << 62, INT64_MAX, 1ull << 63, UINT64_MAX - 7, UINT64_MAX};
    static const uint8_t bytes[8];
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct lli_reader r;
        lli_reader_init(&r, bytes, sizeof bytes);
        assert_null(lli_reader_bytes(&r, lengths[i]));
        assert_int_equal(r.failed, 1);
        assert_int_equal(lli_reader_pos(&r), 0);
    }
}

static void counts_are_held_against_the_bytes(void **state)
{
    (void)state;
    static const struct {
        uint64_t count, min_bytes;
        int good;
    } rows[] = {
        {0, 1, 1},          {16, 1, 1},         {17, 1, 0},
        {2, 8, 1},          {3, 8, 0},          {3, 5, 1},
        {4, 5, 0},          {1, 16, 1},         {1, 17, 0},
        {0, 17, 1},         {1ull << 63, 2, 0}, {UINT64_MAX, UINT64_MAX, 0},
        {1ull << 61, 8, 0}, {UINT64_MAX, 1, 0}, {1, UINT64_MAX, 0},
        {UINT64_MAX, 0, 1}, /* elements that take no bytes: any number of them */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t bytes[24] = {0};
        for (unsigned j = 0; j < 8; j++)
            bytes[j] = (uint8_t)(rows[i].count >> (8 * j));
        struct lli_reader r;
        lli_reader_init(&r, bytes, sizeof bytes);
        assert_true(lli_reader_count(&r, rows[i].min_bytes) == (rows[i].good ? rows[i].count : 0));
        assert_int_equal(r.failed, !rows[i].good);
    }
}

static void empty_input(void **state)
{
    (void)state;
    struct lli_reader r;
    lli_reader_init(&r, NULL, 0);
    assert_int_equal(lli_reader_left(&r), 0);
    assert_non_null(lli_reader_bytes(&r, 0));
    assert_null(lli_reader_bytes(&r, 1));
    assert_int_equal(lli_reader_pos(&r), 0);
}

static void sizes(void **state)
{
    (void)state;
    size_t out = 5;
    assert_int_equal(lli_size_mul(&out, 6, 7), 0);
    assert_int_equal(out, 42);
    assert_int_not_equal(lli_size_mul(&out, SIZE_MAX / 2 + 1, 2), 0);
    assert_int_equal(lli_size_add(&out, SIZE_MAX - 1, 1), 0);
    assert_true(out == SIZE_MAX);
    assert_int_not_equal(lli_size_add(&out, SIZE_MAX, 1), 0);
    assert_true(out == SIZE_MAX);
    assert_int_equal(lli_size_pad(&out, 33, 32), 0);
    assert_int_equal(out, 64);
    assert_int_equal(lli_size_pad(&out, 64, 32), 0);
    assert_int_equal(out, 64);
    assert_int_equal(lli_size_pad(&out, 0, 32), 0);
    assert_int_equal(out, 0);
    assert_int_not_equal(lli_size_pad(&out, SIZE_MAX - 5, 32), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_endian),    cmocka_unit_test(failure_is_sticky),
        cmocka_unit_test(lengths_that_lie), cmocka_unit_test(counts_are_held_against_the_bytes),
        cmocka_unit_test(empty_input),      cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
