/* Tokenizers with small vocabularies at their limits: memory that is refused, long texts that must not take long, and one
 * vocabulary for many threads. */
#include "text/decode.h"
#include "text/encode.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "one_text.h"

/* ---- memory */

/* Everything once, on memory that may be refused. The status, or 1 if decoding met no memory. */
static int32_t run_all(struct test_vocab *(*make)(struct test_vocab *), int64_t fail_at, int fail_on)
{
    static const char text[] = "hello [U] w\xFF 12 <|c|>";
    struct test_vocab v;
    struct lli_gguf_options options = {LLI_HEADER_BYTES_DEFAULT, 1};
    struct lli_buffer ids, back;
    struct lli_decode d = {.at_start = 1};
    size_t size;
    memset(&t, 0, sizeof t);
    lli_heap_init(&t.heap, support_alloc, support_release, &t.host);
    t.file = test_vocab_make(make(&v), &size);
    support_heap_arm(&t.host, fail_at, fail_on);
    lli_buffer_init(&ids, &t.heap);
    lli_buffer_init(&back, &t.heap);
    int32_t status = lli_gguf_read(&t.gguf, &t.heap, t.file, size, &options, &t.error);
    if (status == 0)
        status = lli_vocab_read(&t.vocab, &t.heap, &t.gguf, &t.error);
    if (status == 0)
        status =
            lli_encode(&ids, &t.vocab, text, sizeof text - 1, LLI_TEXT_SPECIAL | LLI_TEXT_BOUNDS | LLI_TEXT_REPAIR, &t.error);
    for (size_t i = 0; i < ids.len && status == 0; i += sizeof(int32_t)) {
        int32_t id;
        memcpy(&id, ids.bytes + i, sizeof id);
        status = lli_decode_token(&d, &back, &t.vocab, id, 1) ? 1 : 0;
    }
    lli_buffer_finish(&ids);
    lli_buffer_finish(&back);
    return status;
}

static struct test_vocab *make_spm(struct test_vocab *v)
{
    test_vocab_spm(v);
    test_vocab_flag(v, "tokenizer.ggml.add_eos_token", 1);
    return v;
}

static struct test_vocab *make_bpe(struct test_vocab *v)
{
    test_vocab_bpe(v, "llama-bpe");
    return v;
}

static void test_no_memory(void **state)
{
    struct test_vocab *(*const makers[])(struct test_vocab *) = {make_spm, make_bpe};
    (void)state;
    for (int i = 0; i < 4; i++) {
        int64_t n = 1;
        for (int32_t status; (status = run_all(makers[i % 2], n, i / 2)) != 0; n++) {
            assert_true(status == LLMINF_E_MEMORY || status == 1);
            assert_true(t.host.n_calls >= n);
            close_text();
        }
        assert_true(n > 10);
        close_text();
    }
}

/* ---- time */

/* What is repeated to make a long text. */
static const char *const units[] = {"a",
                                    "l",
                                    "hello",
                                    " ",
                                    "7",
                                    "12",
                                    "\n",
                                    " \n\t",
                                    "\xE4\xB8\xAD",
                                    "e\xCC\x81",
                                    "\xF0\x9F\x98\xB6\xE2\x80\x8D",
                                    "a ",
                                    "a1",
                                    "a 1!\n",
                                    "he w",
                                    "[U",
                                    "<|c|>",
                                    "'s",
                                    "aB",
                                    "\xCC\x81",
                                    "  \xF0\x9F\x98\xB6",
                                    "<sentinel:1"};

static void test_long_texts(void **state)
{
    static const char *const pres[] = {"default",    "gpt-2",    "llama-bpe",    "qwen2",          "smollm",      "qwen35",
                                       "gpt-4o",     "tekken",   "deepseek-llm", "deepseek-coder", "deepseek-v3", "falcon",
                                       "bloom",      "viking",   "jais-2",       "kimi-k2",        "bailingmoe",  "seed-coder",
                                       "exaone-moe", "laguna",   "minicpm5",     "youtu",          "spark2_5",    "ufakzeka",
                                       "chameleon",  "tiny_aya", "afmoe",        "superbpe",       NULL};
    (void)state;
    for (size_t i = 0; i < sizeof pres / sizeof *pres; i++) {
        if (pres[i])
            open_bpe(pres[i]);
        else
            open_spm();
        for (size_t k = 0; k < sizeof units / sizeof *units; k++)
            assert_true(encode_long(units[k]) > 0);
        assert_true(test_text_is_quick(&t.vocab));
        close_text();
    }
}

/* A short token and a long one that begins like it and never comes: a search that starts anew behind each short one is
 * quadratic in the length of the long one. */
static void test_long_special(void **state)
{
    static char letters[LLI_MAX_TOKEN_BYTES];
    (void)state;
    struct test_vocab v;
    memset(letters, 'a', sizeof letters);
    letters[sizeof letters - 1] = 'b';
    test_vocab_bpe(&v, "gpt-2");
    test_vocab_token(&v, letters, 2, LLI_TOKEN_USER_DEFINED, 0);
    test_vocab_token(&v, letters, sizeof letters, LLI_TOKEN_USER_DEFINED, 0);
    open_made(&v);
    assert_true(encode_long("a") > 0);
    close_text();
}

/* The longer, the better: one symbol takes in its neighbours one by one. */
static void test_worst_merges(void **state)
{
    static char letters[512];
    (void)state;
    struct test_vocab v;
    memset(letters, 'a', sizeof letters);
    test_vocab_spm(&v);
    for (size_t n = 2; n <= sizeof letters; n++)
        test_vocab_token(&v, letters, n, LLI_TOKEN_NORMAL, (float)n);
    open_made(&v);
    assert_true(encode_long("a") > 0);
    close_text();
}

/* ---- threads */

#define N_THREADS 4

/* The ids of one text again and again, with one vocabulary for all: 0 if they are the same each time. */
static void *encode_often(void *text)
{
    struct lli_buffer first, ids;
    int differs = 0;
    lli_buffer_init(&first, &t.heap);
    differs |= lli_encode(&first, &t.vocab, text, strlen(text), LLI_TEXT_SPECIAL, NULL);
    for (int i = 0; i < 50; i++) {
        lli_buffer_init(&ids, &t.heap);
        differs |= lli_encode(&ids, &t.vocab, text, strlen(text), LLI_TEXT_SPECIAL, NULL);
        differs |= ids.len != first.len || memcmp(ids.bytes, first.bytes, ids.len) != 0;
        lli_buffer_finish(&ids);
    }
    lli_buffer_finish(&first);
    return differs ? text : NULL;
}

static void test_threads(void **state)
{
    static char texts[N_THREADS][32] = {"hello w 12", "[U]x <|c|> ll", "\n\n  12 he", "w hell w hell"};
    pthread_t threads[N_THREADS];
    void *differs;
    (void)state;
    open_bpe("llama-bpe");
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, encode_often, texts[i]), 0);
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &differs), 0);
        assert_null(differs);
    }
    close_text();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory),    cmocka_unit_test(test_long_texts), cmocka_unit_test(test_long_special),
        cmocka_unit_test(test_worst_merges), cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
