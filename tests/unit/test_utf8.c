/* UTF-8 against a second opinion: an encoder written the plain way says which byte strings are characters. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support.h"

static size_t encode(uint8_t out[4], uint32_t code)
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xC0 + code / 64);
        out[1] = (uint8_t)(0x80 + code % 64);
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xE0 + code / 4096);
        out[1] = (uint8_t)(0x80 + code / 64 % 64);
        out[2] = (uint8_t)(0x80 + code % 64);
        return 3;
    }
    out[0] = (uint8_t)(0xF0 + code / 262144);
    out[1] = (uint8_t)(0x80 + code / 4096 % 64);
    out[2] = (uint8_t)(0x80 + code / 64 % 64);
    out[3] = (uint8_t)(0x80 + code % 64);
    return 4;
}

static void every_character(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        uint8_t bytes[4];
        size_t n = encode(bytes, code);
        uint32_t got = 0;
        if (code >= 0xD800 && code <= 0xDFFF) {
            if (lli_utf8_valid(bytes, n) != 0 || lli_utf8_read(&got, bytes, n) != 0)
                fail_msg("surrogate %x passed", code);
            continue;
        }
        char written[4];
        if (lli_utf8_read(&got, bytes, n) != n || got != code || lli_utf8_valid(bytes, n) != n ||
            lli_utf8_write(written, code) != n || memcmp(written, bytes, n) != 0)
            fail_msg("%x", code);
        for (size_t cut = 1; cut < n; cut++) {
            if (lli_utf8_read(&got, bytes, cut) != 0 || lli_utf8_valid(bytes, cut) != 0 || lli_utf8_pending(bytes, cut) != cut)
                fail_msg("%x cut to %zu bytes", code, cut);
        }
        if (lli_utf8_pending(bytes, n) != 0)
            fail_msg("%x is whole", code);
    }
}

/* All strings of two bytes, and of three and four from the edges of the table: valid only if the encoder makes them. */
static int is_character(const uint8_t *bytes, size_t n)
{
    static const uint8_t marks[5] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t code = bytes[0] & marks[n];
    for (size_t i = 1; i < n; i++)
        code = code * 64 + (bytes[i] & 0x3F);
    uint8_t again[4];
    return code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF) && encode(again, code) == n && memcmp(again, bytes, n) == 0;
}

static void every_edge(void **state)
{
    (void)state;
    static const uint8_t edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
                                    0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFC, 0xFE, 0xFF};
    size_t n_edges = sizeof edges, total = n_edges * n_edges * n_edges * n_edges;
    for (size_t i = 0; i < total; i++) {
        uint8_t s[4] = {edges[i % n_edges], edges[i / n_edges % n_edges], edges[i / n_edges / n_edges % n_edges],
                        edges[i / n_edges / n_edges / n_edges]};
        size_t want = 0;
        for (size_t n = 1; n <= 4; n++)
            want = want ? want : is_character(s, n) ? n : 0;
        uint32_t code;
        if (lli_utf8_read(&code, s, 4) != want)
            fail_msg("%02x %02x %02x %02x: want %zu", s[0], s[1], s[2], s[3], want);
    }
    for (unsigned i = 0; i < 65536; i++) {
        uint8_t s[2] = {(uint8_t)(i >> 8), (uint8_t)i};
        uint32_t code;
        size_t want = is_character(s, 1) ? 1 : is_character(s, 2) ? 2 : 0;
        if (lli_utf8_read(&code, s, 2) != want)
            fail_msg("%04x: want %zu", i, want);
    }
}

/* The first bad byte at every place of a text, so that it meets the eight-byte path at every phase. */
static void first_bad_byte(void **state)
{
    (void)state;
    assert_int_equal(lli_utf8_valid(NULL, 0), 0);
    for (size_t n = 1; n < 40; n++) {
        for (size_t at = 0; at < n; at++) {
            uint8_t *text = malloc(n);
            memset(text, 'a', n);
            text[at] = 0xFF;
            assert_int_equal(lli_utf8_valid(text, n), at);
            text[at] = 'b';
            assert_int_equal(lli_utf8_valid(text, n), n);
            if (at + 2 <= n) {
                memcpy(text + at, "\xc3\xa9", 2);
                assert_int_equal(lli_utf8_valid(text, n), n);
            }
            free(text);
        }
    }
}

static void pending(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t pending;
    } rows[] = {
        {"", 0},
        {"abc", 0},
        {"ab\xc3", 1},
        {"ab\xe2\x82", 2},
        {"ab\xf0\x9f\x98", 3},
        {"\xc3\xa9", 0},
        {"\xc3\xa9\xe2", 1},
        {"\x80", 0},
        {"\xff", 0},
        {"\xc0", 0},
        {"\xe0\x80", 0},
        {"\xed\xa0", 0},
        {"\xf4\x90", 0},
        {"\xf0\x80", 0},
        {"\xe2\x82\xac\xe2\x82", 2},
        {"\xc3\x80\x80", 0},
        {"\xf5", 0},
        {"\xe2\xe2", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(lli_utf8_pending(rows[i].text, strlen(rows[i].text)), rows[i].pending);
}

#define BAD "\xEF\xBF\xBD"

/* The examples of the standard, tables 3-8 to 3-11. */
static void repair(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } rows[] = {
        {"", ""},
        {"plain \xe2\x82\xac", "plain \xe2\x82\xac"},
        {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", BAD BAD BAD BAD BAD BAD BAD BAD "A"},
        {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", BAD BAD BAD BAD BAD BAD BAD BAD "A"},
        {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", BAD BAD BAD BAD BAD "A" BAD BAD "B"},
        {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", BAD BAD BAD BAD "A"},
        {"x\xF0\x9F\x98", "x" BAD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[64];
        size_t n = strlen(rows[i].from), want = strlen(rows[i].to);
        assert_int_equal(lli_utf8_repair(NULL, rows[i].from, n), want);
        assert_int_equal(lli_utf8_repair(out, rows[i].from, n), want);
        assert_memory_equal(out, rows[i].to, want);
    }
}

static void repair_of_anything_is_valid(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (int round = 0; round < 5000; round++) {
        uint8_t bytes[40];
        size_t n = support_random(&seed) % sizeof bytes;
        for (size_t i = 0; i < n; i++) /* mostly leads and continuations */
            bytes[i] = (uint8_t)(support_random(&seed) >> 8 | (support_random(&seed) % 4 ? 0x80 : 0));
        char out[3 * sizeof bytes], again[9 * sizeof bytes];
        size_t len = lli_utf8_repair(out, bytes, n);
        assert_in_range(len, 0, 3 * n);
        assert_int_equal(lli_utf8_valid(out, len), len);
        assert_int_equal(lli_utf8_repair(again, out, len), len);
        assert_memory_equal(again, out, len);
        size_t rest = lli_utf8_pending(bytes, n); /* a valid start stays what it is */
        if (lli_utf8_valid(bytes, n) == n - rest)
            assert_memory_equal(out, bytes, n - rest);
    }
}

static void escape(void **state)
{
    (void)state;
    char out[64];
    static const char text[] = "a\n\r\t\0\x1b\xc3\xa9\xff\xe2\x80\xa8z";
    static const char want[] = "a\\n\\r\\t\\x00\\x1B\xc3\xa9\\xFF\\xE2\\x80\\xA8z";
    assert_int_equal(lli_utf8_escape(out, sizeof out, text, sizeof text - 1), sizeof want - 1);
    assert_string_equal(out, want);
    assert_int_equal(lli_utf8_escape(NULL, 0, text, sizeof text - 1), 0);
    assert_int_equal(lli_utf8_escape(out, 1, "a", 1), 0);
    assert_string_equal(out, "");
    assert_int_equal(lli_utf8_escape(out, 4, "ab\n", 3), 2); /* no half escape */
    assert_string_equal(out, "ab");
    assert_int_equal(lli_utf8_escape(out, 5, "ab\n", 3), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character), cmocka_unit_test(every_edge), cmocka_unit_test(first_bad_byte),
        cmocka_unit_test(pending),         cmocka_unit_test(repair),     cmocka_unit_test(repair_of_anything_is_valid),
        cmocka_unit_test(escape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
