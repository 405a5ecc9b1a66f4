/* text/bpe.c - byte-level BPE. Bytes become GPT-2's 256 characters only where the vocabulary is read: a token is known by
 * its id, a merge by a pair of ids, and a text is joined as the bytes that it is.
 *
 * Source: R. Sennrich et al., Neural machine translation of rare words with subword units, 2016; GPT-2's byte alphabet. */
#include "text/bpe.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "text/pre.h"
#include "text/spm.h"

#define MERGES "tokenizer.ggml.merges"

/* The alphabet: what prints in Latin-1 stands for itself, the others for U+0100 and on, in order. The three gaps: */
static const struct {
    uint8_t first, last;
    uint16_t code;
} gaps[] = {{0x00, 0x20, 0x100}, {0x7F, 0xA0, 0x121}, {0xAD, 0xAD, 0x143}};

#define N_GAPS (sizeof gaps / sizeof *gaps)

static uint32_t code_of(uint8_t byte)
{
    for (size_t i = 0; i < N_GAPS; i++) {
        if (byte >= gaps[i].first && byte <= gaps[i].last)
            return (uint32_t)gaps[i].code + byte - gaps[i].first;
    }
    return byte;
}

/* The byte that a character stands for, or -1. */
static int byte_of(uint32_t code)
{
    if (code < 0x100)
        return code_of((uint8_t)code) == code ? (int)code : -1;
    for (size_t i = 0; i < N_GAPS; i++) {
        uint32_t offset = code - gaps[i].code;
        if (offset <= (uint32_t)gaps[i].last - gaps[i].first)
            return (int)(gaps[i].first + offset);
    }
    return -1;
}

/* Bytes that real vocabularies lack: controls, and the beginnings of characters that are not assigned or do not exist. */
static int is_rare(uint32_t byte)
{
    return (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7F || byte == 0xC0 || byte == 0xC1 ||
           byte > 0xF0;
}

int32_t lli_bpe_find_bytes(struct lli_vocab *v, const char *subject, struct llminf_error *err)
{
    if (v->unk == v->bos || v->unk == v->eos)
        v->unk = LLI_NO_TOKEN; /* text never becomes one of these: what is unknown leaves nothing */
    for (uint32_t byte = 0; byte < 256; byte++) {
        char spelled[4];
        uint32_t id;
        size_t n = lli_utf8_write(spelled, code_of((uint8_t)byte));
        v->byte_ids[byte] = lli_map_find(&v->by_token, spelled, n, &id) ? (int32_t)id : LLI_NO_TOKEN;
        if (v->byte_ids[byte] == LLI_NO_TOKEN && v->unk == LLI_NO_TOKEN && !is_rare(byte))
            return lli_fail(err, LLMINF_E_FORMAT, subject, "no token for byte 0x%02x, and none for the unknown", byte);
    }
    return LLMINF_OK;
}

int32_t lli_bpe_read_bytes(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err)
{
    (void)g;
    return lli_bpe_find_bytes(v, "tokenizer.ggml.tokens", err);
}

/* With characters beyond the alphabet it stands as it is spelled. */
size_t lli_bpe_bytes(char *out, struct lli_text token)
{
    size_t n = 0;
    int is_spelled = 0;
    for (size_t at = 0; at < token.len && !is_spelled; n++) {
        uint32_t code = 0;
        at += lli_utf8_read(&code, token.bytes + at, token.len - at);
        int byte = byte_of(code);
        is_spelled = byte < 0;
        out[n] = (char)byte;
    }
    if (!is_spelled)
        return n;
    memcpy(out, token.bytes, token.len);
    return token.len;
}

size_t lli_bpe_text(char *out, const struct lli_vocab *v, uint32_t id)
{
    if (lli_vocab_is_plain(v, id))
        return lli_bpe_bytes(out, v->tokens[id]);
    memcpy(out, v->tokens[id].bytes, v->tokens[id].len);
    return v->tokens[id].len;
}

/* Where tokens are spelled in characters, those of runs of spaces are user-defined, but not found in the text as they stand:
 * there they are joined. */
static int can_join(const struct lli_vocab *v, uint32_t id)
{
    return lli_vocab_is_plain(v, id) || (v->by_characters && lli_vocab_is_models(v, id));
}

static int32_t find_part(int32_t *out, const struct lli_bpe_merges *m, struct lli_text part, uint64_t rank,
                         struct llminf_error *err)
{
    uint32_t id;
    if (!lli_map_find(&m->v->by_token, part.bytes, part.len, &id))
        return lli_fail_at(err, LLMINF_E_FORMAT, m->pos, m->subject, "merge %llu has a part or a result that is no token",
                           (unsigned long long)rank);
    *out = (int32_t)id;
    return LLMINF_OK;
}

int32_t lli_bpe_merges_add(struct lli_bpe_merges *m, uint64_t rank, struct lli_text left, struct lli_text right,
                           struct llminf_error *err)
{
    struct lli_pair *pair = &m->pairs[rank];
    int32_t status = find_part(&pair->left, m, left, rank, err);
    if (status == LLMINF_OK)
        status = find_part(&pair->right, m, right, rank, err);
    if (status != LLMINF_OK)
        return status;
    memcpy(m->both, left.bytes, left.len);
    memcpy(m->both + left.len, right.bytes, right.len);
    status = find_part(&m->joined[rank], m, (struct lli_text){m->both, left.len + right.len}, rank, err);
    if (status != LLMINF_OK || !can_join(m->v, (uint32_t)m->joined[rank]))
        return status; /* text that spells a control token stays text */
    if (lli_map_put(&m->v->merges, pair, sizeof *pair, (uint32_t)rank) < 0)
        return lli_fail_memory(err, m->subject, m->v->merges.n * sizeof *pair);
    return LLMINF_OK;
}

int32_t lli_bpe_merges_add_line(struct lli_bpe_merges *m, uint64_t rank, struct lli_text line, struct llminf_error *err)
{
    const char *space = line.len ? memchr(line.bytes, ' ', line.len) : NULL;
    size_t left = space ? (size_t)(space - line.bytes) : 0, right = space ? line.len - left - 1 : 0;
    if (left == 0 || right == 0 || memchr(space + 1, ' ', right))
        return lli_fail_at(err, LLMINF_E_FORMAT, m->pos, m->subject, "merge %llu is no two parts with one space between",
                           (unsigned long long)rank);
    return lli_bpe_merges_add(m, rank, (struct lli_text){line.bytes, left}, (struct lli_text){space + 1, right}, err);
}

int32_t lli_bpe_merges_start(struct lli_bpe_merges *m, struct lli_vocab *v, uint64_t n, const char *subject, int64_t pos,
                             struct llminf_error *err)
{
    *m = (struct lli_bpe_merges){.v = v, .subject = subject, .pos = pos};
    if (n > LLI_MAX_MERGES)
        return lli_fail_at(err, LLMINF_E_LIMIT, pos, subject, "%llu merges, want at most %u", (unsigned long long)n,
                           LLI_MAX_MERGES);
    v->pairs = m->pairs = lli_arena_take(&v->arena, (size_t)n, sizeof *m->pairs);
    v->joined = m->joined = lli_arena_take(&v->arena, (size_t)n, sizeof *m->joined);
    m->both = lli_alloc_array(v->heap, v->longest, 2);
    if (m->pairs && m->joined && m->both && !lli_map_init(&v->merges, v->heap, (size_t)n))
        return LLMINF_OK;
    return lli_fail_memory(err, subject, n * (sizeof *m->pairs + sizeof *m->joined));
}

void lli_bpe_merges_finish(struct lli_bpe_merges *m)
{
    if (m->v)
        lli_free(m->v->heap, m->both);
    m->both = NULL;
}

static int32_t read_merges(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err)
{
    struct lli_bpe_merges m;
    const struct lli_gguf_entry *e;
    int32_t status = lli_vocab_array(&e, g, MERGES, 1, UINT64_MAX, err);
    if (status != LLMINF_OK)
        return status;
    status = lli_bpe_merges_start(&m, v, e->n, MERGES, e->pos, err);
    for (uint64_t rank = 0; rank < e->n && status == LLMINF_OK; rank++)
        status = lli_bpe_merges_add_line(&m, rank, e->texts[rank], err);
    lli_bpe_merges_finish(&m);
    return status;
}

int32_t lli_bpe_read_rules(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err)
{
    v->before.n = (v->pre->flags & LLI_PRE_BOS) != 0;
    v->whole_piece_first = (v->pre->flags & LLI_PRE_WHOLE) != 0;
    v->by_characters = v->as_spelled = (v->pre->flags & LLI_PRE_CHARACTERS) != 0;
    int32_t status = read_merges(v, g, err);
    if (status != LLMINF_OK)
        return status;
    if (v->by_characters)
        status = lli_spm_read_normal(v, g, 0, err);
    return status == LLMINF_OK ? lli_pre_compile(&v->split, v->heap, v->pre, err) : status;
}

static uint32_t rate(int32_t *joined_out, const struct lli_vocab *v, struct lli_text both, int32_t left, int32_t right)
{
    (void)both;
    struct lli_pair pair = {left, right};
    uint32_t rank;
    if (!lli_map_find(&v->merges, &pair, sizeof pair, &rank))
        return LLI_NO_RANK;
    *joined_out = v->joined[rank];
    return rank;
}

/* The token that a piece is as a whole. -1 without memory. */
static int find_whole(int32_t *id_out, const struct lli_vocab *v, struct lli_buffer *spelled, struct lli_text piece)
{
    uint32_t id;
    *id_out = LLI_NO_TOKEN;
    if (piece.len > v->longest)
        return 0;
    spelled->len = 0;
    if (v->by_characters && lli_buffer_append(spelled, piece.bytes, piece.len))
        return -1;
    for (size_t i = 0; i < piece.len && !v->by_characters; i++) {
        char character[4];
        size_t n = lli_utf8_write(character, code_of((uint8_t)piece.bytes[i]));
        if (lli_buffer_append(spelled, character, n))
            return -1;
    }
    if (lli_map_find(&v->by_token, spelled->bytes, spelled->len, &id) && can_join(v, id))
        *id_out = (int32_t)id;
    return 0;
}

/* 0, or -1 without memory. What is unknown, where there is no token for the unknown either, leaves nothing. */
static int append_id(struct lli_buffer *ids, const struct lli_vocab *v, int32_t id)
{
    if (id == LLI_NO_TOKEN)
        id = v->unk;
    return id == LLI_NO_TOKEN ? 0 : lli_buffer_append(ids, &id, sizeof id);
}

static int append_bytes(struct lli_merge *m, const struct lli_vocab *v, struct lli_text piece, size_t at, size_t end)
{
    for (; at < end; at++) {
        if (lli_merge_append(m, at, v->byte_ids[(uint8_t)piece.bytes[at]]))
            return -1;
    }
    return 0;
}

/* A character as its token, as tokens of its bytes if each has one, or as unknown. */
static int append_character(struct lli_merge *m, const struct lli_vocab *v, struct lli_text piece, size_t at, size_t end)
{
    uint32_t id;
    if (lli_map_find(&v->by_token, piece.bytes + at, end - at, &id) && can_join(v, id))
        return lli_merge_append(m, at, (int32_t)id);
    for (size_t i = at; i < end; i++) {
        if (v->byte_ids[(uint8_t)piece.bytes[i]] == LLI_NO_TOKEN)
            return lli_merge_append(m, at, LLI_NO_TOKEN);
    }
    return append_bytes(m, v, piece, at, end);
}

static int append_characters(struct lli_merge *m, const struct lli_vocab *v, struct lli_text piece)
{
    for (size_t at = 0; at < piece.len;) {
        uint32_t code;
        size_t end = at + lli_utf8_read(&code, piece.bytes + at, piece.len - at);
        if (append_character(m, v, piece, at, end))
            return -1;
        at = end;
    }
    return 0;
}

int lli_bpe_encode(struct lli_buffer *ids, const struct lli_vocab *v, struct lli_encode_work *work, struct lli_text piece)
{
    int32_t whole = LLI_NO_TOKEN;
    if (v->whole_piece_first && find_whole(&whole, v, &work->text, piece))
        return -1;
    if (whole != LLI_NO_TOKEN)
        return append_id(ids, v, whole);
    struct lli_merge *m = &work->merge;
    lli_merge_start(m);
    if (v->by_characters ? append_characters(m, v, piece) : append_bytes(m, v, piece, 0, piece.len))
        return -1;
    if (lli_merge_run(m, v, rate, piece.bytes, piece.len))
        return -1;
    const struct lli_symbol *symbols = lli_merge_symbols(m);
    int was_unknown = 0;
    for (uint32_t i = 0; i != LLI_NO_SYMBOL; i = symbols[i].next) {
        int unknown = symbols[i].id == LLI_NO_TOKEN;
        if (!(unknown && was_unknown && v->fuse_unknown) && append_id(ids, v, symbols[i].id))
            return -1;
        was_unknown = unknown;
    }
    return 0;
}
