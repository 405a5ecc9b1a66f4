/* Metadata in the place of the file's: types kept, types guessed, and what is refused. */
#include "file/gguf_override.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "llminf/llminf.h"
#include "support/gguf_make.h"
#include "support/support.h"

static const struct lli_gguf_options OPTIONS = {.header_limit_bytes = LLI_HEADER_BYTES_DEFAULT, .vocab_only = 1};

/* "one.KIND" of every kind, all bits of numbers 0, and an array. */
static void read_all(struct lli_gguf *g, struct test_gguf *f, struct lli_heap *heap)
{
    struct llminf_error err;
    *f = (struct test_gguf){0};
    test_gguf_head(f, 0, 13);
    for (uint32_t kind = LLI_GGUF_U8; kind <= LLI_GGUF_F64; kind++) {
        char key[16];
        if (kind == LLI_GGUF_ARRAY)
            continue;
        snprintf(key, sizeof key, "one.%u", kind);
        test_gguf_key(f, key, kind);
        if (kind == LLI_GGUF_STRING)
            test_gguf_text(f, "old");
        else
            test_gguf_zeros(f, lli_gguf_value_bytes(kind));
    }
    test_gguf_key_array(f, "many", LLI_GGUF_U8, 1);
    test_gguf_zeros(f, 1);
    assert_int_equal(lli_gguf_read(g, heap, f->bytes, f->len, &OPTIONS, &err), LLMINF_OK);
}

static int32_t override(struct lli_gguf *g, const char *item, struct llminf_error *err)
{
    return lli_gguf_override(g, &(struct lli_text){item, strlen(item)}, 1, err);
}

/* item, and the entry's kind and value as text; NULL: refused. */
static const struct row {
    const char *item;
    uint32_t kind;
    const char *value;
} ROWS[] = {
    {"one.0=255", LLI_GGUF_U8, "255"},
    {"one.0=256", 0, NULL},
    {"one.0=-1", 0, NULL},
    {"one.1=-128", LLI_GGUF_I8, "-128"},
    {"one.1=-129", 0, NULL},
    {"one.2=65535", LLI_GGUF_U16, "65535"},
    {"one.3=-32768", LLI_GGUF_I16, "-32768"},
    {"one.4=4294967295", LLI_GGUF_U32, "4294967295"},
    {"one.4=4294967296", 0, NULL},
    {"one.4=1.0", 0, NULL},
    {"one.4=", 0, NULL},
    {"one.5=-2147483648", LLI_GGUF_I32, "-2147483648"},
    {"one.6=2", LLI_GGUF_F32, "2"},
    {"one.6=1e39", 0, NULL},
    {"one.6=inf", 0, NULL},
    {"one.7=true", LLI_GGUF_BOOL, "1"},
    {"one.7=1", 0, NULL},
    {"one.8=a=b", LLI_GGUF_STRING, "a=b"},
    {"one.8=", LLI_GGUF_STRING, ""},
    {"one.8=7", LLI_GGUF_STRING, "7"},
    {"one.10=9223372036854775807", LLI_GGUF_U64, "9223372036854775807"},
    {"one.10=9223372036854775808", 0, NULL},
    {"one.11=-9223372036854775808", LLI_GGUF_I64, "-9223372036854775808"},
    {"one.12=1e300", LLI_GGUF_F64, "1e+300"},
    {"new=true", LLI_GGUF_BOOL, "1"},
    {"new=false", LLI_GGUF_BOOL, "0"},
    {"new=True", LLI_GGUF_STRING, "True"},
    {"new=-3", LLI_GGUF_I64, "-3"},
    {"new=0.5", LLI_GGUF_F32, "0.5"},
    {"new=5e5", LLI_GGUF_F32, "500000"},
    {"new=", LLI_GGUF_STRING, ""},
    {"many=1", 0, NULL},
    {"many", 0, NULL},
    {"=1", 0, NULL},
    {"", 0, NULL},
    {"new=\xff", 0, NULL},
    {"general.alignment=64", 0, NULL},
};

static void write_value(char *out, size_t cap, const struct lli_gguf_entry *e)
{
    struct lli_text text;
    int64_t integer;
    double real;
    if (lli_gguf_text(&text, e, 0) == 0)
        snprintf(out, cap, "%.*s", (int)text.len, text.bytes);
    else if (lli_gguf_int(&integer, e, 0) == 0)
        snprintf(out, cap, "%lld", (long long)integer);
    else if (lli_gguf_float(&real, e, 0) == 0)
        snprintf(out, cap, "%g", real);
}

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        const struct row *row = &ROWS[i];
        struct lli_heap heap;
        struct test_gguf file;
        struct lli_gguf g;
        struct llminf_error err = {0};
        char key[32] = "", value[64] = "";
        lli_heap_init(&heap, NULL, NULL, NULL);
        read_all(&g, &file, &heap);
        snprintf(key, sizeof key, "%.*s", (int)strcspn(row->item, "="), row->item);
        if (row->value == NULL) {
            assert_int_equal(override(&g, row->item, &err), LLMINF_E_OPTION);
            assert_string_equal(err.subject, "override");
        } else {
            assert_int_equal(override(&g, row->item, &err), LLMINF_OK);
            const struct lli_gguf_entry *e = lli_gguf_find(&g, key);
            assert_non_null(e);
            write_value(value, sizeof value, e);
            assert_int_equal(e->kind, row->kind);
            assert_string_equal(value, row->value);
            assert_int_equal(g.n_entries, 13 + (strcmp(key, "new") == 0));
        }
        lli_gguf_finish(&g);
        free(file.bytes);
        assert_int_equal(heap.live_bytes, 0);
    }
}

/* The last of two counts; another value is another model. */
static void test_order(void **state)
{
    const struct lli_text items[] = {{"a.x=1", 5}, {"one.4=7", 7}, {"a.x=2", 5}};
    struct lli_heap heap;
    struct test_gguf file;
    struct lli_gguf g;
    int64_t value;
    (void)state;
    lli_heap_init(&heap, NULL, NULL, NULL);
    read_all(&g, &file, &heap);
    uint64_t before = lli_gguf_fingerprint(&g);
    assert_int_equal(lli_gguf_override(&g, items, 3, NULL), LLMINF_OK);
    assert_int_equal(lli_gguf_get_int(&value, &g, "a.x", 0, NULL), LLMINF_OK);
    assert_int_equal(value, 2);
    assert_int_equal(lli_gguf_get_int(&value, &g, "one.4", 0, NULL), LLMINF_OK);
    assert_int_equal(value, 7);
    assert_int_equal(g.n_entries, 14);
    assert_true(lli_gguf_fingerprint(&g) != before);
    lli_gguf_finish(&g);
    free(file.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
