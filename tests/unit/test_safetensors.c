/* safetensors: a file as it should be, and headers that say what is not so. */
#include "file/safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "llminf/status.h"
#include "support/support.h"

enum { N_DATA = 64 };

static struct support_heap counter;
static struct lli_heap heap;

static int setup(void **state)
{
    (void)state;
    memset(&counter, 0, sizeof counter);
    lli_heap_init(&heap, support_alloc, support_release, &counter);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return counter.live_bytes != 0;
}

/* A file with this header and N_DATA bytes 0, 1, 2, ...; its last byte is the last of the memory, which is to be freed. */
static uint8_t *make(size_t *size_out, const char *header)
{
    size_t n = strlen(header);
    uint8_t *bytes = malloc(8 + n + N_DATA);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)n >> 8 * i);
    memcpy(bytes + 8, header, n);
    for (int i = 0; i < N_DATA; i++)
        bytes[8 + n + (size_t)i] = (uint8_t)i;
    *size_out = 8 + n + N_DATA;
    return bytes;
}

static int32_t read_header(const char *header, struct llminf_error *err)
{
    struct lli_safetensors st;
    size_t size;
    uint8_t *bytes = make(&size, header);
    int32_t status = lli_safetensors_read(&st, &heap, bytes, size, 1 << 20, "file", err);
    lli_safetensors_finish(&st);
    free(bytes);
    return status;
}

#define TENSOR(name, type, shape, from, to)                                                                                    \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":[" shape "],\"data_offsets\":[" #from "," #to "]}"

static void a_whole_file(void **state)
{
    static const char header[] = "{\"__metadata__\":{\"format\":\"pt\"}," TENSOR("a.weight", "F32", "2,3", 0, 24) "," TENSOR(
        "b", "BF16", "4", 32, 40) "," TENSOR("odd", "I64", "", 24, 32) "," TENSOR("none", "F16", "0,7", 40, 40) "}   ";
    struct lli_safetensors st;
    size_t size;
    uint8_t *bytes = make(&size, header);
    (void)state;
    assert_int_equal(lli_safetensors_read(&st, &heap, bytes, size, 1 << 20, "file", NULL), 0);
    assert_int_equal(st.n_tensors, 4);
    const struct lli_st_tensor *a = lli_safetensors_find(&st, "a.weight"), *b = lli_safetensors_find(&st, "b");
    assert_ptr_equal(a, &st.tensors[0]);
    assert_int_equal(a->n_dims, 2);
    assert_int_equal(a->dims[0], 3);
    assert_int_equal(a->dims[1], 2);
    assert_int_equal(a->dims[2], 1);
    assert_int_equal(a->type->id, LLI_F32);
    assert_int_equal(a->data[5], 5);
    assert_int_equal(b->type->id, LLI_BF16);
    assert_int_equal(b->bytes, 8);
    assert_int_equal(b->data[0], 32);
    assert_null(lli_safetensors_find(&st, "odd")->type);
    assert_string_equal(lli_safetensors_find(&st, "odd")->type_name, "I64");
    assert_int_equal(lli_safetensors_find(&st, "none")->bytes, 0);
    assert_null(lli_safetensors_find(&st, "c"));
    lli_safetensors_finish(&st);
    free(bytes);
}

static void headers_that_lie(void **state)
{
    static const struct {
        const char *header;
        int32_t status;
    } rows[] = {
        {"{}", LLMINF_OK},
        {"", LLMINF_E_FORMAT},
        {"[]", LLMINF_E_FORMAT},
        {"{\"a\":1}", LLMINF_E_FORMAT},
        {"{\"a\":{}}", LLMINF_E_FORMAT},
        {"{" TENSOR("", "F32", "1", 0, 4) "}", LLMINF_E_FORMAT},
        {"{" TENSOR("a\\u0000b", "F32", "1", 0, 4) "}", LLMINF_E_FORMAT},
        {"{" TENSOR("a", "F33", "1", 0, 4) "}", LLMINF_E_FORMAT},
        {"{" TENSOR("a", "F32", "-1", 0, 4) "}", LLMINF_E_FORMAT},
        {"{" TENSOR("a", "F32", "1.0", 0, 4) "}", LLMINF_E_FORMAT},
        {"{" TENSOR("a", "F32", "[1]", 0, 4) "}", LLMINF_E_FORMAT},
        {"{" TENSOR("a", "F32", "1,1,1,1,1", 0, 4) "}", LLMINF_E_LIMIT},
        {"{" TENSOR("a", "F32", "4294967296,4294967296", 0, 4) "}", LLMINF_E_FORMAT},
        {"{" TENSOR("a", "F32", "99999999999999999999", 0, 4) "}", LLMINF_E_FORMAT},
        {"{" TENSOR("a", "F32", "1", 0, 8) "}", LLMINF_E_FORMAT},
        {"{" TENSOR("a", "F32", "1", 4, 0) "}", LLMINF_E_FORMAT},
        {"{" TENSOR("a", "F32", "1", -4, 0) "}", LLMINF_E_FORMAT},
        {"{" TENSOR("a", "F32", "1", 61, 65) "}", LLMINF_E_FORMAT},
        {"{" TENSOR("a", "F32", "1", 60, 64) "}", LLMINF_OK},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", LLMINF_E_FORMAT},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,[4]]}}", LLMINF_E_FORMAT},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", LLMINF_E_FORMAT},
        {"{" TENSOR("a", "F32", "1", 0, 4) "," TENSOR("a", "F32", "1", 4, 8) "}", LLMINF_E_FORMAT},
        {"{" TENSOR("a", "F32", "2", 0, 8) "," TENSOR("b", "F32", "1", 4, 8) "}", LLMINF_E_FORMAT},
        {"{" TENSOR("a", "F32", "2", 0, 8) "," TENSOR("b", "F32", "2", 0, 8) "}", LLMINF_E_FORMAT},
    };
    struct llminf_error err;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (read_header(rows[i].header, &err) != rows[i].status)
            fail_msg("%s: %s", rows[i].header, err.text);
}

static void every_length(void **state)
{
    static const char header[] = "{" TENSOR("a", "F32", "8,2", 0, 64) "}";
    struct lli_safetensors st;
    size_t size;
    uint8_t *bytes = make(&size, header);
    (void)state;
    for (size_t n = 0; n < size; n++) {
        uint8_t *cut = malloc(n + !n); /* so that a read behind it is noticed */
        memcpy(cut, bytes, n);
        assert_int_equal(lli_safetensors_read(&st, &heap, cut, n, 1 << 20, "file", NULL), LLMINF_E_FORMAT);
        free(cut);
    }
    assert_int_equal(lli_safetensors_read(&st, &heap, bytes, size, (int64_t)sizeof header - 2, "file", NULL), LLMINF_E_LIMIT);
    memset(bytes, 0xff, 8);
    assert_int_equal(lli_safetensors_read(&st, &heap, bytes, size, 1 << 20, "file", NULL), LLMINF_E_FORMAT);
    free(bytes);
}

/* Every bit of the header, flipped: a status, and what is read lies in the file. */
static void every_bit(void **state)
{
    static const char header[] = "{" TENSOR("a", "F32", "2,3", 0, 24) "," TENSOR("b", "F16", "4", 24, 32) "}";
    struct lli_safetensors st;
    size_t size;
    uint8_t *bytes = make(&size, header);
    (void)state;
    for (size_t i = 0; i < 8 * (size - N_DATA); i++) {
        bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        if (lli_safetensors_read(&st, &heap, bytes, size, 1 << 20, "file", NULL) == 0)
            for (size_t t = 0; t < st.n_tensors; t++)
                assert_true(st.tensors[t].data >= bytes && st.tensors[t].data + st.tensors[t].bytes <= bytes + size);
        lli_safetensors_finish(&st);
        bytes[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    free(bytes);
}

static void no_memory(void **state)
{
    static const char header[] = "{" TENSOR("a", "F32", "2,3", 0, 24) "," TENSOR("b", "F16", "4", 24, 32) "}";
    int32_t status = LLMINF_E_MEMORY;
    (void)state;
    for (int64_t i = 1; status; i++) {
        support_heap_arm(&counter, i, 0);
        status = read_header(header, NULL);
        assert_true(status == 0 || status == LLMINF_E_MEMORY);
        assert_int_equal(counter.live_bytes, 0);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_whole_file), TEST(headers_that_lie), TEST(every_length), TEST(every_bit), TEST(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
