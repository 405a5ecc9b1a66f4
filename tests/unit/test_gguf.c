/* The GGUF reader on files made here: what it must accept, class by class what it must refuse and how, and every file that
 * is cut or has one wrong number. The bytes of a file always end at a page that cannot be read. */
#include "file/gguf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "llminf/status.h"
#include "support/gguf_make.h"

/* ---- a heap that knows its peak and may fail, a guarded copy of a file */

struct meter {
    int64_t live, peak, n_calls, fail_at;
};

static void *meter_alloc(void *user, size_t size, size_t align)
{
    struct meter *m = user;
    void *memory;
    if (++m->n_calls == m->fail_at || posix_memalign(&memory, align, size))
        return NULL;
    m->live += (int64_t)size;
    m->peak = m->live > m->peak ? m->live : m->peak;
    return memory;
}

static void meter_release(void *user, void *memory, size_t size)
{
    ((struct meter *)user)->live -= (int64_t)size;
    free(memory);
}

struct guarded {
    uint8_t *pages;
    size_t all, page;
};

static void guard_init(struct guarded *g, size_t most)
{
    g->page = (size_t)sysconf(_SC_PAGESIZE);
    g->all = (most + g->page - 1) / g->page * g->page + g->page;
    g->pages = mmap(NULL, g->all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(g->pages != MAP_FAILED);
    assert_int_equal(mprotect(g->pages + g->all - g->page, g->page, PROT_NONE), 0);
}

/* Room for n bytes that end where reading ends. */
static uint8_t *guard_end(const struct guarded *g, size_t n)
{
    return g->pages + g->all - g->page - n;
}

static void guard_finish(struct guarded *g)
{
    munmap(g->pages, g->all);
}

static const struct lli_gguf_options WHOLE = {.header_limit_bytes = LLI_HEADER_BYTES_DEFAULT};
static const struct lli_gguf_options VOCAB = {.header_limit_bytes = LLI_HEADER_BYTES_DEFAULT, .vocab_only = 1};

/* Reads everything that a successful read promises. */
static uint64_t visit(const struct lli_gguf *g)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < g->n_entries; i++) {
        const struct lli_gguf_entry *e = &g->entries[i];
        for (uint64_t k = 0; k < e->n; k++) {
            struct lli_text text;
            int64_t number = 0;
            double real = 0;
            sum += lli_gguf_int(&number, e, k) == 0 ? (uint64_t)number : 0;
            sum += lli_gguf_float(&real, e, k) == 0 ? real > 0 : 0;
            sum += lli_gguf_text(&text, e, k) == 0 && text.len ? (uint8_t)text.bytes[text.len - 1] : 0;
        }
        if (lli_gguf_find(g, e->key) != e)
            return 0;
    }
    for (size_t i = 0; i < g->n_tensors && g->tensors[i].data; i++)
        sum += g->tensors[i].data[0] + g->tensors[i].data[g->tensors[i].bytes - 1];
    return sum + 1;
}

/* The status of reading these bytes. Demands what holds for any: an error that says something, no leak, little memory. */
static int32_t try_bytes(const uint8_t *bytes, size_t size, const struct lli_gguf_options *options, struct llminf_error *err)
{
    struct meter meter = {0};
    struct lli_heap heap;
    struct lli_gguf g;
    memset(err, 0, sizeof *err);
    lli_heap_init(&heap, meter_alloc, meter_release, &meter);
    int32_t status = lli_gguf_read(&g, &heap, bytes, size, options, err);
    if (status) {
        assert_int_equal(err->status, status);
        assert_true(err->subject[0] != 0 && err->text[0] != 0);
        assert_true(meter.peak <= 1 << 20);
        assert_int_equal(meter.live, 0);
    } else {
        assert_true(visit(&g) != 0);
    }
    lli_gguf_finish(&g);
    assert_int_equal(meter.live, 0);
    return status;
}

static int32_t try_file(const struct test_gguf *f, const struct lli_gguf_options *options)
{
    struct llminf_error err;
    struct guarded guard;
    guard_init(&guard, f->len);
    memcpy(guard_end(&guard, f->len), f->bytes, f->len);
    int32_t status = try_bytes(guard_end(&guard, f->len), f->len, options, &err);
    guard_finish(&guard);
    return status;
}

/* ---- small files: one entry and one tensor of 8 floats, but for what a test changes */

static const uint64_t EIGHT[] = {8, 1, 1, 1, 1};

static void put_data(struct test_gguf *f, size_t n)
{
    test_gguf_align(f, 32);
    test_gguf_zeros(f, n);
}

static void small_file(struct test_gguf *f)
{
    test_gguf_head(f, 1, 1);
    test_gguf_key_u32(f, "a.number", 7);
    test_gguf_tensor(f, "t", EIGHT, 1, LLI_F32, 0);
    put_data(f, 32);
}

/* Around an entry that follows the first. */
static void open_entry(struct test_gguf *f)
{
    test_gguf_head(f, 1, 2);
    test_gguf_key_u32(f, "a.number", 7);
}

static void close_entry(struct test_gguf *f)
{
    test_gguf_tensor(f, "t", EIGHT, 1, LLI_F32, 0);
    put_data(f, 32);
}

static void put_tensor(struct test_gguf *f, const char *name, const uint64_t *dims, uint32_t n_dims, uint32_t type, uint64_t at)
{
    test_gguf_head(f, 2, 1);
    test_gguf_key_u32(f, "a.number", 7);
    test_gguf_tensor(f, "t", EIGHT, 1, LLI_F32, 0);
    test_gguf_tensor(f, name, dims, n_dims, type, at);
    put_data(f, 128);
}

#define CHECK(f, status)                                                                                                       \
    do {                                                                                                                       \
        assert_int_equal(try_file(&(f), &WHOLE), (status));                                                                    \
        free((f).bytes);                                                                                                       \
        memset(&(f), 0, sizeof(f));                                                                                            \
    } while (0)

/* ---- what is read */

static void a_model_is_taken_apart(void **state)
{
    (void)state;
    struct lli_heap heap;
    struct lli_gguf g;
    size_t size;
    const struct test_model_spec spec = {.type = LLI_Q8_0};
    uint8_t *bytes = test_model_make(&spec, &size);
    lli_heap_init(&heap, NULL, NULL, NULL);
    assert_int_equal(lli_gguf_read(&g, &heap, bytes, size, &WHOLE, NULL), 0);
    assert_int_equal(g.version, 3);
    assert_int_equal(g.alignment, 32);
    assert_int_equal(g.n_tensors, 2 * 9 + 3);
    const struct lli_gguf_tensor *t = lli_gguf_tensor_find(&g, "blk.1.attn_k.weight");
    assert_non_null(t);
    assert_string_equal(t->name, "blk.1.attn_k.weight");
    assert_string_equal(t->type->name, "q8_0");
    assert_int_equal(t->n_dims, 2);
    assert_int_equal(t->dims[0], 64);
    assert_int_equal(t->dims[1], 32);
    assert_int_equal(t->dims[3], 1);
    assert_int_equal(t->bytes, 64 * 32 / 32 * 34);
    assert_true(t->data > bytes && t->data + t->bytes < bytes + size);
    assert_int_equal((t->data - g.tensors[0].data) % 32, 0);
    const struct lli_gguf_entry *e = lli_gguf_find(&g, "tokenizer.ggml.tokens");
    assert_non_null(e);
    assert_true(e->is_array && e->kind == LLI_GGUF_STRING && e->n == 320);
    struct lli_text text;
    assert_int_equal(lli_gguf_text(&text, e, 2), 0);
    assert_int_equal(text.len, 4);
    assert_memory_equal(text.bytes, "</s>", 4);
    assert_null(lli_gguf_find(&g, "tokenizer.ggml.token"));
    assert_null(lli_gguf_tensor_find(&g, "blk.2.attn_k.weight"));
    lli_gguf_finish(&g);
    assert_int_equal(heap.live_bytes, 0);
    free(bytes);
}

/* Every type at its ends, each as an array of two. */
static void values_of_every_type(void **state)
{
    (void)state;
    static const struct {
        uint32_t kind, bytes;
        uint64_t low_bits, high_bits;
        int64_t low, high;
    } rows[] = {
        {LLI_GGUF_U8, 1, 0, 0xFF, 0, 255},
        {LLI_GGUF_I8, 1, 0x80, 0x7F, -128, 127},
        {LLI_GGUF_U16, 2, 1, 0xFFFF, 1, 65535},
        {LLI_GGUF_I16, 2, 0x8000, 0xFFFF, -32768, -1},
        {LLI_GGUF_U32, 4, 0, 0xFFFFFFFF, 0, 4294967295},
        {LLI_GGUF_I32, 4, 0x80000000, 0x7FFFFFFF, INT32_MIN, INT32_MAX},
        {LLI_GGUF_BOOL, 1, 0, 1, 0, 1},
        {LLI_GGUF_U64, 8, 0, INT64_MAX, 0, INT64_MAX},
        {LLI_GGUF_I64, 8, 0x8000000000000000u, INT64_MAX, INT64_MIN, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct test_gguf f = {0};
        struct lli_heap heap;
        struct lli_gguf g;
        int64_t low, high;
        double real;
        struct lli_text text;
        open_entry(&f);
        test_gguf_key_array(&f, "x", rows[i].kind, 2);
        test_gguf_bytes(&f, &rows[i].low_bits, rows[i].bytes);
        test_gguf_bytes(&f, &rows[i].high_bits, rows[i].bytes);
        close_entry(&f);
        lli_heap_init(&heap, NULL, NULL, NULL);
        assert_int_equal(lli_gguf_read(&g, &heap, f.bytes, f.len, &WHOLE, NULL), 0);
        const struct lli_gguf_entry *e = lli_gguf_find(&g, "x");
        assert_int_equal(lli_gguf_int(&low, e, 0), 0);
        assert_int_equal(lli_gguf_int(&high, e, 1), 0);
        assert_true(low == rows[i].low && high == rows[i].high);
        assert_int_equal(lli_gguf_float(&real, e, 0), -1);
        assert_int_equal(lli_gguf_text(&text, e, 0), -1);
        lli_gguf_finish(&g);
        free(f.bytes);
    }
}

static void scalars_by_key(void **state)
{
    (void)state;
    struct test_gguf f = {0};
    struct lli_heap heap;
    struct lli_gguf g;
    struct llminf_error err;
    const double d = -0.1;
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    test_gguf_head(&f, 1, 6);
    test_gguf_key(&f, "u64", LLI_GGUF_U64);
    test_gguf_u64(&f, UINT64_MAX);
    test_gguf_key(&f, "f64", LLI_GGUF_F64);
    test_gguf_u64(&f, bits);
    test_gguf_key_f32(&f, "f32", 1.5f);
    test_gguf_key(&f, "bool", LLI_GGUF_BOOL);
    test_gguf_bytes(&f, "\1", 1);
    test_gguf_key_text(&f, "text", "Gr\xc3\xbc\xc3\x9f");
    test_gguf_key_array(&f, "list", LLI_GGUF_U8, 1);
    test_gguf_bytes(&f, "\5", 1);
    close_entry(&f);
    lli_heap_init(&heap, NULL, NULL, NULL);
    assert_int_equal(lli_gguf_read(&g, &heap, f.bytes, f.len, &WHOLE, NULL), 0);
    int64_t number;
    double real;
    int flag;
    struct lli_text text;
    assert_int_equal(lli_gguf_get_int(&number, &g, "none", -3, &err), 0);
    assert_int_equal(number, -3);
    assert_int_equal(lli_gguf_get_int(&number, &g, "bool", 0, &err), 0);
    assert_int_equal(number, 1);
    assert_int_equal(lli_gguf_get_int(&number, &g, "u64", 0, &err), LLMINF_E_FORMAT);
    assert_string_equal(err.subject, "u64");
    assert_int_equal(err.position, 24);
    assert_int_equal(lli_gguf_get_int(&number, &g, "f32", 0, &err), LLMINF_E_FORMAT);
    assert_int_equal(lli_gguf_get_int(&number, &g, "list", 0, &err), LLMINF_E_FORMAT);
    assert_int_equal(lli_gguf_get_float(&real, &g, "f64", 0, &err), 0);
    assert_true(real == d);
    assert_int_equal(lli_gguf_get_float(&real, &g, "f32", 0, &err), 0);
    assert_true(real == 1.5);
    assert_int_equal(lli_gguf_get_float(&real, &g, "none", 2.5, &err), 0);
    assert_true(real == 2.5);
    assert_int_equal(lli_gguf_get_float(&real, &g, "text", 0, &err), LLMINF_E_FORMAT);
    assert_int_equal(lli_gguf_get_bool(&flag, &g, "bool", 0, &err), 0);
    assert_int_equal(flag, 1);
    assert_int_equal(lli_gguf_get_bool(&flag, &g, "none", 1, &err), 0);
    assert_int_equal(flag, 1);
    assert_int_equal(lli_gguf_get_bool(&flag, &g, "f32", 0, &err), LLMINF_E_FORMAT);
    assert_int_equal(lli_gguf_get_text(&text, &g, "text", NULL, &err), 0);
    assert_int_equal(text.len, 6);
    assert_int_equal(lli_gguf_get_text(&text, &g, "none", "abc", &err), 0);
    assert_int_equal(text.len, 3);
    assert_int_equal(lli_gguf_get_text(&text, &g, "none", NULL, &err), 0);
    assert_null(text.bytes);
    assert_int_equal(lli_gguf_get_text(&text, &g, "list", NULL, &err), LLMINF_E_FORMAT);
    lli_gguf_finish(&g);
    free(f.bytes);
}

/* ---- what is refused */

static void head_is_checked(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint32_t value;
        int32_t status;
    } rows[] = {
        {0, 0x47475546, LLMINF_E_FORMAT},
        {4, 0, LLMINF_E_FORMAT},
        {4, 1, LLMINF_E_UNSUPPORTED},
        {4, 2, LLMINF_OK},
        {4, 3, LLMINF_OK},
        {4, 4, LLMINF_E_UNSUPPORTED},
        {4, 3u << 24, LLMINF_E_UNSUPPORTED},
        {4, UINT32_MAX, LLMINF_E_UNSUPPORTED},
        {8, 0, LLMINF_E_FORMAT},
        {8, 2, LLMINF_E_FORMAT},
        {12, 1u << 8, LLMINF_E_FORMAT},
        {12, 1u << 31, LLMINF_E_FORMAT},
        {16, 0, LLMINF_E_FORMAT},
        {16, 2, LLMINF_E_FORMAT},
        {20, 1, LLMINF_E_FORMAT},
        {20, 1u << 31, LLMINF_E_FORMAT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct test_gguf f = {0}, v = {0};
        small_file(&f);
        test_gguf_u32(&v, rows[i].value);
        memcpy(f.bytes + rows[i].at, v.bytes, 4);
        CHECK(f, rows[i].status);
        free(v.bytes);
    }
}

static void keys_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        int32_t status;
    } rows[] = {{"b", LLMINF_OK},
                {"", LLMINF_E_FORMAT},
                {"a.number", LLMINF_E_FORMAT},
                {"a\xff", LLMINF_E_FORMAT},
                {"a\xed\xa0\x80", LLMINF_E_FORMAT}};
    struct test_gguf f = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        open_entry(&f);
        test_gguf_key_u32(&f, rows[i].key, 1);
        close_entry(&f);
        CHECK(f, rows[i].status);
    }
    for (uint64_t n = 65535; n <= 65536; n++) {
        open_entry(&f);
        test_gguf_u64(&f, n);
        test_gguf_zeros(&f, n);
        memset(f.bytes + f.len - n, 'k', n);
        test_gguf_u32(&f, LLI_GGUF_U32);
        test_gguf_u32(&f, 1);
        close_entry(&f);
        CHECK(f, n == 65535 ? LLMINF_OK : LLMINF_E_LIMIT);
    }
    open_entry(&f);
    test_gguf_u64(&f, 3);
    test_gguf_bytes(&f, "a\0b", 3);
    test_gguf_u32(&f, LLI_GGUF_U32);
    test_gguf_u32(&f, 1);
    close_entry(&f);
    CHECK(f, LLMINF_E_FORMAT);
    open_entry(&f);
    test_gguf_u64(&f, UINT64_MAX);
    close_entry(&f);
    CHECK(f, LLMINF_E_FORMAT);
}

static void values_are_checked(void **state)
{
    (void)state;
    static const struct {
        uint32_t kind;
        uint64_t n; /* elements of an array; 0: a scalar, by its type alone */
        const char *bytes;
        size_t len;
        int32_t status;
    } rows[] = {
        {13, 0, "12345678", 8, LLMINF_E_FORMAT},
        {99, 0, "12345678", 8, LLMINF_E_FORMAT},
        {UINT32_MAX, 0, "12345678", 8, LLMINF_E_FORMAT},
        {LLI_GGUF_BOOL, 0, "\0", 1, LLMINF_OK},
        {LLI_GGUF_BOOL, 0, "\2", 1, LLMINF_E_FORMAT},
        {LLI_GGUF_BOOL, 3, "\0\1\xff", 3, LLMINF_E_FORMAT},
        {LLI_GGUF_STRING, 0, "\3\0\0\0\0\0\0\0abc", 11, LLMINF_OK},
        {LLI_GGUF_STRING, 0, "\3\0\0\0\0\0\0\0a\0c", 11, LLMINF_E_FORMAT},
        {LLI_GGUF_STRING, 0, "\3\0\0\0\0\0\0\0a\xc3z", 11, LLMINF_E_FORMAT},
        {LLI_GGUF_STRING, 0, "\0\0\0\0\0\0\0\x40", 8, LLMINF_E_FORMAT},
        {LLI_GGUF_STRING, 0, "\xf8\xff\xff\xff\xff\xff\xff\xff", 8, LLMINF_E_FORMAT},
        {LLI_GGUF_STRING, 2, "\1\0\0\0\0\0\0\0a\0\0\0\0\0\1\0\0", 17, LLMINF_E_FORMAT},
        {LLI_GGUF_ARRAY, 1, "\4\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0", 16, LLMINF_E_UNSUPPORTED},
        {99, 1, "12345678", 8, LLMINF_E_FORMAT},
        {LLI_GGUF_F64, 30, "12345678", 8, LLMINF_E_FORMAT},
        {LLI_GGUF_F64, 1000, "12345678", 8, LLMINF_E_FORMAT},
        {LLI_GGUF_F64, (uint64_t)1 << 60, "12345678", 8, LLMINF_E_FORMAT},
        {LLI_GGUF_F64, (uint64_t)1 << 61, "12345678", 8, LLMINF_E_FORMAT},
    };
    struct test_gguf f = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        open_entry(&f);
        if (rows[i].n)
            test_gguf_key_array(&f, "x", rows[i].kind, rows[i].n);
        else
            test_gguf_key(&f, "x", rows[i].kind);
        test_gguf_bytes(&f, rows[i].bytes, rows[i].len);
        close_entry(&f);
        CHECK(f, rows[i].status);
    }
    open_entry(&f);
    test_gguf_key_array(&f, "empty", LLI_GGUF_STRING, 0);
    close_entry(&f);
    CHECK(f, LLMINF_OK);
    open_entry(&f);
    for (int i = 0; i < 10000; i++)
        i ? test_gguf_bytes(&f, "\11\0\0\0\1\0\0\0\0\0\0\0", 12) : test_gguf_key_array(&f, "deep", LLI_GGUF_ARRAY, 1);
    close_entry(&f);
    CHECK(f, LLMINF_E_UNSUPPORTED);
}

/* Only tokens may hold a NUL, and they too are UTF-8. */
static void tokens_are_texts(void **state)
{
    (void)state;
    static const struct {
        const char *key, *bytes;
        int32_t status;
    } rows[] = {{"tokenizer.ggml.tokens", "\0x", LLMINF_OK},
                {"tokenizer.ggml.tokens", "\xff\xfe", LLMINF_E_FORMAT},
                {"tokenizer.ggml.merges", "\0x", LLMINF_E_FORMAT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct test_gguf f = {0};
        open_entry(&f);
        test_gguf_key_array(&f, rows[i].key, LLI_GGUF_STRING, 1);
        test_gguf_u64(&f, 2);
        test_gguf_bytes(&f, rows[i].bytes, 2);
        close_entry(&f);
        CHECK(f, rows[i].status);
    }
}

static void alignment_is_checked(void **state)
{
    (void)state;
    static const struct {
        uint32_t alignment;
        int32_t status;
    } rows[] = {{8, LLMINF_OK},
                {32, LLMINF_OK},
                {64, LLMINF_OK},
                {0, LLMINF_E_FORMAT},
                {1, LLMINF_E_FORMAT},
                {4, LLMINF_E_FORMAT},
                {3, LLMINF_E_FORMAT},
                {13, LLMINF_E_FORMAT},
                {1u << 17, LLMINF_E_LIMIT},
                {1u << 31, LLMINF_E_LIMIT},
                {UINT32_MAX, LLMINF_E_FORMAT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct test_gguf f = {0};
        test_gguf_head(&f, 1, 1);
        test_gguf_key_u32(&f, "general.alignment", rows[i].alignment);
        test_gguf_tensor(&f, "t", EIGHT, 1, LLI_F32, 0);
        test_gguf_align(&f, 64);
        test_gguf_zeros(&f, 64);
        CHECK(f, rows[i].status);
    }
    struct test_gguf f = {0};
    open_entry(&f);
    test_gguf_key_text(&f, "general.alignment", "32");
    close_entry(&f);
    CHECK(f, LLMINF_E_FORMAT);
}

static void tensors_are_checked(void **state)
{
    (void)state;
    static const uint64_t large = (uint64_t)1 << 32, wraps = (uint64_t)1 << 62;
    static const struct {
        const char *name;
        uint64_t dims[5];
        uint32_t n_dims, type;
        uint64_t at;
        int32_t status;
    } rows[] = {
        {"u", {8}, 1, LLI_F32, 32, LLMINF_OK},
        {"u", {2, 2, 1, 2}, 4, LLI_F32, 32, LLMINF_OK},
        {"u", {32}, 1, LLI_Q4_0, 32, LLMINF_OK},
        {"", {8}, 1, LLI_F32, 32, LLMINF_E_FORMAT},
        {"t", {8}, 1, LLI_F32, 32, LLMINF_E_FORMAT},
        {"u\xff", {8}, 1, LLI_F32, 32, LLMINF_E_FORMAT},
        {"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", {8}, 1, LLI_F32, 32, LLMINF_OK},
        {"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", {8}, 1, LLI_F32, 32, LLMINF_E_FORMAT},
        {"u", {8}, 0, LLI_F32, 32, LLMINF_E_FORMAT},
        {"u", {8, 1, 1, 1, 1}, 5, LLI_F32, 32, LLMINF_E_FORMAT},
        {"u", {0, 8}, 2, LLI_F32, 32, LLMINF_E_FORMAT},
        {"u", {8, 0}, 2, LLI_F32, 32, LLMINF_E_FORMAT},
        {"u", {8, 1, 1, 0}, 4, LLI_F32, 32, LLMINF_E_FORMAT},
        {"u", {(uint64_t)1 << 63}, 1, LLI_F32, 32, LLMINF_E_FORMAT},
        {"u", {8, UINT64_MAX}, 2, LLI_F32, 32, LLMINF_E_FORMAT},
        {"u", {large, large}, 2, LLI_F32, 32, LLMINF_E_FORMAT},
        {"u", {((uint64_t)1 << 63) + 4, 2}, 2, LLI_F32, 32, LLMINF_E_FORMAT},
        {"u", {wraps}, 1, LLI_F32, 32, LLMINF_E_FORMAT},
        {"u", {wraps - 2}, 1, LLI_F32, 32, LLMINF_E_FORMAT},
        {"u", {31}, 1, LLI_Q8_0, 32, LLMINF_E_FORMAT},
        {"u", {16, 2}, 2, LLI_Q8_0, 32, LLMINF_E_FORMAT},
        {"u", {8}, 1, 4, 32, LLMINF_E_UNSUPPORTED},
        {"u", {8}, 1, 24, 32, LLMINF_E_UNSUPPORTED},
        {"u", {8}, 1, UINT32_MAX, 32, LLMINF_E_UNSUPPORTED},
        {"u", {8}, 1, LLI_F32, 31, LLMINF_E_FORMAT},
        {"u", {8}, 1, LLI_F32, 0, LLMINF_E_FORMAT},
        {"u", {24}, 1, LLI_F32, 32, LLMINF_OK},
        {"u", {25}, 1, LLI_F32, 32, LLMINF_E_FORMAT},
        {"u", {8}, 1, LLI_F32, 40, LLMINF_E_FORMAT},
        {"u", {8}, 1, LLI_F32, 128, LLMINF_E_FORMAT},
        {"u", {8}, 1, LLI_F32, (uint64_t)1 << 40, LLMINF_E_FORMAT},
        {"u", {8}, 1, LLI_F32, (uint64_t)-32, LLMINF_E_FORMAT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct test_gguf f = {0};
        put_tensor(&f, rows[i].name, rows[i].dims, rows[i].n_dims, rows[i].type, rows[i].at);
        CHECK(f, rows[i].status);
    }
}

/* Any order and any gap will do; no byte may be shared, and what follows the last tensor does not matter. */
static void places_of_tensors(void **state)
{
    (void)state;
    static const struct {
        uint64_t at[3];
        uint64_t first; /* elements of the first; the others have 8 */
        size_t n_bytes;
        int32_t status;
    } rows[] = {
        {{0, 32, 64}, 8, 96, LLMINF_OK},        {{64, 32, 0}, 8, 96, LLMINF_OK},
        {{32, 0, 4096}, 8, 4128, LLMINF_OK},    {{0, 32, 64}, 8, 5000, LLMINF_OK},
        {{0, 32, 64}, 8, 95, LLMINF_E_FORMAT},  {{0, 32, 32}, 8, 96, LLMINF_E_FORMAT},
        {{64, 64, 0}, 8, 96, LLMINF_E_FORMAT},  {{4096, 0, 32}, 8, 96, LLMINF_E_FORMAT},
        {{64, 0, 32}, 16, 128, LLMINF_OK},      {{32, 0, 64}, 16, 128, LLMINF_E_FORMAT},
        {{32, 0, 64}, 9, 128, LLMINF_E_FORMAT}, {{0, 96, 64}, 17, 128, LLMINF_E_FORMAT},
        {{0, 96, 64}, 16, 128, LLMINF_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct test_gguf f = {0};
        test_gguf_head(&f, 3, 1);
        test_gguf_key_u32(&f, "a.number", 7);
        test_gguf_tensor(&f, "t", &rows[i].first, 1, LLI_F32, rows[i].at[0]);
        test_gguf_tensor(&f, "u", EIGHT, 1, LLI_F32, rows[i].at[1]);
        test_gguf_tensor(&f, "v", EIGHT, 1, LLI_F32, rows[i].at[2]);
        put_data(&f, rows[i].n_bytes);
        CHECK(f, rows[i].status);
    }
}

static void header_limit_is_kept(void **state)
{
    (void)state;
    struct test_gguf f = {0};
    struct lli_gguf_options options = WHOLE;
    small_file(&f);
    size_t header = test_gguf_find(&f, "t") + 8 + 1 + 4 + 8 + 4 + 8;
    options.header_limit_bytes = (int64_t)header;
    assert_int_equal(try_file(&f, &options), 0);
    for (size_t limit = 0; limit < header; limit++) {
        options.header_limit_bytes = (int64_t)limit;
        assert_int_equal(try_file(&f, &options), LLMINF_E_LIMIT);
    }
    free(f.bytes);
}

static void files_without_tensors(void **state)
{
    (void)state;
    struct test_gguf f = {0};
    test_gguf_head(&f, 0, 1);
    test_gguf_key_u32(&f, "a.number", 7);
    assert_int_equal(try_file(&f, &WHOLE), LLMINF_E_FORMAT);
    assert_int_equal(try_file(&f, &VOCAB), LLMINF_OK);
    free(f.bytes);
    memset(&f, 0, sizeof f);
    test_gguf_head(&f, 0, 1); /* the first of several files */
    test_gguf_key_u32(&f, "split.count", 3);
    CHECK(f, LLMINF_OK);
    put_tensor(&f, "u", EIGHT, 1, 77, 1);
    assert_int_equal(try_file(&f, &VOCAB), LLMINF_OK);
    CHECK(f, LLMINF_E_UNSUPPORTED);
    test_gguf_head(&f, 0, 0);
    assert_int_equal(try_file(&f, &VOCAB), LLMINF_E_FORMAT);
    free(f.bytes);
}

/* ---- every file that is cut, has one wrong number, or meets a heap without memory */

static const struct test_model_spec TINY = {.n_layers = 1, .n_embd = 8, .n_heads = 2, .n_ff = 8, .n_vocab = 260, .tied = 1};

static void no_part_of_a_file_is_a_file(void **state)
{
    (void)state;
    struct llminf_error err;
    struct guarded guard;
    size_t size;
    uint8_t *bytes = test_model_make(&TINY, &size);
    guard_init(&guard, size);
    for (size_t n = 0; n <= size; n++) {
        memcpy(guard_end(&guard, n), bytes, n);
        assert_int_equal(try_bytes(guard_end(&guard, n), n, &WHOLE, &err), n < size ? LLMINF_E_FORMAT : LLMINF_OK);
    }
    guard_finish(&guard);
    free(bytes);
}

struct field {
    size_t at, width;
};

/* All integers of the header: counts, lengths, types, values, dimensions, offsets. */
struct walk {
    const uint8_t *bytes;
    size_t at, n;
    struct field fields[4096];
};

static uint64_t step(struct walk *w, size_t width)
{
    uint64_t v = 0;
    memcpy(&v, w->bytes + w->at, width); /* x86 and ARM: little endian */
    assert_true(w->n < sizeof w->fields / sizeof *w->fields);
    w->fields[w->n++] = (struct field){w->at, width};
    w->at += width;
    return v;
}

static void step_text(struct walk *w)
{
    w->at += step(w, 8);
}

static void step_value(struct walk *w, uint64_t kind)
{
    static const uint8_t widths[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    if (kind == LLI_GGUF_STRING)
        step_text(w);
    else
        step(w, widths[kind]);
}

static void walk_header(struct walk *w)
{
    step(w, 4);
    step(w, 4);
    uint64_t n_tensors = step(w, 8), n_kv = step(w, 8);
    for (uint64_t i = 0; i < n_kv; i++) {
        step_text(w);
        uint64_t kind = step(w, 4), inner = kind == LLI_GGUF_ARRAY ? step(w, 4) : kind, n = kind == inner ? 1 : step(w, 8);
        for (uint64_t k = 0; k < n; k++)
            step_value(w, inner);
    }
    for (uint64_t i = 0; i < n_tensors; i++) {
        step_text(w);
        for (uint64_t n = step(w, 4); n > 0; n--)
            step(w, 8);
        step(w, 4);
        step(w, 8);
    }
}

static void any_number_may_be_wrong(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 1, INT32_MAX, (uint64_t)1 << 31, UINT32_MAX, INT64_MAX, (uint64_t)1 << 63, UINT64_MAX};
    static struct walk w;
    struct llminf_error err;
    struct guarded guard;
    size_t size, n_refused = 0;
    uint8_t *bytes = test_model_make(&TINY, &size);
    memset(&w, 0, sizeof w);
    w.bytes = bytes;
    walk_header(&w);
    guard_init(&guard, size);
    uint8_t *copy = guard_end(&guard, size);
    memcpy(copy, bytes, size);
    for (size_t i = 0; i < w.n; i++) {
        const struct field *f = &w.fields[i];
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
            memcpy(copy + f->at, &values[k], f->width);
            n_refused += try_bytes(copy, size, &WHOLE, &err) != LLMINF_OK;
        }
        memcpy(copy + f->at, bytes + f->at, f->width);
    }
    assert_int_equal(try_bytes(copy, size, &WHOLE, &err), LLMINF_OK);
    assert_true(w.n > 800 && n_refused > w.n);
    guard_finish(&guard);
    free(bytes);
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    size_t size;
    uint8_t *bytes = test_model_make(&TINY, &size);
    int32_t status = LLMINF_E_MEMORY;
    int64_t k = 0;
    while (status) {
        struct meter meter = {.fail_at = ++k};
        struct llminf_error err = {0};
        struct lli_heap heap;
        struct lli_gguf g;
        lli_heap_init(&heap, meter_alloc, meter_release, &meter);
        status = lli_gguf_read(&g, &heap, bytes, size, &WHOLE, &err);
        assert_true(status == LLMINF_OK || status == LLMINF_E_MEMORY);
        assert_true(status == LLMINF_OK || (err.subject[0] && err.text[0]));
        assert_true(status == LLMINF_OK || meter.live == 0);
        lli_gguf_finish(&g);
        assert_int_equal(meter.live, 0);
    }
    assert_true(k > 5);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_is_taken_apart),
        cmocka_unit_test(values_of_every_type),
        cmocka_unit_test(scalars_by_key),
        cmocka_unit_test(head_is_checked),
        cmocka_unit_test(keys_are_checked),
        cmocka_unit_test(values_are_checked),
        cmocka_unit_test(tokens_are_texts),
        cmocka_unit_test(alignment_is_checked),
        cmocka_unit_test(tensors_are_checked),
        cmocka_unit_test(places_of_tensors),
        cmocka_unit_test(header_limit_is_kept),
        cmocka_unit_test(files_without_tensors),
        cmocka_unit_test(no_part_of_a_file_is_a_file),
        cmocka_unit_test(any_number_may_be_wrong),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
