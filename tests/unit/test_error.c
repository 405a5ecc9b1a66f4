/* Errors: the whole record is written, bounded, printable, and may be made out of itself. */
#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/utf8.h"

static void fields_are_filled(void **state)
{
    (void)state;
    struct llminf_error err;
    memset(&err, 0xAA, sizeof err);
    assert_int_equal(lli_fail(&err, LLMINF_E_FORMAT, "blk.0.attn_q", "%u dimensions, want 1 to %u", 5u, 4u), LLMINF_E_FORMAT);

    struct llminf_error want;
    memset(&want, 0, sizeof want);
    want.status = LLMINF_E_FORMAT;
    want.position = -1;
    strcpy(want.subject, "blk.0.attn_q");
    strcpy(want.text, "blk.0.attn_q: 5 dimensions, want 1 to 4");
    assert_memory_equal(&err, &want, sizeof err); /* all 512 bytes, the tails of the strings too */
}

static void layout_is_frozen(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct llminf_error), 512);
    assert_int_equal(offsetof(struct llminf_error, os_error), 4);
    assert_int_equal(offsetof(struct llminf_error, position), 8);
    assert_int_equal(offsetof(struct llminf_error, subject), 32);
    assert_int_equal(offsetof(struct llminf_error, text), 144);
}

static void null_record_and_null_subject(void **state)
{
    (void)state;
    struct llminf_error err;
    assert_int_equal(lli_fail(NULL, LLMINF_E_LIMIT, "x", "%d", 1), LLMINF_E_LIMIT);
    assert_int_equal(lli_fail_os(NULL, ENOENT, NULL, "x"), LLMINF_E_IO);
    assert_int_equal(lli_fail(&err, LLMINF_E_INVALID, NULL, "is %s", "NULL"), LLMINF_E_INVALID);
    assert_string_equal(err.subject, "");
    assert_string_equal(err.text, "is NULL");
}

static void position_and_system(void **state)
{
    (void)state;
    struct llminf_error err;
    assert_int_equal(lli_fail_at(&err, LLMINF_E_FORMAT, 1ll << 40, "json", "bad"), LLMINF_E_FORMAT);
    assert_int_equal(err.position, 1ll << 40);
    assert_int_equal(err.os_error, 0);

    assert_int_equal(lli_fail_os(&err, ENOENT, "/m.gguf", "cannot open"), LLMINF_E_IO);
    assert_int_equal(err.os_error, ENOENT);
    assert_int_equal(err.position, -1);
    assert_string_equal(err.text, "/m.gguf: cannot open: no such file");
    assert_int_equal(lli_fail_os(&err, 9999, "x", "failed"), LLMINF_E_IO);
    assert_string_equal(err.text, "x: failed: error 9999 of the system");
    assert_int_equal(lli_fail_os(&err, ENOMEM, "x", "cannot map"), LLMINF_E_MEMORY);
    assert_int_equal(err.os_error, ENOMEM);

    assert_int_equal(lli_fail_memory(&err, "kv_blocks", UINT64_MAX), LLMINF_E_MEMORY);
    assert_string_equal(err.text, "kv_blocks: no memory for 18446744073709551615 bytes");
}

static void hostile_bytes_are_escaped(void **state)
{
    (void)state;
    struct llminf_error err;
    lli_fail(&err, LLMINF_E_FORMAT, "a\nb\x1b[31m\xff\xc3\xa9", "%s",
             "\xf0\x9f\x98\x80 \xc2\x85 \xe2\x80\xae x\x7f \xed\xa0\x80");
    assert_string_equal(err.subject, "a\\nb\\x1B[31m\\xFF\xc3\xa9");
    assert_string_equal(err.text,
                        "a\\nb\\x1B[31m\\xFF\xc3\xa9: \xf0\x9f\x98\x80 \\xC2\\x85 \\xE2\\x80\\xAE x\\x7F \\xED\\xA0\\x80");
}

/* Every length around the ends of both fields, with characters of 1 to 4 bytes and escapes: no half character, no overrun. */
static void cut_at_whole_characters(void **state)
{
    (void)state;
    static const char *const units[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\n", "\x01"};
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        for (size_t shift = 0; shift < 8; shift++) {
            char input[1200];
            size_t n = shift;
            memset(input, 'x', shift);
            while (n + 4 < sizeof input) {
                memcpy(input + n, units[u], strlen(units[u]));
                n += strlen(units[u]);
            }
            input[n] = '\0';
            struct {
                struct llminf_error err;
                char guard[16];
            } box;
            memset(&box, 0x55, sizeof box);
            lli_fail(&box.err, LLMINF_E_LIMIT, input, "%s", input);
            for (size_t i = 0; i < sizeof box.guard; i++)
                assert_int_equal(box.guard[i], 0x55);
            size_t subject = strlen(box.err.subject), text = strlen(box.err.text);
            assert_in_range(subject, 111 - 3, 111);
            assert_in_range(text, 367 - 3, 367);
            assert_int_equal(lli_utf8_valid(box.err.subject, subject), subject);
            assert_int_equal(lli_utf8_valid(box.err.text, text), text);
            assert_memory_equal(box.err.text, box.err.subject, subject);
            if (units[u][0] == '\x01') /* no half escape either */
                assert_string_equal(box.err.text + text - 4, "\\x01");
        }
    }
}

static void subject_may_lie_in_the_record(void **state)
{
    (void)state;
    struct llminf_error err;
    lli_fail(&err, LLMINF_E_IO, "first", "inner %d", 7);
    lli_fail(&err, LLMINF_E_FORMAT, err.subject, "outer (%s)", err.text);
    assert_string_equal(err.subject, "first");
    assert_string_equal(err.text, "first: outer (first: inner 7)");
    lli_fail(&err, LLMINF_E_FORMAT, err.text, "again");
    assert_string_equal(err.text, "first: outer (first: inner 7): again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_filled),
        cmocka_unit_test(layout_is_frozen),
        cmocka_unit_test(null_record_and_null_subject),
        cmocka_unit_test(position_and_system),
        cmocka_unit_test(hostile_bytes_are_escaped),
        cmocka_unit_test(cut_at_whole_characters),
        cmocka_unit_test(subject_may_lie_in_the_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
