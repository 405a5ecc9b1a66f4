/* The vocabularies of five real models: each text of NAME.inp gives the ids of its line in NAME.out, and comes back. */
#include "base/error.h"
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

#define BETWEEN "\n__ggml_vocab_test__\n"

struct data {
    char *text;
    size_t len;
};

static struct data read_shared(const char *name, const char *suffix)
{
    char file[256];
    struct data d = {NULL, 0};
    snprintf(file, sizeof file, "vocab/ggml-vocab-%s.gguf%s", name, suffix);
    char *path = support_shared_file(file);
    if (path)
        d.text = (char *)support_read(path, &d.len);
    free(path);
    return d;
}

/* Texts, each with the separator behind it. */
struct texts {
    const char *at, *end;
};

static int next_text(const char **text, size_t *n, struct texts *t)
{
    size_t left = (size_t)(t->end - t->at);
    const char *stop = memmem(t->at, left, BETWEEN, strlen(BETWEEN));
    if (!stop)
        return 0;
    *text = t->at;
    *n = (size_t)(stop - t->at);
    t->at = stop + strlen(BETWEEN);
    return 1;
}

static void format_ids(char *out, size_t cap, const struct lli_buffer *ids)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < ids->len; i += sizeof(int32_t)) {
        int32_t id;
        memcpy(&id, ids->bytes + i, sizeof id);
        len += (size_t)snprintf(out + len, cap - len, " %d", id);
    }
}

static void check_text(const struct lli_vocab *v, const char *text, size_t n, const char *want, size_t want_len)
{
    static char got[1 << 16], wanted[1 << 16];
    struct lli_buffer ids, back;
    struct lli_decode state = {.at_start = 1};
    lli_buffer_init(&ids, v->heap);
    lli_buffer_init(&back, v->heap);
    assert_int_equal(lli_encode(&ids, v, text, n, 0, NULL), 0);
    format_ids(got, sizeof got, &ids);
    snprintf(wanted, sizeof wanted, "%.*s", (int)want_len, want);
    assert_string_equal(got, wanted);
    for (size_t i = 0; i < ids.len; i += sizeof(int32_t)) {
        int32_t id;
        memcpy(&id, ids.bytes + i, sizeof id);
        assert_int_equal(lli_decode_token(&state, &back, v, id, 0), 0);
    }
    assert_int_equal(lli_decode_end(&state, &back), 0);
    assert_int_equal(back.len, n);
    if (n)
        assert_memory_equal(back.bytes, text, n);
    lli_buffer_finish(&ids);
    lli_buffer_finish(&back);
}

/* A blank at the end of a line of ids is no part of it. */
static size_t trimmed(const char *line, size_t n)
{
    while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\r'))
        n--;
    return n;
}

static void check_vocab(const char *name)
{
    struct data file = read_shared(name, ""), in = read_shared(name, ".inp"), out = read_shared(name, ".out");
    if (!file.text || !in.text || !out.text)
        skip();
    struct lli_heap heap;
    struct lli_gguf g;
    struct lli_vocab v;
    struct llminf_error err = {0};
    struct lli_gguf_options options = {LLI_HEADER_BYTES_DEFAULT, 1};
    lli_heap_init(&heap, NULL, NULL, NULL);
    assert_int_equal(lli_gguf_read(&g, &heap, file.text, file.len, &options, &err), 0);
    int32_t status = lli_vocab_read(&v, &heap, &g, &err);
    if (status)
        print_message("%s\n", err.text);
    assert_int_equal(status, 0);

    struct texts texts = {in.text, in.text + in.len};
    const char *text, *line = out.text;
    size_t n, n_texts = 0;
    while (next_text(&text, &n, &texts)) {
        const char *stop = memchr(line, '\n', (size_t)(out.text + out.len - line));
        assert_non_null(stop);
        check_text(&v, text, n, line, trimmed(line, (size_t)(stop - line)));
        line = stop + 1;
        n_texts++;
    }
    assert_true(n_texts > 40);
    assert_ptr_equal(line, out.text + out.len);
    lli_vocab_finish(&v);
    lli_gguf_finish(&g);
    assert_int_equal(heap.live_bytes, 0);
    free(file.text);
    free(in.text);
    free(out.text);
}

static void test_vocab(void **state)
{
    check_vocab(*state);
}

int main(void)
{
    static char *const names[] = {"gpt-2", "llama-bpe", "qwen2", "llama-spm", "phi-3"};
    struct CMUnitTest tests[5];
    for (size_t i = 0; i < 5; i++)
        tests[i] = (struct CMUnitTest){names[i], test_vocab, NULL, NULL, names[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
