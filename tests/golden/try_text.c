/* What texts become, for scripts that know it otherwise. The texts come from stdin, each with a NUL behind it; of each a line
 * goes to stdout: the lengths in bytes of its pieces, or its ids.
 *
 * usage: try-text pieces NAME     as the pre-tokenizer of that name cuts
 *        try-text regex REGEX     as a regex of a tokenizer.json cuts
 *        try-text ids FILE        of the vocabulary of a GGUF file or a tokenizer.json, with its bounds
 *        try-text back FILE       the text that its ids decode to, without control tokens, each with a NUL behind it
 *        try-text form NAME       the text itself in NFC, NFD, NFKC, NFKD or small letters (lower)
 *        try-text plain FILE      the same without bounds, and control tokens stay text */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "file/gguf.h"
#include "support.h"
#include "text/decode.h"
#include "text/encode.h"
#include "text/hf.h"
#include "text/pre.h"
#include "text/vocab.h"

static struct lli_heap heap;
static struct llminf_error err;

static int fail(void)
{
    fprintf(stderr, "%s\n", err.text);
    return 1;
}

/* The texts of stdin, with a NUL behind them all. */
static char *read_texts(size_t *n_out)
{
    size_t n = 0, cap = 1 << 20;
    char *all = malloc(cap);
    while (all) {
        n += fread(all + n, 1, cap - n, stdin);
        if (n < cap)
            break;
        all = realloc(all, cap *= 2);
    }
    *n_out = n;
    return all;
}

/* The rules of a name, or of a regex. */
static int32_t open_split(struct lli_split **out, const char *name, int is_regex)
{
    struct lli_text text = {name, strlen(name)};
    struct lli_split_rule rule = {.pattern = is_regex ? lli_pre_pattern(text) : NULL, .cut = LLI_CUT_APART};
    const struct lli_pre *pre = is_regex ? NULL : lli_pre_find(text);
    if (rule.pattern)
        return lli_split_new(out, &heap, &rule, 1, &err);
    return pre ? lli_pre_compile(out, &heap, pre, &err) : lli_fail(&err, LLMINF_E_UNSUPPORTED, name, "not known");
}

static int print_pieces(const char *name, int is_regex, const char *texts, size_t n)
{
    struct lli_split *split;
    struct lli_pieces pieces;
    if (open_split(&split, name, is_regex))
        return fail();
    lli_pieces_init(&pieces, &heap);
    for (size_t at = 0; at < n;) {
        struct lli_text text = {texts + at, strlen(texts + at)};
        if (lli_split_run(&pieces, split, text, 1, &err))
            return fail();
        for (size_t i = 0; i < lli_pieces_count(&pieces); i++)
            printf("%zu ", lli_pieces_at(&pieces, i).len);
        putchar('\n');
        at += text.len + 1;
    }
    lli_pieces_finish(&pieces);
    lli_split_free(split);
    return 0;
}

static int print_form(const char *name, const char *texts, size_t n)
{
    static const char *const names[] = {"NFC", "NFD", "NFKC", "NFKD", "lower"};
    struct lli_normal_work work;
    struct lli_normal normal;
    memset(&normal, 0, sizeof normal);
    for (uint8_t kind = 0; kind < 5; kind++) {
        struct lli_normal_step step = {.kind = kind}; /* in the order of enum lli_normal_kind */
        if (strcmp(name, names[kind]) == 0 && lli_normal_add(&normal, &step, &err))
            return fail();
    }
    if (normal.n != 1)
        return fail();
    lli_normal_work_init(&work, &heap);
    for (size_t at = 0; at < n; at += strlen(texts + at) + 1) {
        struct lli_text text = {texts + at, strlen(texts + at)};
        if (lli_normal_run(&text, &work, &normal, 1, &err))
            return fail();
        fwrite(text.bytes, 1, text.len, stdout);
        putchar('\0');
    }
    lli_normal_work_finish(&work);
    return 0;
}

static int print_ids(const struct lli_vocab *v, const char *texts, size_t n, int flags)
{
    for (size_t at = 0; at < n;) {
        struct lli_buffer ids;
        size_t len = strlen(texts + at);
        lli_buffer_init(&ids, &heap);
        if (lli_encode(&ids, v, texts + at, len, flags, &err))
            return fail();
        for (size_t i = 0; i < ids.len; i += sizeof(int32_t)) {
            int32_t id;
            memcpy(&id, ids.bytes + i, sizeof id);
            printf("%d ", id);
        }
        putchar('\n');
        lli_buffer_finish(&ids);
        at += len + 1;
    }
    return 0;
}

/* How texts come back. */
static int print_back(const struct lli_vocab *v, const char *texts, size_t n)
{
    for (size_t at = 0; at < n; at += strlen(texts + at) + 1) {
        struct lli_buffer ids, back;
        struct lli_decode state = {.at_start = 1};
        lli_buffer_init(&ids, &heap);
        lli_buffer_init(&back, &heap);
        if (lli_encode(&ids, v, texts + at, strlen(texts + at), LLI_TEXT_SPECIAL, &err))
            return fail();
        for (size_t i = 0; i < ids.len; i += sizeof(int32_t)) {
            int32_t id;
            memcpy(&id, ids.bytes + i, sizeof id);
            if (lli_decode_token(&state, &back, v, id, 0))
                return fail();
        }
        if (lli_decode_end(&state, &back))
            return fail();
        fwrite(back.bytes, 1, back.len, stdout);
        putchar('\0');
        lli_buffer_finish(&ids);
        lli_buffer_finish(&back);
    }
    return 0;
}

int main(int argc, char **argv)
{
    size_t n, size;
    char *texts = read_texts(&n);
    lli_heap_init(&heap, NULL, NULL, NULL);
    if (argc != 3 || !texts) {
        fprintf(stderr, "usage: try-text pieces|regex|form|ids|plain|back NAME|FILE\n");
        return 2;
    }
    if (strcmp(argv[1], "pieces") == 0 || strcmp(argv[1], "regex") == 0)
        return print_pieces(argv[2], strcmp(argv[1], "regex") == 0, texts, n);
    if (strcmp(argv[1], "form") == 0)
        return print_form(argv[2], texts, n);
    int flags = strcmp(argv[1], "ids") == 0 ? LLI_TEXT_BOUNDS | LLI_TEXT_SPECIAL : 0;
    struct lli_vocab v;
    struct lli_gguf g;
    memset(&g, 0, sizeof g);
    struct lli_gguf_options options = {LLI_HEADER_BYTES_DEFAULT, 1};
    char *file = (char *)support_read(argv[2], &size);
    if (!file)
        return fail();
    if (file[0] == '{' ? lli_hf_read(&v, &heap, (struct lli_text){file, size}, (struct lli_text){NULL, 0}, NULL, &err)
                       : lli_gguf_read(&g, &heap, file, size, &options, &err) || lli_vocab_read(&v, &heap, &g, &err))
        return fail();
    int status = strcmp(argv[1], "back") == 0 ? print_back(&v, texts, n) : print_ids(&v, texts, n, flags);
    lli_vocab_finish(&v);
    lli_gguf_finish(&g);
    free(file);
    free(texts);
    return status;
}
