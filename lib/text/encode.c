/* text/encode.c - a text is checked, cut at the tokens that are taken whole, and what lies between them is encoded run by
 * run as the kind of the vocabulary asks. */
#include "text/encode.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "text/bpe.h"
#include "text/special.h"
#include "text/unicode.h"
#include "text/spm.h"
#include "text/unigram.h"
#include "text/wordpiece.h"

static lli_encode_fn *const by_kind[] = {
    [LLI_VOCAB_SPM] = lli_spm_encode,
    [LLI_VOCAB_BPE] = lli_bpe_encode,
    [LLI_VOCAB_UNIGRAM] = lli_unigram_encode,
    [LLI_VOCAB_WORDPIECE] = lli_wordpiece_encode,
    [LLI_VOCAB_WORDLEVEL] = lli_wordpiece_encode_word,
};

static int32_t append_id(struct lli_buffer *ids, int32_t id, struct llminf_error *err)
{
    return lli_buffer_append(ids, &id, sizeof id) ? lli_fail_memory(err, "tokens", ids->len + sizeof id) : LLMINF_OK;
}

static int32_t append_bounds(struct lli_buffer *ids, const struct lli_bounds *bounds, struct llminf_error *err)
{
    size_t n = bounds->n * sizeof *bounds->ids;
    return lli_buffer_append(ids, bounds->ids, n) ? lli_fail_memory(err, "tokens", ids->len + n) : LLMINF_OK;
}

/* A walk along a text, from token to token that is taken whole. */
struct walk {
    struct lli_buffer *ids;
    const struct lli_vocab *v;
    struct lli_encode_work *work;
    const struct lli_special *special; /* what is sought in the text */
    const struct lli_buffer *found;    /* struct lli_spelling, from the last byte to the first */
    struct lli_text text;
    int first; /* the text begins what is encoded */
    struct llminf_error *err;
};

/* What lies between two tokens, not empty. first: it begins what is encoded; in_front: the text, or follows a control token. */
typedef int32_t between_fn(const struct walk *w, struct lli_text run, int first, int in_front);

/* ---- what a token that is taken whole asks of the text beside it */

static int edges_of(const struct lli_vocab *v, int32_t id)
{
    return v->edges ? v->edges[id] : 0;
}

/* Where the character that ends at `end` begins. */
static size_t character_before(struct lli_text text, size_t end)
{
    do
        end--;
    while (end > 0 && ((uint8_t)text.bytes[end] & 0xC0) == 0x80);
    return end;
}

/* Whether text[at..end), one character, is of a word. */
static int is_of_word(const struct lli_vocab *v, struct lli_encode_work *work, struct lli_text text, size_t at, size_t end)
{
    struct lli_text character = {text.bytes + at, end - at};
    return lli_split_run(&work->pieces, v->word, character, 0, NULL) == LLMINF_OK && lli_pieces_count(&work->pieces) == 0;
}

static int may_stand(const struct walk *w, size_t at, size_t end, int edges)
{
    struct lli_text text = w->text;
    uint32_t code;
    if (!(edges & LLI_EDGE_WORD))
        return 1;
    if (at > 0 && is_of_word(w->v, w->work, text, character_before(text, at), at))
        return 0;
    return end == text.len ||
           !is_of_word(w->v, w->work, text, end, end + lli_utf8_read(&code, text.bytes + end, text.len - end));
}

/* Where white space that reaches up to `end` begins, not before `at`. */
static size_t trim(struct lli_text text, size_t at, size_t end)
{
    uint32_t code = 0;
    while (end > at) {
        size_t last = character_before(text, end);
        lli_utf8_read(&code, text.bytes + last, end - last);
        if (!lli_unicode_is_space(code))
            break;
        end = last;
    }
    return end;
}

static size_t skip_spaces(struct lli_text text, size_t at)
{
    uint32_t code;
    while (at < text.len) {
        size_t n = lli_utf8_read(&code, text.bytes + at, text.len - at);
        if (!lli_unicode_is_space(code))
            break;
        at += n;
    }
    return at;
}

/* The next token that stands at `from` or behind it, as index + 1 of those found; 0 if there is none. They are in falling
 * order. One that is a part of a word hides those that begin in it, as any other does. */
static size_t next_whole(const struct walk *w, const struct lli_spelling *found, size_t i, size_t from)
{
    for (; i > 0; i--) {
        size_t at = found[i - 1].at, end = at + lli_special_text(w->special, found[i - 1].id).len;
        if (at < from)
            continue; /* it begins inside the one before it */
        if (may_stand(w, at, end, edges_of(w->v, found[i - 1].id)))
            break;
        from = end;
    }
    return i;
}

static int32_t walk(const struct walk *w, between_fn *between)
{
    const struct lli_spelling *spellings = (const struct lli_spelling *)(const void *)w->found->bytes;
    struct lli_text text = w->text;
    size_t at = 0, i = w->found->len / sizeof *spellings;
    int in_front = 1;
    while (at < text.len) {
        i = next_whole(w, spellings, i, at);
        int32_t id = i > 0 ? spellings[i - 1].id : LLI_NO_TOKEN, edges = i > 0 ? edges_of(w->v, id) : 0;
        size_t stop = i > 0 ? spellings[i - 1].at : text.len, end = edges & LLI_EDGE_LEFT ? trim(text, at, stop) : stop;
        int32_t status = LLMINF_OK;
        if (end > at) {
            status = between(w, (struct lli_text){text.bytes + at, end - at}, w->first && at == 0, in_front);
            in_front = 0;
        }
        if (status == LLMINF_OK && id != LLI_NO_TOKEN) {
            status = append_id(w->ids, id, w->err);
            stop += lli_special_text(w->special, id).len;
            stop = edges & LLI_EDGE_RIGHT ? skip_spaces(text, stop) : stop;
            in_front = w->v->types[id] == LLI_TOKEN_CONTROL;
        }
        if (status != LLMINF_OK)
            return status;
        at = stop;
    }
    return LLMINF_OK;
}

/* ---- what lies between: normalised, sought through once more, cut and joined */

static int32_t encode_pieces(const struct walk *w, struct lli_text run, int first, int in_front)
{
    struct lli_pieces *pieces = &w->work->pieces;
    (void)in_front;
    int32_t status = lli_split_run(pieces, w->v->split, run, first, w->err);
    for (size_t i = 0; status == LLMINF_OK && i < lli_pieces_count(pieces); i++) {
        if (by_kind[w->v->kind](w->ids, w->v, w->work, lli_pieces_at(pieces, i)))
            status = lli_fail_memory(w->err, "text", run.len);
    }
    return status;
}

static int32_t encode_run(const struct walk *w, struct lli_text run, int first, int in_front)
{
    const struct lli_vocab *v = w->v;
    struct lli_buffer *found = &w->work->late;
    int32_t status = lli_normal_run(&run, &w->work->normal, &v->normal, in_front, w->err);
    if (status != LLMINF_OK || !v->late)
        return status == LLMINF_OK ? encode_pieces(w, run, first, in_front) : status;
    found->len = 0;
    if (lli_special_find(found, v->late, run.bytes, run.len, 1))
        return lli_fail_memory(w->err, "text", found->len);
    struct walk late = {w->ids, v, w->work, v->late, found, run, first, w->err};
    return walk(&late, encode_pieces);
}

/* ---- all of a text */

/* Appends the spellings in text[from, to), control tokens too, with places in the text. */
static int find_in_part(struct lli_buffer *found, const struct lli_vocab *v, struct lli_text text, size_t from, size_t to)
{
    size_t before = found->len;
    if (lli_special_find(found, v->special, text.bytes + from, to - from, 1))
        return -1;
    struct lli_spelling *at = (struct lli_spelling *)(void *)found->bytes;
    for (size_t i = before / sizeof *at; i < found->len / sizeof *at; i++)
        at[i].at += (uint32_t)from;
    return 0;
}

/* Both lists from the last byte to the first; of two at a byte the longer counts. */
static int merge_found(struct lli_buffer *found, const struct lli_vocab *v, const struct lli_buffer *a,
                       const struct lli_buffer *b)
{
    const struct lli_spelling *x = (const struct lli_spelling *)(const void *)a->bytes;
    const struct lli_spelling *y = (const struct lli_spelling *)(const void *)b->bytes;
    size_t n_x = a->len / sizeof *x, n_y = b->len / sizeof *y, i = 0, k = 0;
    while (i < n_x || k < n_y) {
        int same = i < n_x && k < n_y && x[i].at == y[k].at;
        int first = k == n_y ||
                    (i < n_x && (same ? lli_special_text(v->special, x[i].id).len >= lli_special_text(v->special, y[k].id).len
                                      : x[i].at > y[k].at));
        if (lli_buffer_append(found, first ? &x[i] : &y[k], sizeof *x))
            return -1;
        i += (size_t)(first || same);
        k += (size_t)(!first || same);
    }
    return 0;
}

/* User-defined tokens anywhere, control tokens within each marked stretch. */
static int find_marked(struct lli_buffer *found, const struct lli_vocab *v, struct lli_text text, const uint8_t *marks)
{
    struct lli_buffer anywhere, marked;
    lli_buffer_init(&anywhere, v->heap);
    lli_buffer_init(&marked, v->heap);
    int failed = lli_special_find(&anywhere, v->special, text.bytes, text.len, 0);
    for (size_t to = text.len, from; !failed && to > 0; to = from) {
        for (from = to; from > 0 && !marks[from - 1] == !marks[to - 1];)
            from--;
        if (marks[from])
            failed = find_in_part(&marked, v, text, from, to);
    }
    if (!failed)
        failed = merge_found(found, v, &anywhere, &marked);
    lli_buffer_finish(&anywhere);
    lli_buffer_finish(&marked);
    return failed;
}

/* marks: NULL where the flags tell for the whole text. */
static int32_t encode_text(struct lli_buffer *ids, const struct lli_vocab *v, struct lli_text text, const uint8_t *marks,
                           int flags, struct llminf_error *err)
{
    struct lli_encode_work work;
    struct lli_buffer found;
    lli_buffer_init(&found, v->heap);
    lli_buffer_init(&work.text, v->heap);
    lli_buffer_init(&work.late, v->heap);
    lli_merge_init(&work.merge, v->heap);
    lli_normal_work_init(&work.normal, v->heap);
    lli_pieces_init(&work.pieces, v->heap);
    int failed = marks ? find_marked(&found, v, text, marks)
                       : lli_special_find(&found, v->special, text.bytes, text.len, flags & LLI_TEXT_SPECIAL);
    struct walk w = {ids, v, &work, v->special, &found, text, 1, err};
    int32_t status = failed ? lli_fail_memory(err, "text", found.len) : walk(&w, encode_run);
    lli_pieces_finish(&work.pieces);
    lli_normal_work_finish(&work.normal);
    lli_merge_finish(&work.merge);
    lli_buffer_finish(&work.text);
    lli_buffer_finish(&work.late);
    lli_buffer_finish(&found);
    return status;
}

/* The text itself if it is valid UTF-8, else a repaired copy in `copy`. */
static int32_t check_text(struct lli_text *text, struct lli_buffer *copy, int repair, struct llminf_error *err)
{
    if (text->len > LLI_MAX_TEXT_BYTES)
        return lli_fail(err, LLMINF_E_LIMIT, "text", "%zu bytes, want at most %u", text->len, LLI_MAX_TEXT_BYTES);
    size_t good = lli_utf8_valid(text->bytes, text->len);
    if (good == text->len)
        return LLMINF_OK;
    if (!repair)
        return lli_fail_at(err, LLMINF_E_INVALID, (int64_t)good, "text", "byte %zu begins no UTF-8 character", good);
    size_t n = lli_utf8_repair(NULL, text->bytes, text->len);
    if (n > LLI_MAX_TEXT_BYTES)
        return lli_fail(err, LLMINF_E_LIMIT, "text", "%zu bytes with U+FFFD, want at most %u", n, LLI_MAX_TEXT_BYTES);
    if (lli_buffer_reserve(copy, n))
        return lli_fail_memory(err, "text", n);
    copy->len = lli_utf8_repair((char *)copy->bytes, text->bytes, text->len);
    *text = (struct lli_text){(const char *)copy->bytes, copy->len};
    return LLMINF_OK;
}

int32_t lli_encode(struct lli_buffer *ids, const struct lli_vocab *v, const char *text, size_t n, int flags,
                   struct llminf_error *err)
{
    struct lli_buffer copy;
    struct lli_text checked = {text, n};
    size_t before = ids->len;
    int bounds = (flags & LLI_TEXT_BOUNDS) != 0;
    lli_buffer_init(&copy, v->heap);
    int32_t status = check_text(&checked, &copy, flags & LLI_TEXT_REPAIR, err);
    if (status == LLMINF_OK && bounds)
        status = append_bounds(ids, &v->before, err);
    if (status == LLMINF_OK)
        status = encode_text(ids, v, checked, NULL, flags, err);
    if (status == LLMINF_OK && bounds)
        status = append_bounds(ids, &v->after, err);
    if (status != LLMINF_OK)
        ids->len = before;
    lli_buffer_finish(&copy);
    return status;
}

int32_t lli_encode_marked(struct lli_buffer *ids, const struct lli_vocab *v, const char *text, const uint8_t *marks, size_t n,
                          struct llminf_error *err)
{
    struct lli_buffer copy;
    struct lli_text checked = {text, n};
    size_t before = ids->len;
    lli_buffer_init(&copy, v->heap);
    int32_t status = check_text(&checked, &copy, 0, err);
    if (status == LLMINF_OK)
        status = encode_text(ids, v, checked, marks, 0, err);
    if (status != LLMINF_OK)
        ids->len = before;
    return status;
}
