#include "support/vocab_make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"
#include "support/support.h"
#include "text/decode.h"
#include "text/encode.h"

#define SPACE "\xE2\x96\x81"

void test_vocab_start(struct test_vocab *v, const char *model, const char *pre)
{
    *v = (struct test_vocab){.model = model,
                             .pre = pre,
                             .tokens = {.key = "tokenizer.ggml.tokens", .kind = LLI_GGUF_STRING},
                             .scores = {.key = "tokenizer.ggml.scores", .kind = LLI_GGUF_F32},
                             .types = {.key = "tokenizer.ggml.token_type", .kind = LLI_GGUF_I32},
                             .merges = {.key = "tokenizer.ggml.merges", .kind = LLI_GGUF_STRING}};
}

void test_vocab_token(struct test_vocab *v, const void *bytes, size_t n, int type, float score)
{
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    test_gguf_u64(&v->tokens.elements, n);
    test_gguf_bytes(&v->tokens.elements, bytes, n);
    test_gguf_u32(&v->types.elements, (uint32_t)type);
    test_gguf_u32(&v->scores.elements, bits);
    v->tokens.n++;
    v->types.n++;
    v->scores.n++;
}

void test_vocab_merge(struct test_vocab *v, const char *merge)
{
    test_gguf_text(&v->merges.elements, merge);
    v->merges.n++;
}

void test_vocab_id(struct test_vocab *v, const char *key, uint32_t id)
{
    test_gguf_key_u32(&v->more, key, id);
    v->n_more++;
}

void test_vocab_flag(struct test_vocab *v, const char *key, int on)
{
    uint8_t byte = (uint8_t)on;
    test_gguf_key(&v->more, key, LLI_GGUF_BOOL);
    test_gguf_bytes(&v->more, &byte, 1);
    v->n_more++;
}

static uint64_t put_array(struct test_gguf *f, struct test_array *a)
{
    if (a->key) {
        test_gguf_key_array(f, a->key, a->kind, a->n);
        test_gguf_bytes(f, a->elements.bytes, a->elements.len);
    }
    free(a->elements.bytes);
    a->elements = (struct test_gguf){NULL, 0, 0};
    return a->key != NULL;
}

uint8_t *test_vocab_make(struct test_vocab *v, size_t *size_out)
{
    struct test_gguf body = {NULL, 0, 0}, file = {NULL, 0, 0};
    uint64_t n = v->n_more + (v->model != NULL) + (v->pre != NULL);
    if (v->model)
        test_gguf_key_text(&body, "tokenizer.ggml.model", v->model);
    if (v->pre)
        test_gguf_key_text(&body, "tokenizer.ggml.pre", v->pre);
    n += put_array(&body, &v->tokens) + put_array(&body, &v->scores) + put_array(&body, &v->types) +
         put_array(&body, &v->merges);
    test_gguf_bytes(&body, v->more.bytes, v->more.len);
    test_gguf_head(&file, 0, n);
    test_gguf_bytes(&file, body.bytes, body.len);
    free(v->more.bytes);
    free(body.bytes);
    v->more = (struct test_gguf){NULL, 0, 0};
    *size_out = file.len;
    return file.bytes;
}

static void add(struct test_vocab *v, const char *text, int type, float score)
{
    test_vocab_token(v, text, strlen(text), type, score);
}

static void add_whole(struct test_vocab *v)
{
    add(v, "<|c|>", LLI_TOKEN_CONTROL, 0);
    add(v, "[U]", LLI_TOKEN_USER_DEFINED, 0);
    add(v, "[U]x", LLI_TOKEN_USER_DEFINED, 0);
}

void test_vocab_spm(struct test_vocab *v)
{
    static const struct {
        const char *text;
        float score;
    } words[] = {{"he", -1}, {"ll", -2}, {"hell", -3}, {"hello", -4}, {SPACE "w", -5}, {SPACE, -6}};
    test_vocab_start(v, "llama", NULL);
    add(v, "<unk>", LLI_TOKEN_UNKNOWN, 0);
    add(v, "<s>", LLI_TOKEN_CONTROL, 0);
    add(v, "</s>", LLI_TOKEN_CONTROL, 0);
    for (unsigned byte = 0; byte < 256; byte++) {
        static const char digits[] = "0123456789ABCDEF";
        char text[] = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>', 0};
        add(v, text, LLI_TOKEN_BYTE, 0);
    }
    for (char c = '!'; c <= '~'; c++)
        test_vocab_token(v, &c, 1, LLI_TOKEN_NORMAL, -100);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        add(v, words[i].text, LLI_TOKEN_NORMAL, words[i].score);
    add_whole(v);
    test_vocab_id(v, "tokenizer.ggml.unknown_token_id", 0);
    test_vocab_id(v, "tokenizer.ggml.bos_token_id", 1);
    test_vocab_id(v, "tokenizer.ggml.eos_token_id", 2);
    v->merges.key = NULL;
}

/* Token i is the character of byte i. */
void test_vocab_bpe(struct test_vocab *v, const char *pre)
{
    static const char *const merges[] = {"h e", "l l", "he ll", "hell o", "\xC4\xA0 w", "1 2"};
    uint32_t next = 256;
    test_vocab_start(v, "gpt2", pre);
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[4];
        int prints = (byte > 32 && byte < 127) || (byte > 160 && byte != 173);
        test_vocab_token(v, text, lli_utf8_write(text, prints ? byte : next++), LLI_TOKEN_NORMAL, 0);
    }
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        char joined[16] = "";
        const char *space = strchr(merges[i], ' ');
        strncat(joined, merges[i], (size_t)(space - merges[i]));
        strcat(joined, space + 1);
        add(v, joined, LLI_TOKEN_NORMAL, 0);
        test_vocab_merge(v, merges[i]);
    }
    add_whole(v);
    add(v, "<|end|>", LLI_TOKEN_CONTROL, 0);
    test_vocab_id(v, "tokenizer.ggml.bos_token_id", 262);
    test_vocab_id(v, "tokenizer.ggml.eos_token_id", 265);
    v->scores.key = NULL;
}

void test_vocab_unigram(struct test_vocab *v)
{
    static const struct {
        const char *text;
        float score;
    } words[] = {{SPACE, -3}, {SPACE "hello", -5}, {SPACE "he", -4}, {"he", -4.5f},       {"ll", -4},      {"llo", -5},
                 {"o", -6},   {"l", -6},           {"h", -6},        {"e", -6},           {SPACE "w", -5}, {"w", -6},
                 {"A", -7},   {"a", -7},           {"\xC3\xA9", -7}, {"\xE4\xB8\xAD", -7}};
    test_vocab_start(v, "t5", NULL);
    add(v, "<unk>", LLI_TOKEN_UNKNOWN, 0);
    add(v, "<s>", LLI_TOKEN_CONTROL, 0);
    add(v, "</s>", LLI_TOKEN_CONTROL, 0);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        add(v, words[i].text, LLI_TOKEN_NORMAL, words[i].score);
    add_whole(v);
    test_vocab_id(v, "tokenizer.ggml.unknown_token_id", 0);
    test_vocab_id(v, "tokenizer.ggml.bos_token_id", 1);
    test_vocab_id(v, "tokenizer.ggml.eos_token_id", 2);
    v->merges.key = NULL;
}

void test_vocab_wordpiece(struct test_vocab *v)
{
    static const char *const words[] = {SPACE "hello", SPACE "he", "llo",      "l", "o",          SPACE "w",
                                        SPACE "!",     SPACE "'",  SPACE "ma", "n", SPACE "uber", SPACE "\xE4\xB8\xAD"};
    test_vocab_start(v, "bert", NULL);
    add(v, "[PAD]", LLI_TOKEN_CONTROL, 0);
    add(v, "[UNK]", LLI_TOKEN_CONTROL, 0);
    add(v, "[CLS]", LLI_TOKEN_CONTROL, 0);
    add(v, "[SEP]", LLI_TOKEN_CONTROL, 0);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        add(v, words[i], LLI_TOKEN_NORMAL, 0);
    test_vocab_id(v, "tokenizer.ggml.unknown_token_id", 1);
    test_vocab_id(v, "tokenizer.ggml.cls_token_id", 2);
    test_vocab_id(v, "tokenizer.ggml.seperator_token_id", 3);
    v->merges.key = v->scores.key = NULL;
}

void test_vocab_gemma(struct test_vocab *v)
{
    static const char *const texts[] = {"a", "b", SPACE, "\n", SPACE "a", SPACE SPACE, "\n\n", "ab"};
    test_vocab_start(v, "gemma4", NULL);
    test_vocab_token(v, "<eos>", 5, LLI_TOKEN_CONTROL, 0);
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[] = {'<', '0', 'x', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15], '>', 0};
        test_vocab_token(v, text, 6, LLI_TOKEN_BYTE, 0);
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        test_vocab_token(v, texts[i], strlen(texts[i]), i == 5 ? LLI_TOKEN_USER_DEFINED : LLI_TOKEN_NORMAL, 0);
    test_vocab_merge(v, SPACE " a");
    test_vocab_merge(v, SPACE " " SPACE);
    test_vocab_merge(v, "\n \n");
    test_vocab_merge(v, "a b");
    v->scores.key = NULL;
}

/* ---- a double array in which each node has 256 units of its own for its children */

#define CHARSMAP_NODES 64

struct charsmap_maker {
    uint32_t units[(CHARSMAP_NODES + 1) * 256];
    uint32_t own[CHARSMAP_NODES]; /* where the node's unit lies */
    size_t n;
};

static uint32_t block_of(size_t node)
{
    return (uint32_t)(node + 1) * 256;
}

static size_t charsmap_child(struct charsmap_maker *m, size_t node, uint8_t byte)
{
    uint32_t at = block_of(node) ^ byte;
    for (size_t i = 1; i < m->n; i++) {
        if (m->own[i] == at)
            return i;
    }
    m->own[m->n] = at;
    m->units[at] = (at ^ block_of(m->n)) << 10 | byte;
    return m->n++;
}

uint8_t *test_charsmap_make(const char *const *from, const char *const *to, size_t n, size_t *size_out)
{
    struct test_gguf out = {NULL, 0, 0}, texts = {NULL, 0, 0};
    struct charsmap_maker *m = calloc(1, sizeof *m);
    m->n = 1;
    m->units[0] = block_of(0) << 10;
    for (size_t i = 0; i < n; i++) {
        size_t node = 0;
        for (const char *at = from[i]; *at; at++)
            node = charsmap_child(m, node, (uint8_t)*at);
        m->units[m->own[node]] |= 0x100;
        m->units[block_of(node)] = 0x80000000u | (uint32_t)texts.len;
        test_gguf_bytes(&texts, to[i], strlen(to[i]) + 1);
    }
    uint32_t n_units = block_of(m->n);
    test_gguf_u32(&out, n_units * 4);
    for (uint32_t i = 0; i < n_units; i++)
        test_gguf_u32(&out, m->units[i]);
    test_gguf_bytes(&out, texts.bytes, texts.len);
    free(texts.bytes);
    free(m);
    *size_out = out.len;
    return out.bytes;
}

void test_vocab_charsmap(struct test_vocab *v, const void *bytes, size_t n)
{
    test_gguf_key_array(&v->more, "tokenizer.ggml.precompiled_charsmap", LLI_GGUF_U8, n);
    test_gguf_bytes(&v->more, bytes, n);
    v->n_more++;
}

/* ---- a vocabulary that was read */

int32_t test_text_open_bytes(struct test_text *t, uint8_t *bytes, size_t size)
{
    struct lli_gguf_options options = {LLI_HEADER_BYTES_DEFAULT, 1};
    memset(t, 0, sizeof *t);
    t->file = bytes;
    lli_heap_init(&t->heap, support_alloc, support_release, &t->host);
    int32_t status = lli_gguf_read(&t->gguf, &t->heap, bytes, size, &options, &t->error);
    return status ? status : lli_vocab_read(&t->vocab, &t->heap, &t->gguf, &t->error);
}

int32_t test_text_open(struct test_text *t, struct test_vocab *v)
{
    size_t size;
    uint8_t *bytes = test_vocab_make(v, &size);
    return test_text_open_bytes(t, bytes, size);
}

int64_t test_text_close(struct test_text *t)
{
    lli_vocab_finish(&t->vocab);
    lli_gguf_finish(&t->gguf);
    free(t->file);
    t->file = NULL;
    return t->host.live_bytes;
}

const char *test_text_tokens(struct test_text *t, const char *text, size_t n, int flags)
{
    static char out[4096];
    struct lli_buffer ids;
    size_t len = 0;
    lli_buffer_init(&ids, &t->heap);
    int failed = lli_encode(&ids, &t->vocab, text, n, flags, &t->error) != 0;
    for (size_t i = 0; i < ids.len && !failed; i += sizeof(int32_t)) {
        int32_t id;
        memcpy(&id, ids.bytes + i, sizeof id);
        failed = id < 0 || (uint32_t)id >= t->vocab.n || len + t->vocab.tokens[id].len + 2 > sizeof out;
        if (failed)
            break;
        struct lli_text token = t->vocab.tokens[id];
        if (i)
            out[len++] = ' ';
        memcpy(out + len, token.bytes, token.len);
        len += token.len;
    }
    out[len] = '\0';
    lli_buffer_finish(&ids);
    return failed ? NULL : out;
}

const char *test_text_back(struct test_text *t, const char *text, size_t n, int flags)
{
    static char out[4096];
    struct lli_buffer ids, back;
    struct lli_decode d = {.at_start = 1};
    lli_buffer_init(&ids, &t->heap);
    lli_buffer_init(&back, &t->heap);
    int failed = lli_encode(&ids, &t->vocab, text, n, flags, &t->error) != 0;
    for (size_t i = 0; i < ids.len && !failed; i += sizeof(int32_t)) {
        int32_t id;
        memcpy(&id, ids.bytes + i, sizeof id);
        failed = lli_decode_token(&d, &back, &t->vocab, id, 0) != 0;
    }
    failed = failed || lli_decode_end(&d, &back) != 0 || back.len >= sizeof out;
    if (!failed && back.len > 0)
        memcpy(out, back.bytes, back.len);
    out[failed ? 0 : back.len] = '\0';
    lli_buffer_finish(&ids);
    lli_buffer_finish(&back);
    return failed ? NULL : out;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_WATCHED 1
#endif
#endif
#if !defined(IS_WATCHED) && (defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__))
#define IS_WATCHED 1
#endif
#ifdef IS_WATCHED
#define MOST_SECONDS 20
#else
#define MOST_SECONDS 1
#endif

static double core_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int is_quick(const struct lli_vocab *v, const char *text, size_t n)
{
    struct lli_buffer ids;
    lli_buffer_init(&ids, v->heap);
    double start = core_seconds();
    int32_t status = lli_encode(&ids, v, text, n, LLI_TEXT_REPAIR, NULL);
    double seconds = core_seconds() - start;
    lli_buffer_finish(&ids);
    if (status || seconds >= MOST_SECONDS)
        fprintf(stderr, "%zu bytes that begin with %#x: status %d, %.3f s\n", n, (unsigned)(uint8_t)text[0], status, seconds);
    return status == 0 && seconds < MOST_SECONDS;
}

int test_text_is_quick(const struct lli_vocab *v)
{
    enum { BYTES = 1 << 20 };
    char *text = malloc(BYTES);
    uint64_t seed = 5;
    int quick = text != NULL;
    for (int kind = 0; kind < 3 && quick; kind++) {
        for (size_t i = 0; i < BYTES; i++)
            text[i] = kind == 0 ? 'A' : kind == 1 ? ' ' : (char)support_random(&seed);
        quick = is_quick(v, text, BYTES);
    }
    free(text);
    return quick;
}
