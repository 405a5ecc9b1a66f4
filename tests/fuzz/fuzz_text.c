/* A text through a small vocabulary and back: the first byte picks the vocabulary, the second has the flags, the rest is the
 * text. */
#include "text/decode.h"
#include "text/encode.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "support/vocab_make.h"

#define SPACE "\xE2\x96\x81" /* U+2581 */

static void make_spm(struct test_vocab *v)
{
    test_vocab_spm(v);
}

static void make_unigram(struct test_vocab *v)
{
    test_vocab_unigram(v);
    test_vocab_flag(v, "tokenizer.ggml.remove_extra_whitespaces", 1);
    test_vocab_flag(v, "tokenizer.ggml.add_space_prefix", 1);
}

/* With a map of characters. */
static void make_mapped(struct test_vocab *v)
{
    static const char *const from[] = {"\xC3\xA9", "A", "AB", "\xEF\xBC\xA1\xCC\x81", " \t"};
    static const char *const to[] = {"he", "a", "", "long", " "};
    size_t n;
    uint8_t *bytes = test_charsmap_make(from, to, 5, &n);
    test_vocab_unigram(v);
    test_vocab_charsmap(v, bytes, n);
    free(bytes);
}

/* By a function, or of BPE by the name of a pre-tokenizer. */
static const struct {
    void (*make)(struct test_vocab *v);
    const char *pre;
} rows[] = {{make_spm, NULL},         {NULL, "default"},        {NULL, "gpt-2"},       {NULL, "llama-bpe"},
            {NULL, "qwen2"},          {NULL, "smollm"},         {make_unigram, NULL},  {test_vocab_wordpiece, NULL},
            {test_vocab_gemma, NULL}, {make_mapped, NULL},      {NULL, "qwen35"},      {NULL, "gpt-4o"},
            {NULL, "tekken"},         {NULL, "deepseek-coder"}, {NULL, "deepseek-v3"}, {NULL, "falcon"},
            {NULL, "deepseek-llm"},   {NULL, "dbrx"},           {NULL, "bloom"},       {NULL, "viking"},
            {NULL, "jais-2"},         {NULL, "bailingmoe"},     {NULL, "seed-coder"},  {NULL, "exaone-moe"},
            {NULL, "laguna"},         {NULL, "minicpm5"},       {NULL, "kimi-k2"},     {NULL, "youtu"},
            {NULL, "spark2_5"},       {NULL, "ufakzeka"},       {NULL, "chameleon"}};

#define N_VOCABS (sizeof rows / sizeof *rows)

/* Made once. */
static struct test_text texts[N_VOCABS];

static struct test_text *pick(uint8_t byte)
{
    size_t i = byte % N_VOCABS;
    struct test_vocab v;
    if (texts[i].file)
        return &texts[i];
    if (rows[i].make)
        rows[i].make(&v);
    else
        test_vocab_bpe(&v, rows[i].pre);
    if (test_text_open(&texts[i], &v))
        abort();
    return &texts[i];
}

static int is_lossless(const struct lli_vocab *v)
{
    return v->kind == LLI_VOCAB_SPM || v->kind == LLI_VOCAB_BPE;
}

/* What comes back of a text: a U+2581 is SPM's space. */
static size_t expect(char *out, const struct lli_vocab *v, const uint8_t *text, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n; len++) {
        int marks = v->kind == LLI_VOCAB_SPM || v->by_characters;
        int space = marks && n - i >= 3 && memcmp(text + i, SPACE, 3) == 0;
        out[len] = space ? ' ' : (char)text[i];
        i += space ? 3 : 1;
    }
    return len;
}

static void decode(struct lli_buffer *back, const struct lli_vocab *v, const struct lli_buffer *ids, int special)
{
    struct lli_decode d = {.at_start = 1};
    for (size_t i = 0; i < ids->len; i += sizeof(int32_t)) {
        int32_t id;
        memcpy(&id, ids->bytes + i, sizeof id);
        if (id < 0 || (uint32_t)id >= v->n || lli_decode_token(&d, back, v, id, special))
            abort();
        if (lli_utf8_valid(back->bytes, back->len) != back->len)
            abort();
    }
    if (lli_decode_end(&d, back))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 4096)
        return 0;
    struct test_text *t = pick(data[0]);
    int flags = data[1] & (LLI_TEXT_SPECIAL | LLI_TEXT_BOUNDS | LLI_TEXT_REPAIR);
    const uint8_t *text = data + 2;
    size_t n = size - 2;
    struct lli_buffer ids, back;
    char *wanted = malloc(n + 1);
    lli_buffer_init(&ids, &t->heap);
    lli_buffer_init(&back, &t->heap);
    int valid = lli_utf8_valid(text, n) == n;
    int32_t status = lli_encode(&ids, &t->vocab, (const char *)text, n, flags, &t->error);
    if ((status == 0) != (valid || (flags & LLI_TEXT_REPAIR)) || (status && ids.len))
        abort();
    decode(&back, &t->vocab, &ids, flags & LLI_TEXT_SPECIAL);
    if (valid && is_lossless(&t->vocab) && !(flags & LLI_TEXT_SPECIAL) &&
        (back.len != expect(wanted, &t->vocab, text, n) || (back.len && memcmp(back.bytes, wanted, back.len))))
        abort();
    lli_buffer_finish(&ids);
    lli_buffer_finish(&back);
    free(wanted);
    return 0;
}
