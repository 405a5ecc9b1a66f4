/* text/spm.c - SentencePiece BPE. A run is one piece: its characters are joined by the best score, after it got a U+2581 for
 * each space and, where the file asks for it, one in front (text/normal.h). The joined tokens are found by their bytes. */
#include "text/spm.h"

#include <string.h>

#include "base/error.h"
#include "base/sort.h"
#include "base/utf8.h"

#define TOKENS "tokenizer.ggml.tokens"
#define SCORES "tokenizer.ggml.scores"
#define CHARSMAP "tokenizer.ggml.precompiled_charsmap"
#define SPACE "\xE2\x96\x81" /* U+2581 */
#define SPACE_LEN 3u

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int lli_spm_spelled_byte(struct lli_text t)
{
    if (t.len != 6 || memcmp(t.bytes, "<0x", 3) != 0 || t.bytes[5] != '>')
        return -1;
    int high = hex_digit(t.bytes[3]), low = hex_digit(t.bytes[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

int32_t lli_spm_enter_bytes(struct lli_vocab *v, const char *subject, struct llminf_error *err)
{
    for (uint32_t byte = 0; byte < 256; byte++)
        v->byte_ids[byte] = LLI_NO_TOKEN;
    for (uint32_t id = 0; id < v->n; id++) {
        if (v->types[id] != LLI_TOKEN_BYTE)
            continue;
        int byte = lli_spm_spelled_byte(v->tokens[id]);
        if (byte < 0)
            return lli_fail(err, LLMINF_E_FORMAT, subject, "token %u is of type byte, but not spelled <0xXX>", id);
        if (v->byte_ids[byte] != LLI_NO_TOKEN)
            return lli_fail(err, LLMINF_E_FORMAT, subject, "token %u is byte 0x%02x as token %d is", id, (unsigned)byte,
                            v->byte_ids[byte]);
        v->byte_ids[byte] = (int32_t)id;
    }
    return LLMINF_OK;
}

int32_t lli_spm_read_bytes(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err)
{
    int has_types = lli_gguf_find(g, "tokenizer.ggml.token_type") != NULL;
    for (uint32_t id = 0; id < v->n && !has_types; id++) {
        if (lli_spm_spelled_byte(v->tokens[id]) >= 0)
            v->types[id] = LLI_TOKEN_BYTE;
    }
    int32_t status = lli_spm_enter_bytes(v, TOKENS, err);
    for (uint32_t byte = 0; byte < 256 && status == LLMINF_OK && v->unk == LLI_NO_TOKEN; byte++) {
        if (v->byte_ids[byte] == LLI_NO_TOKEN)
            status = lli_fail(err, LLMINF_E_FORMAT, TOKENS, "no token for byte 0x%02x, and none for the unknown", byte);
    }
    return status;
}

static int better_score(const void *a, const void *b, const void *user)
{
    const double *scores = user;
    double left = scores[*(const uint32_t *)a], right = scores[*(const uint32_t *)b];
    return left > right ? -1 : left < right;
}

static int32_t read_scores(double *scores, uint32_t n, const struct lli_gguf_entry *e, struct llminf_error *err)
{
    for (uint32_t id = 0; id < n; id++) {
        if (lli_gguf_float(&scores[id], e, id))
            return lli_fail_at(err, LLMINF_E_FORMAT, e->pos, SCORES, "elements of type %u, want floats", e->kind);
        if (scores[id] != scores[id])
            return lli_fail_at(err, LLMINF_E_FORMAT, e->pos, SCORES, "the score of token %u is NaN", id);
    }
    return LLMINF_OK;
}

/* ranks[id]: how many better scores there are. */
static void rank_scores(uint32_t *ranks, uint32_t *order, const double *scores, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    lli_sort(order, n, sizeof *order, better_score, scores);
    for (uint32_t i = 1; i < n; i++)
        ranks[order[i]] = ranks[order[i - 1]] + (scores[order[i - 1]] > scores[order[i]]);
}

int32_t lli_spm_read_scores(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err)
{
    const struct lli_gguf_entry *e = NULL;
    int32_t status = lli_vocab_array(&e, g, SCORES, 0, v->n, err);
    if (status != LLMINF_OK)
        return status;
    double *scores = lli_arena_take(&v->arena, v->n, sizeof *scores);
    v->scores = scores;
    return scores ? read_scores(scores, v->n, e, err) : lli_fail_memory(err, SCORES, (uint64_t)v->n * sizeof *scores);
}

static int32_t read_ranks(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err)
{
    const struct lli_gguf_entry *e = NULL;
    int32_t status = lli_vocab_array(&e, g, SCORES, 0, v->n, err);
    if (status != LLMINF_OK)
        return status;
    uint32_t *ranks = lli_arena_take(&v->arena, v->n, sizeof *ranks);
    uint32_t *order = lli_alloc_array(v->heap, v->n, sizeof *order);
    double *scores = lli_alloc_array(v->heap, v->n, sizeof *scores);
    if (ranks && order && scores)
        status = read_scores(scores, v->n, e, err);
    else
        status = lli_fail_memory(err, SCORES, (uint64_t)v->n * (sizeof *ranks + sizeof *order + sizeof *scores));
    if (status == LLMINF_OK)
        rank_scores(ranks, order, scores, v->n);
    lli_free(v->heap, order);
    lli_free(v->heap, scores);
    v->ranks = ranks;
    return status;
}

/* The map of characters, if the file has one. */
static int32_t read_charsmap(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err)
{
    const struct lli_gguf_entry *e = lli_gguf_find(g, CHARSMAP);
    struct lli_normal_step step = {.kind = LLI_NORMAL_CHARSMAP};
    if (!e || (e->is_array && e->n == 0))
        return LLMINF_OK;
    if (!e->is_array || (e->kind != LLI_GGUF_U8 && e->kind != LLI_GGUF_I8))
        return lli_fail_at(err, LLMINF_E_FORMAT, e->pos, CHARSMAP, "%s of type %u, want an array of bytes",
                           e->is_array ? "array" : "value", e->kind);
    int32_t status = lli_charsmap_read(&step.map, v->heap, e->values, (size_t)e->n, CHARSMAP, err);
    return status == LLMINF_OK ? lli_normal_add(&v->normal, &step, err) : status;
}

int32_t lli_spm_read_normal(struct lli_vocab *v, const struct lli_gguf *g, int prefix, struct llminf_error *err)
{
    int collapse;
    int32_t status = lli_gguf_get_bool(&prefix, g, "tokenizer.ggml.add_space_prefix", prefix, err);
    if (status == LLMINF_OK)
        status = lli_gguf_get_bool(&collapse, g, "tokenizer.ggml.remove_extra_whitespaces", 0, err);
    if (status == LLMINF_OK)
        status = read_charsmap(v, g, err);
    if (status != LLMINF_OK)
        return status;
    struct lli_normal_step step = {.kind = LLI_NORMAL_MARKS,
                                   .flags = (uint8_t)((prefix ? LLI_NORMAL_PREFIX : 0) | (collapse ? LLI_NORMAL_COLLAPSE : 0))};
    v->n_strip = prefix != 0;
    return lli_normal_add(&v->normal, &step, err);
}

int32_t lli_spm_read_rules(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err)
{
    int32_t status = read_ranks(v, g, err);
    v->before.n = 1;
    return status == LLMINF_OK ? lli_spm_read_normal(v, g, 1, err) : status;
}

static int is_space(const char *bytes, size_t n)
{
    return n >= SPACE_LEN && memcmp(bytes, SPACE, SPACE_LEN) == 0;
}

size_t lli_spm_text(char *out, const struct lli_vocab *v, uint32_t id)
{
    struct lli_text token = v->tokens[id];
    size_t n = 0;
    if (v->types[id] == LLI_TOKEN_BYTE) {
        out[0] = (char)lli_spm_spelled_byte(token);
        return 1;
    }
    int has_spaces = lli_vocab_is_plain(v, id) || v->types[id] == LLI_TOKEN_USER_DEFINED;
    for (size_t at = 0; at < token.len; n++) {
        int space = has_spaces && is_space(token.bytes + at, token.len - at);
        out[n] = space ? ' ' : token.bytes[at];
        at += space ? SPACE_LEN : 1;
    }
    return n;
}

static int find_plain(int32_t *id_out, const struct lli_vocab *v, struct lli_text t)
{
    uint32_t id;
    if (t.len > v->longest || !lli_map_find(&v->by_token, t.bytes, t.len, &id) || !lli_vocab_is_plain(v, id))
        return 0;
    *id_out = (int32_t)id;
    return 1;
}

static uint32_t rate(int32_t *joined_out, const struct lli_vocab *v, struct lli_text both, int32_t left, int32_t right)
{
    (void)left, (void)right;
    return find_plain(joined_out, v, both) ? v->ranks[*joined_out] : LLI_NO_RANK;
}

/* A character that is no token: its bytes, or one unknown where one of them is no token either. */
static int append_bytes(struct lli_buffer *ids, const struct lli_vocab *v, struct lli_text c)
{
    int32_t of_bytes[4];
    size_t n = 0;
    if (is_space(c.bytes, c.len))
        c = (struct lli_text){" ", 1};
    for (; n < c.len && n < 4; n++) {
        of_bytes[n] = v->byte_ids[(uint8_t)c.bytes[n]];
        if (of_bytes[n] == LLI_NO_TOKEN)
            return lli_buffer_append(ids, &v->unk, sizeof v->unk);
    }
    return lli_buffer_append(ids, of_bytes, n * sizeof *of_bytes);
}

static int append_symbols(struct lli_buffer *ids, const struct lli_vocab *v, const struct lli_symbol *symbols,
                          struct lli_text t)
{
    for (uint32_t i = 0; i != LLI_NO_SYMBOL; i = symbols[i].next) {
        size_t end = symbols[i].next == LLI_NO_SYMBOL ? t.len : symbols[symbols[i].next].at;
        struct lli_text bytes = {t.bytes + symbols[i].at, end - symbols[i].at};
        int32_t id = symbols[i].id;
        int is_token = id != LLI_NO_TOKEN || find_plain(&id, v, bytes);
        if (is_token ? lli_buffer_append(ids, &id, sizeof id) : append_bytes(ids, v, bytes))
            return -1;
    }
    return 0;
}

int lli_spm_encode(struct lli_buffer *ids, const struct lli_vocab *v, struct lli_encode_work *work, struct lli_text piece)
{
    struct lli_merge *m = &work->merge;
    lli_merge_start(m);
    for (size_t at = 0; at < piece.len;) {
        uint32_t code;
        if (lli_merge_append(m, at, LLI_NO_TOKEN))
            return -1;
        at += lli_utf8_read(&code, piece.bytes + at, piece.len - at);
    }
    if (lli_merge_run(m, v, rate, piece.bytes, piece.len))
        return -1;
    return append_symbols(ids, v, lli_merge_symbols(m), piece);
}
