/* The JSON reader: what is one, what is none, limits, failing memory. */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/casing.h"
#include "base/error.h"
#include "base/limits.h"
#include "support.h"

static struct lli_heap heap;
static struct llminf_error error;

static int32_t read_bytes(struct lli_json *json, const char *text, size_t n)
{
    char *copy = malloc(n > 0 ? n : 1); /* of exactly its size: a sanitizer sees one byte too many */
    memcpy(copy, text, n);
    int32_t status = lli_json_read(json, &heap, copy, n, "json", &error);
    free(copy);
    return status;
}

static int32_t read_text(struct lli_json *json, const char *text)
{
    return read_bytes(json, text, strlen(text));
}

static void test_tree(void **state)
{
    struct lli_json json;
    (void)state;
    assert_int_equal(
        read_text(&json, " {\"a\" : [1, -2.5e1 ,null],\"b\":{\"c\":true},\n\"a\":\"x\\u00e9\\ud83d\\ude00\\n\"}\t"), 0);
    assert_int_equal(json.n, 12);
    assert_int_equal(json.values[0].kind, LLI_JSON_OBJECT);
    assert_int_equal(json.values[0].n, 3);
    assert_int_equal(json.values[0].end, json.n);
    assert_int_equal(json.values[2].kind, LLI_JSON_ARRAY);
    assert_int_equal(json.values[2].end, 6);
    assert_int_equal(json.values[3].number, 1);
    assert_true(json.values[4].real == -25.0);
    assert_int_equal(json.values[5].kind, LLI_JSON_NULL);
    assert_int_equal(lli_json_find(&json, 0, "a", 1), 11); /* the last of two */
    assert_string_equal(json.values[11].text, "x\xC3\xA9\xF0\x9F\x98\x80\n");
    assert_int_equal(json.values[11].n, 8);
    assert_int_equal(lli_json_find(&json, 0, "b", 1), 7);
    assert_int_equal(lli_json_find(&json, 7, "c", 1), 9);
    assert_int_equal(lli_json_find(&json, 0, "z", 1), 0);
    assert_int_equal(lli_json_find(&json, 2, "a", 1), 0);
    assert_int_equal(json.values[9].at, 35);
    lli_json_finish(&json);
    assert_int_equal(heap.live_bytes, 0);
}

static void test_leaves(void **state)
{
    static const struct {
        const char *text;
        uint32_t kind;
        int64_t number;
        double real;
        const char *string;
    } cases[] = {
        {"0", LLI_JSON_INT, 0, 0, NULL},
        {"-0", LLI_JSON_INT, 0, 0, NULL},
        {"9223372036854775807", LLI_JSON_INT, INT64_MAX, 0, NULL},
        {"-9223372036854775808", LLI_JSON_INT, INT64_MIN, 0, NULL},
        {"9223372036854775808", LLI_JSON_BIG, 0, 0, "9223372036854775808"},
        {"[1234567890123456789012,1]", LLI_JSON_ARRAY, 0, 0, NULL},
        {"0.1", LLI_JSON_FLOAT, 0, 0.1, NULL},
        {"1E+2", LLI_JSON_FLOAT, 0, 100, NULL},
        {"1e-400", LLI_JSON_FLOAT, 0, 0, NULL},
        {"\"\"", LLI_JSON_TEXT, 0, 0, ""},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", LLI_JSON_TEXT, 0, 0, "\"\\/\b\f\n\r\t"},
        {"\"\\u00E9\\u4f60\"", LLI_JSON_TEXT, 0, 0, "\xC3\xA9\xE4\xBD\xA0"},
        {"\x22\x7f\x22", LLI_JSON_TEXT, 0, 0, "\x7f"},
        {"true", LLI_JSON_TRUE, 0, 0, NULL},
        {"false", LLI_JSON_FALSE, 0, 0, NULL},
        {"null", LLI_JSON_NULL, 0, 0, NULL},
        {"[]", LLI_JSON_ARRAY, 0, 0, NULL},
        {"{}", LLI_JSON_OBJECT, 0, 0, NULL},
    };
    struct lli_json json;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(read_text(&json, cases[i].text), 0);
        assert_int_equal(json.values[0].kind, cases[i].kind);
        if (cases[i].kind == LLI_JSON_INT)
            assert_int_equal(json.values[0].number, cases[i].number);
        if (cases[i].kind == LLI_JSON_FLOAT)
            assert_true(json.values[0].real == cases[i].real);
        if (cases[i].string)
            assert_string_equal(json.values[0].text, cases[i].string);
        lli_json_finish(&json);
    }
    assert_int_equal(read_bytes(&json, "\"\\u0000\"", 8), 0);
    assert_int_equal(json.values[0].n, 1);
    lli_json_finish(&json);
    assert_int_equal(heap.live_bytes, 0);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        int64_t position;
    } cases[] = {
        {"", 0},
        {" ", 1},
        {"{", 1},
        {"[", 1},
        {"[1", 2},
        {"[1,", 3},
        {"[1,]", 3},
        {"{,}", 1},
        {"{\"a\"}", 4},
        {"{\"a\":}", 5},
        {"{\"a\":1,}", 7},
        {"{a:1}", 1},
        {"[1 2]", 3},
        {"]", 0},
        {"}", 0},
        {"1 2", 2},
        {"01", 1},
        {"-", 1},
        {"+1", 0},
        {".5", 0},
        {"1.", 2},
        {"1e", 2},
        {"1e+", 3},
        {"1e999", 0},
        {"NaN", 0},
        {"Infinity", 0},
        {"nul", 0},
        {"truE", 0},
        {"'a'", 0},
        {"\"a", 2},
        {"\"\\", 2},
        {"\"\\x\"", 2},
        {"\"\\u12\"", 3},
        {"\"\\ud800\"", 3},
        {"\"\\udc00\"", 3},
        {"\"\\ud800\\u0041\"", 3},
        {"\"\n\"", 1},
        {"\"\x1f\"", 1},
        {"\xEF\xBB\xBF{}", 0},
        {"\"\xff\"", 1},
        {"\"\xed\xa0\x80\"", 1},
        {"{}x", 2},
        {"// c\n1", 0},
        {"{\"a\":1 \"b\":2}", 7},
        {"[1}", 2},
        {"{\"a\":1]", 6},
    };
    struct lli_json json;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t status = read_text(&json, cases[i].text);
        if (status != LLMINF_E_FORMAT || error.position != cases[i].position)
            print_message("%s: %d at %lld\n", cases[i].text, status, (long long)error.position);
        assert_int_equal(status, LLMINF_E_FORMAT);
        assert_int_equal(error.position, cases[i].position);
        assert_int_equal(heap.live_bytes, 0);
    }
}

static void test_limits(void **state)
{
    char deep[2 * LLI_MAX_JSON_DEPTH + 4], digits[LLI_MAX_JSON_NUMBER + 2];
    struct lli_json json;
    (void)state;
    for (uint32_t n = LLI_MAX_JSON_DEPTH; n <= LLI_MAX_JSON_DEPTH + 1; n++) {
        memset(deep, '[', n);
        memset(deep + n, ']', n);
        assert_int_equal(read_bytes(&json, deep, 2 * n), n > LLI_MAX_JSON_DEPTH ? LLMINF_E_LIMIT : LLMINF_OK);
        lli_json_finish(&json);
    }
    memset(digits, '1', sizeof digits);
    assert_int_equal(read_bytes(&json, digits, LLI_MAX_JSON_NUMBER), 0);
    assert_int_equal(json.values[0].kind, LLI_JSON_BIG);
    lli_json_finish(&json);
    assert_int_equal(read_bytes(&json, digits, LLI_MAX_JSON_NUMBER + 1), LLMINF_E_LIMIT);
    char *many = malloc(8 * (LLI_MAX_JSON_MEMBERS + 2)), *to = many;
    *to++ = '{';
    for (uint32_t i = 0; i <= LLI_MAX_JSON_MEMBERS; i++)
        to += sprintf(to, "%s\"k\":1", i > 0 ? "," : "");
    *to++ = '}';
    assert_int_equal(read_bytes(&json, many, (size_t)(to - many)), LLMINF_E_LIMIT);
    free(many);
    assert_int_equal(heap.live_bytes, 0);
}

/* Every prefix of a text that is whole at its end only. */
static void test_cut(void **state)
{
    static const char whole[] = "{\"a\":[1,2.5e3,\"\\u00e9\\ud83d\\ude00\xC3\xA9\",null,true,false,{}],\"b\":{\"c\":[[]]}}";
    struct lli_json json;
    (void)state;
    for (size_t n = 0; n < sizeof whole - 1; n++)
        assert_int_equal(read_bytes(&json, whole, n), LLMINF_E_FORMAT);
    assert_int_equal(read_bytes(&json, whole, sizeof whole - 1), 0);
    lli_json_finish(&json);
    assert_int_equal(heap.live_bytes, 0);
}

static void test_memory(void **state)
{
    struct support_heap host = {0};
    char text[2000];
    size_t n = 0;
    (void)state;
    text[n++] = '[';
    for (int i = 0; i < 300; i++)
        n += (size_t)sprintf(text + n, "%s%d", i > 0 ? "," : "", i);
    text[n++] = ']';
    for (int64_t k = 1, done = 0; !done; k++) {
        struct lli_heap failing;
        struct lli_json json;
        support_heap_arm(&host, k, 0);
        lli_heap_init(&failing, support_alloc, support_release, &host);
        int32_t status = lli_json_read(&json, &failing, text, n, "json", &error);
        assert_true(status == LLMINF_OK || status == LLMINF_E_MEMORY);
        done = status == LLMINF_OK;
        lli_json_finish(&json);
        assert_int_equal(host.live_bytes, 0);
    }
}

/* base/casing: pairs as UnicodeData.txt has them. */
static void test_casing(void **state)
{
    static const uint32_t pairs[][2] = {{'a', 'A'},         {'z', 'Z'},       {0xE9, 0xC9},     {0xFF, 0x178},
                                        {0x101, 0x100},     {0x142, 0x141},   {0x3B1, 0x391},   {0x3C9, 0x3A9},
                                        {0x430, 0x410},     {0x451, 0x401},   {0x561, 0x531},   {0x1E01, 0x1E00},
                                        {0x1E9, 0x1E8},     {0x24D0, 0x24B6}, {0xFF41, 0xFF21}, {0x10428, 0x10400},
                                        {0x1E922, 0x1E900}, {0x17E, 0x17D},   {0x1C6, 0x1C4}};
    static const uint32_t alone[] = {'1', '_', ' ', 0xB7, 0x4F60, 0x5D0, 0x627, 0x1F600, 0x3042, 0xD7, 0xF7};
    uint32_t out[2];
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_int_equal(lli_casing_upper(out, pairs[i][0]), 1);
        assert_int_equal(out[0], pairs[i][1]);
        assert_int_equal(lli_casing_lower(pairs[i][1]), pairs[i][0]);
        assert_true(lli_casing_is_lower(pairs[i][0]) && !lli_casing_is_upper(pairs[i][0]));
        assert_true(lli_casing_is_upper(pairs[i][1]) && !lli_casing_is_lower(pairs[i][1]));
    }
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) {
        assert_int_equal(lli_casing_upper(out, alone[i]), 1);
        assert_int_equal(out[0], alone[i]);
        assert_int_equal(lli_casing_lower(alone[i]), alone[i]);
    }
    assert_int_equal(lli_casing_upper(out, 0xDF), 2);
    assert_true(out[0] == 'S' && out[1] == 'S');
    assert_int_equal(lli_casing_title(out, 0x1C6), 1);
    assert_int_equal(out[0], 0x1C5);
    assert_true(lli_casing_is_space(0x3000) && lli_casing_is_space('\n') && !lli_casing_is_space(0x200B));
    assert_true(lli_casing_is_printable(0xE9) && !lli_casing_is_printable(0x200B) && !lli_casing_is_printable('\n'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),   cmocka_unit_test(test_leaves), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_cut),    cmocka_unit_test(test_memory),
        cmocka_unit_test(test_casing),
    };
    lli_heap_init(&heap, NULL, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
