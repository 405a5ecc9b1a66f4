/* A text through a small vocabulary and back: the first byte picks the vocabulary and the flags, the rest is the text. */
#include "text/decode.h"
#include "text/encode.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "support/vocab_make.h"

#define SPACE "\xE2\x96\x81" /* U+2581 */

static const char *const pres[] = {NULL, "default", "gpt-2", "llama-bpe", "qwen2", "smollm"};

#define N_VOCABS (sizeof pres / sizeof *pres)

/* Made once; NULL in pres is SPM. */
static struct test_text texts[N_VOCABS];

static struct test_text *pick(uint8_t byte)
{
    size_t i = byte % 8u % N_VOCABS;
    struct test_vocab v;
    if (texts[i].file)
        return &texts[i];
    if (pres[i])
        test_vocab_bpe(&v, pres[i]);
    else
        test_vocab_spm(&v);
    if (test_text_open(&texts[i], &v))
        abort();
    return &texts[i];
}

/* What comes back of a text: a U+2581 is SPM's space. */
static size_t expect(char *out, const struct lli_vocab *v, const uint8_t *text, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n; len++) {
        int space = v->kind == LLI_VOCAB_SPM && n - i >= 3 && memcmp(text + i, SPACE, 3) == 0;
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
    if (size == 0 || size > 4096)
        return 0;
    struct test_text *t = pick(data[0]);
    int flags = data[0] >> 3 & (LLI_TEXT_SPECIAL | LLI_TEXT_BOUNDS | LLI_TEXT_REPAIR);
    const uint8_t *text = data + 1;
    size_t n = size - 1;
    struct lli_buffer ids, back;
    char *wanted = malloc(n + 1);
    lli_buffer_init(&ids, &t->heap);
    lli_buffer_init(&back, &t->heap);
    int valid = lli_utf8_valid(text, n) == n;
    int32_t status = lli_encode(&ids, &t->vocab, (const char *)text, n, flags, &t->error);
    if ((status == 0) != (valid || (flags & LLI_TEXT_REPAIR)) || (status && ids.len))
        abort();
    decode(&back, &t->vocab, &ids, flags & LLI_TEXT_SPECIAL);
    if (valid && !(flags & LLI_TEXT_SPECIAL) &&
        (back.len != expect(wanted, &t->vocab, text, n) || (back.len && memcmp(back.bytes, wanted, back.len))))
        abort();
    lli_buffer_finish(&ids);
    lli_buffer_finish(&back);
    free(wanted);
    return 0;
}
