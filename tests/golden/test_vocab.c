/* The vocabularies of real models: each text of FILE.inp gives the ids of its line in FILE.out, and comes back; so do random
 * texts. Five lie among the shared data; others are told as arguments. */
#include "base/error.h"
#include "base/utf8.h"
#include "text/decode.h"
#include "text/encode.h"
#include "text/vocab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support.h"
#include "vocab_make.h"

#define BETWEEN "\n__ggml_vocab_test__\n"

struct data {
    char *text;
    size_t len;
};

static struct data read_beside(const char *path, const char *suffix)
{
    char file[512];
    struct data d = {NULL, 0};
    snprintf(file, sizeof file, "%s%s", path, suffix);
    d.text = (char *)support_read(file, &d.len);
    return d;
}

/* Texts, each with the separator behind it but maybe the last. */
struct texts {
    const char *at, *end;
};

static int next_text(const char **text, size_t *n, struct texts *t)
{
    size_t left = (size_t)(t->end - t->at);
    const char *stop = memmem(t->at, left, BETWEEN, strlen(BETWEEN));
    *text = t->at;
    *n = stop ? (size_t)(stop - t->at) : left;
    t->at = stop ? stop + strlen(BETWEEN) : t->end;
    return stop || left;
}

static void format_ids(char *out, size_t cap, const struct lli_buffer *ids)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < ids->len; i += sizeof(int32_t)) {
        int32_t id;
        memcpy(&id, ids->bytes + i, sizeof id);
        len += (size_t)snprintf(out + len, cap - len, i ? " %d" : "%d", id);
    }
}

static void decode_ids(struct lli_buffer *back, const struct lli_vocab *v, const struct lli_buffer *ids)
{
    struct lli_decode state = {.at_start = 1};
    for (size_t i = 0; i < ids->len; i += sizeof(int32_t)) {
        int32_t id;
        memcpy(&id, ids->bytes + i, sizeof id);
        assert_int_equal(lli_decode_token(&state, back, v, id, 0), 0);
    }
    assert_int_equal(lli_decode_end(&state, back), 0);
}

/* Those of unigram and WordPiece normalise; some of BPE lack rare bytes. */
static int is_lossless(const struct lli_vocab *v, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (v->byte_ids[(uint8_t)text[i]] == LLI_NO_TOKEN)
            return 0;
    }
    return v->kind == LLI_VOCAB_SPM || v->kind == LLI_VOCAB_BPE;
}

/* U+2581 comes back as the space for which it stands. */
static size_t expect(char *out, const struct lli_vocab *v, const char *text, size_t n)
{
    size_t len = 0;
    int marks = v->kind == LLI_VOCAB_SPM || v->by_characters;
    for (size_t i = 0; i < n; len++) {
        int mark = marks && n - i >= 3 && memcmp(text + i, "\xE2\x96\x81", 3) == 0;
        out[len] = mark ? ' ' : text[i];
        i += mark ? 3 : 1;
    }
    return len;
}

/* The ids of a text in `ids`, which is empty before; it comes back. */
static void encode_and_back(struct lli_buffer *ids, const struct lli_vocab *v, const char *text, size_t n)
{
    static char wanted[1 << 16];
    struct lli_buffer back;
    lli_buffer_init(&back, v->heap);
    assert_true(n <= sizeof wanted);
    assert_int_equal(lli_encode(ids, v, text, n, 0, NULL), 0);
    decode_ids(&back, v, ids);
    if (is_lossless(v, text, n)) {
        size_t want = expect(wanted, v, text, n);
        assert_int_equal(back.len, want);
        if (want)
            assert_memory_equal(back.bytes, wanted, want);
    }
    lli_buffer_finish(&back);
}

static void check_text(const struct lli_vocab *v, const char *text, size_t n, const char *want, size_t want_len)
{
    static char got[1 << 16], wanted[1 << 16];
    struct lli_buffer ids;
    lli_buffer_init(&ids, v->heap);
    encode_and_back(&ids, v, text, n);
    format_ids(got, sizeof got, &ids);
    snprintf(wanted, sizeof wanted, "%.*s", (int)want_len, want);
    if (strcmp(got, wanted) != 0)
        print_message("text: %.*s\n", (int)n, text);
    assert_string_equal(got, wanted);
    lli_buffer_finish(&ids);
}

/* A random character: of ASCII, of the scripts that tokens are made of, or any. */
static uint32_t random_code(uint64_t *seed)
{
    static const struct {
        uint32_t first, n;
    } of[] = {{0x20, 95},    {0x20, 95},     {0x61, 26},     {0x20, 1},     {0x09, 5},    {0x30, 10},
              {0xA0, 0x200}, {0x370, 0x200}, {0x900, 128},   {0x2000, 256}, {0x300, 112}, {0x3040, 192},
              {0xAC00, 999}, {0x4E00, 999},  {0x1F300, 512}, {0, 0x110000}};
    size_t i = support_random(seed) % (sizeof of / sizeof *of);
    uint32_t code = of[i].first + (uint32_t)(support_random(seed) % of[i].n);
    return code >= 0xD800 && code < 0xE000 ? ' ' : code;
}

#define N_RANDOM 10000

static void check_random_texts(const struct lli_vocab *v)
{
    uint64_t seed = 11;
    for (int round = 0; round < N_RANDOM; round++) {
        char text[4 * 64];
        size_t n = 0, n_codes = support_random(&seed) % 64;
        struct lli_buffer ids;
        for (size_t i = 0; i < n_codes; i++)
            n += lli_utf8_write(text + n, random_code(&seed));
        lli_buffer_init(&ids, v->heap);
        encode_and_back(&ids, v, text, n);
        lli_buffer_finish(&ids);
    }
}

/* Blanks around a line of ids are no part of it. */
static size_t trimmed(const char **line, size_t n)
{
    while (n > 0 && **line == ' ') {
        ++*line;
        n--;
    }
    while (n > 0 && ((*line)[n - 1] == ' ' || (*line)[n - 1] == '\r'))
        n--;
    return n;
}

static void check_lines(const struct lli_vocab *v, const struct data *in, const struct data *out)
{
    struct texts texts = {in->text, in->text + in->len};
    const char *text, *line = out->text;
    size_t n, n_texts = 0;
    while (next_text(&text, &n, &texts)) {
        const char *stop = memchr(line, '\n', (size_t)(out->text + out->len - line));
        assert_non_null(stop);
        size_t len = trimmed(&line, (size_t)(stop - line));
        check_text(v, text, n, line, len);
        line = stop + 1;
        n_texts++;
    }
    assert_true(n_texts > 40);
    assert_ptr_equal(line, out->text + out->len);
}

static void check_vocab(const char *path)
{
    struct data file = read_beside(path, ""), in = read_beside(path, ".inp"), out = read_beside(path, ".out");
    struct lli_heap heap;
    struct lli_gguf g;
    struct lli_vocab v;
    struct llminf_error err = {0};
    struct lli_gguf_options options = {LLI_HEADER_BYTES_DEFAULT, 1};
    assert_true(file.text && in.text && out.text);
    lli_heap_init(&heap, NULL, NULL, NULL);
    assert_int_equal(lli_gguf_read(&g, &heap, file.text, file.len, &options, &err), 0);
    int32_t status = lli_vocab_read(&v, &heap, &g, &err);
    if (status)
        print_message("%s\n", err.text);
    assert_int_equal(status, 0);
    check_lines(&v, &in, &out);
    check_random_texts(&v);
    assert_true(test_text_is_quick(&v));
    lli_vocab_finish(&v);
    lli_gguf_finish(&g);
    assert_int_equal(heap.live_bytes, 0);
    free(file.text);
    free(in.text);
    free(out.text);
}

static void test_shared(void **state)
{
    char file[256];
    snprintf(file, sizeof file, "vocab/ggml-vocab-%s.gguf", (const char *)*state);
    char *path = support_shared_file(file);
    if (!path)
        skip();
    check_vocab(path);
    free(path);
}

static void test_told(void **state)
{
    check_vocab(*state);
}

#define MAX_TOLD 64

/* usage: test-vocab [FILE.gguf ...] */
int main(int argc, char **argv)
{
    static char *const names[] = {"gpt-2", "llama-bpe", "qwen2", "llama-spm", "phi-3"};
    struct CMUnitTest tests[MAX_TOLD];
    size_t n = 0;
    for (; argc == 1 && n < sizeof names / sizeof *names; n++)
        tests[n] = (struct CMUnitTest){names[n], test_shared, NULL, NULL, names[n]};
    for (; argc > 1 && n + 1 < (size_t)argc && n < MAX_TOLD; n++)
        tests[n] = (struct CMUnitTest){argv[n + 1], test_told, NULL, NULL, argv[n + 1]};
    return _cmocka_run_group_tests("vocab", tests, n, NULL, NULL);
}
