/* text/wordpiece.c - words from a normalised text, tokens from words. A GGUF file spells the token of a word's beginning
 * with a U+2581 in front, a tokenizer.json all others with "##"; here it is two places of one tree where the walk starts.
 *
 * Source: J. Devlin et al., BERT, 2018. */
#include "text/wordpiece.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "text/token_tree.h"

#define UNKNOWN_ID "tokenizer.ggml.unknown_token_id"
#define MARK "\xE2\x96\x81" /* U+2581 */
#define CJK                                                                                                                    \
    "\\x{3400}-\\x{4DBF}\\x{4E00}-\\x{9FFF}\\x{F900}-\\x{FAFF}\\x{20000}-\\x{2A6DF}\\x{2A700}-\\x{2B81F}\\x{2B820}-"           \
    "\\x{2CEAF}\\x{2F800}-\\x{2FA1F}"

const struct lli_split_rule lli_wordpiece_rules[3] = {
    {.pattern = "\\p{wspace}+", .cut = LLI_CUT_AWAY},
    {.pattern = "[!-/:-@\\[-`{-~\\p{P}]", .cut = LLI_CUT_APART},
    {.pattern = "[" CJK "]", .cut = LLI_CUT_APART},
};

int32_t lli_wordpiece_read_bytes(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err)
{
    (void)g;
    for (size_t byte = 0; byte < 256; byte++)
        v->byte_ids[byte] = LLI_NO_TOKEN;
    return v->unk == LLI_NO_TOKEN ? lli_fail(err, LLMINF_E_FORMAT, UNKNOWN_ID, "missing; a WordPiece vocabulary needs it")
                                  : LLMINF_OK;
}

static int32_t add_drop(struct lli_vocab *v, const char *pattern, struct llminf_error *err)
{
    struct lli_split_rule rule = {.pattern = pattern, .cut = LLI_CUT_AWAY};
    struct lli_normal_step step = {.kind = LLI_NORMAL_DROP};
    int32_t status = lli_split_new(&step.drop, v->heap, &rule, 1, err);
    if (status == LLMINF_OK)
        status = lli_normal_add(&v->normal, &step, err);
    if (status != LLMINF_OK)
        lli_split_free(step.drop);
    return status;
}

int32_t lli_wordpiece_add_normal(struct lli_vocab *v, const struct lli_bert_options *options, struct llminf_error *err)
{
    int32_t status = LLMINF_OK;
    if (options->clean_text)
        status = add_drop(v, "(?:(?![\\t\\n\\r])[\\x{0}\\x{FFFD}\\p{Cc}\\p{Cf}\\p{Co}])+", err);
    if (status == LLMINF_OK && options->strip_accents) {
        struct lli_normal_step step = {.kind = LLI_NORMAL_NFD};
        status = lli_normal_add(&v->normal, &step, err);
        if (status == LLMINF_OK)
            status = add_drop(v, "\\p{Mn}+", err);
    }
    if (status == LLMINF_OK && options->lower) {
        struct lli_normal_step step = {.kind = LLI_NORMAL_LOWER};
        status = lli_normal_add(&v->normal, &step, err);
    }
    return status;
}

int32_t lli_wordpiece_read_rules(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err)
{
    struct lli_bert_options options = {1, 1, 1, 1};
    int32_t status = lli_gguf_get_bool(&options.lower, g, "tokenizer.ggml.normalizer.lowercase", 1, err);
    if (status == LLMINF_OK)
        status = lli_gguf_get_bool(&options.strip_accents, g, "tokenizer.ggml.normalizer.strip_accents", options.lower, err);
    if (status == LLMINF_OK)
        status = lli_wordpiece_add_normal(v, &options, err);
    if (status == LLMINF_OK)
        status = lli_split_new(&v->split, v->heap, lli_wordpiece_rules, 3, err);
    if (status == LLMINF_OK)
        status = lli_token_tree_new(&v->trie, v, LLI_MAX_PIECE_BYTES, err);
    v->before.n = v->after.n = 1;
    v->n_strip = 1;
    v->word_start = (struct lli_text){MARK, strlen(MARK)};
    return status;
}

/* The longest token that piece[at..] begins with, from a place in the tree; its end, or `at` if there is none. */
static size_t find_longest(int32_t *id_out, const struct lli_vocab *v, uint32_t node, struct lli_text piece, size_t at)
{
    size_t found = at;
    for (size_t end = at; end < piece.len && node != LLI_NO_NODE;) {
        node = lli_token_tree_next(v->trie, node, (uint8_t)piece.bytes[end++]);
        int32_t id = node == LLI_NO_NODE ? LLI_NO_TOKEN : lli_token_tree_token(v->trie, node);
        if (id == LLI_NO_TOKEN)
            continue;
        *id_out = id;
        found = end;
    }
    return found;
}

static size_t count_characters(struct lli_text t)
{
    size_t n = 0;
    for (size_t i = 0; i < t.len && n <= LLI_MAX_WORD_CHARACTERS; i++)
        n += ((uint8_t)t.bytes[i] & 0xC0) != 0x80;
    return n;
}

/* A word that cannot be spelled to its end, or is too long, is one unknown. */
int lli_wordpiece_encode(struct lli_buffer *ids, const struct lli_vocab *v, struct lli_encode_work *work, struct lli_text piece)
{
    size_t before = ids->len;
    uint32_t start = lli_token_tree_walk(v->trie, v->word_start), inner = lli_token_tree_walk(v->trie, v->word_inner);
    int spelled = count_characters(piece) <= LLI_MAX_WORD_CHARACTERS;
    (void)work;
    for (size_t at = 0; at < piece.len && spelled;) {
        int32_t id = LLI_NO_TOKEN;
        size_t end = find_longest(&id, v, at ? inner : start, piece, at);
        spelled = end > at;
        if (spelled && lli_buffer_append(ids, &id, sizeof id))
            return -1;
        at = end;
    }
    if (spelled)
        return 0;
    ids->len = before;
    return lli_buffer_append(ids, &v->unk, sizeof v->unk);
}

int lli_wordpiece_encode_word(struct lli_buffer *ids, const struct lli_vocab *v, struct lli_encode_work *work,
                              struct lli_text piece)
{
    uint32_t id;
    (void)work;
    if (!lli_map_find(&v->by_token, piece.bytes, piece.len, &id) || !(lli_vocab_is_plain(v, id) || lli_vocab_is_models(v, id)))
        id = (uint32_t)v->unk;
    return lli_buffer_append(ids, &id, sizeof id);
}
