/* What the writer writes, the reader reads: entry by entry, tensor by tensor. */
#include "file/gguf_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "llminf/status.h"
#include "support/gguf_make.h"
#include "support/support.h"

static struct lli_heap heap;
static struct support_heap counted;
static const struct lli_gguf_options OPTIONS = {.header_limit_bytes = LLI_HEADER_BYTES_DEFAULT};

/* Every kind, alone and in an array, and three tensors; alignment 64. */
static struct test_gguf make(void)
{
    static const uint8_t values[] = {1, 0, 1, 1, 0, 0, 1, 0, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22};
    struct test_gguf f = {0};
    char key[16];
    test_gguf_head(&f, 3, 27);
    test_gguf_key_text(&f, "general.architecture", "test");
    test_gguf_key_u32(&f, "general.alignment", 64);
    for (uint32_t kind = LLI_GGUF_U8; kind <= LLI_GGUF_F64; kind++) {
        size_t bytes = lli_gguf_value_bytes(kind);
        if (kind == LLI_GGUF_ARRAY)
            continue;
        snprintf(key, sizeof key, "one.%u", kind);
        test_gguf_key(&f, key, kind);
        if (bytes)
            test_gguf_bytes(&f, values, bytes);
        else
            test_gguf_text(&f, "\xc3\xa4\xc3\xb6");
        snprintf(key, sizeof key, "many.%u", kind);
        test_gguf_key_array(&f, key, kind, kind == LLI_GGUF_U8 ? 0 : 3);
        for (int i = 0; i < (kind == LLI_GGUF_U8 ? 0 : 3); i++) {
            if (bytes)
                test_gguf_bytes(&f, values + i, bytes);
            else
                test_gguf_text(&f, i == 1 ? "" : "text");
        }
    }
    test_gguf_key_u32(&f, "general.file_type", 1);
    test_gguf_tensor(&f, "a", (uint64_t[]){32, 3}, 2, LLI_F16, 0);
    test_gguf_tensor(&f, "b", (uint64_t[]){5}, 1, LLI_F32, 192);
    test_gguf_tensor(&f, "c", (uint64_t[]){32, 1, 2, 1}, 4, LLI_F32, 256);
    test_gguf_align(&f, 64);
    test_gguf_zeros(&f, 512);
    return f;
}

static void assert_same_entry(const struct lli_gguf_entry *a, const struct lli_gguf_entry *b)
{
    assert_string_equal(a->key, b->key);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->is_array, b->is_array);
    assert_true(a->n == b->n);
    if (a->kind != LLI_GGUF_STRING && a->n)
        assert_memory_equal(a->values, b->values, a->n * lli_gguf_value_bytes(a->kind));
    for (uint64_t i = 0; a->kind == LLI_GGUF_STRING && i < a->n; i++) {
        assert_int_equal(a->texts[i].len, b->texts[i].len);
        assert_memory_equal(a->texts[i].bytes, b->texts[i].bytes, a->texts[i].len);
    }
}

static void test_around(void **state)
{
    static const struct lli_gguf_number NUMBERS[] = {{"general.quantization_version", 2}, {"general.file_type", 7}};
    struct test_gguf f = make();
    struct lli_gguf from, to;
    struct lli_gguf_tensor tensors[3];
    struct lli_buffer out;
    int64_t v;
    (void)state;
    assert_int_equal(lli_gguf_read(&from, &heap, f.bytes, f.len, &OPTIONS, NULL), 0);
    memcpy(tensors, from.tensors, sizeof tensors);
    tensors[0].type = lli_dtype_find(LLI_Q8_0);
    tensors[0].bytes = 3 * 34;
    lli_buffer_init(&out, &heap);
    assert_int_equal(lli_gguf_write_head(&out, &from, tensors, NUMBERS, 2, NULL), 0);
    assert_int_equal(out.len % 64, 0);
    static const uint8_t zeros[512];
    assert_int_equal(lli_buffer_append(&out, zeros, 128 + 64 + 256), 0);
    assert_int_equal(lli_gguf_read(&to, &heap, out.bytes, out.len, &OPTIONS, NULL), 0);
    assert_int_equal(to.version, 3);
    assert_int_equal(to.alignment, 64);
    assert_int_equal(to.n_entries, from.n_entries + 1);
    for (size_t i = 0; i < from.n_entries; i++)
        if (strcmp(from.entries[i].key, "general.file_type") != 0)
            assert_same_entry(&from.entries[i], &to.entries[i]);
    assert_string_equal(to.entries[from.n_entries - 1].key, "general.file_type");
    assert_int_equal(lli_gguf_get_int(&v, &to, "general.file_type", 0, NULL), 0);
    assert_int_equal(v, 7);
    assert_int_equal(lli_gguf_get_int(&v, &to, "general.quantization_version", 0, NULL), 0);
    assert_int_equal(v, 2);
    assert_int_equal(to.n_tensors, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(to.tensors[i].name, tensors[i].name);
        assert_ptr_equal(to.tensors[i].type, tensors[i].type);
        assert_int_equal(to.tensors[i].n_dims, tensors[i].n_dims);
        assert_memory_equal(to.tensors[i].dims, tensors[i].dims, sizeof tensors[i].dims);
        assert_int_equal(to.tensors[i].bytes, tensors[i].bytes);
    }
    assert_ptr_equal(to.tensors[1].data, to.tensors[0].data + 128);
    assert_ptr_equal(to.tensors[2].data, to.tensors[1].data + 64);
    assert_ptr_equal(out.bytes + out.len, to.tensors[2].data + 256);
    lli_gguf_finish(&to);
    lli_gguf_finish(&from);
    lli_buffer_finish(&out);
    free(f.bytes);
    assert_true(counted.live_bytes == 0);
}

/* Nothing changed: byte for byte what a writer of the same kind wrote. */
static void test_same_bytes(void **state)
{
    struct test_model_spec spec = {.seed = 5};
    struct lli_gguf g;
    struct lli_buffer out;
    size_t size;
    uint8_t *bytes = test_model_make(&spec, &size);
    (void)state;
    assert_int_equal(lli_gguf_read(&g, &heap, bytes, size, &OPTIONS, NULL), 0);
    lli_buffer_init(&out, &heap);
    assert_int_equal(lli_gguf_write_head(&out, &g, g.tensors, NULL, 0, NULL), 0);
    assert_int_equal(out.len, g.tensors[0].data - bytes);
    assert_memory_equal(out.bytes, bytes, out.len);
    lli_buffer_finish(&out);
    lli_gguf_finish(&g);
    free(bytes);
}

static void test_limits(void **state)
{
    struct test_gguf f = make();
    struct lli_gguf g;
    struct lli_gguf_tensor tensors[3];
    struct lli_buffer out;
    struct llminf_error err;
    (void)state;
    assert_int_equal(lli_gguf_read(&g, &heap, f.bytes, f.len, &OPTIONS, NULL), 0);
    memcpy(tensors, g.tensors, sizeof tensors);
    lli_buffer_init(&out, &heap);
    support_heap_arm(&counted, 1, 1);
    assert_int_equal(lli_gguf_write_head(&out, &g, tensors, NULL, 0, &err), LLMINF_E_MEMORY);
    support_heap_arm(&counted, 0, 0);
    tensors[1].bytes = SIZE_MAX - 8;
    assert_int_equal(lli_gguf_write_head(&out, &g, tensors, NULL, 0, &err), LLMINF_E_LIMIT);
    lli_buffer_finish(&out);
    lli_gguf_finish(&g);
    free(f.bytes);
    assert_true(lli_gguf_padding(0, 32) == 0 && lli_gguf_padding(1, 32) == 31 && lli_gguf_padding(32, 32) == 0);
}

static int set_up(void **state)
{
    (void)state;
    lli_heap_init(&heap, support_alloc, support_release, &counted);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_around),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
