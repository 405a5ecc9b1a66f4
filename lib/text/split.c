/* text/split.c - a pre-tokenizer is a list of rules. Each is applied to the pieces that the one before left, as if each
 * piece were a text of its own.
 *
 * PCRE2 runs as an interpreter on checked UTF-8, under limits of steps and heap: where it gives up, so does the call.
 * Compiled code and match limits are read only, match data belongs to a call. */
#include "text/split.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"
#include "base/limits.h"

#define MARK "\xE2\x96\x81" /* U+2581 */
#define MARK_LEN 3u

struct lli_split {
    struct lli_heap *heap;
    pcre2_general_context *memory;
    pcre2_match_context *limits;
    size_t n;
    struct lli_split_rule rules[LLI_MAX_RULES];
    pcre2_code *codes[LLI_MAX_RULES]; /* NULL where a rule has no pattern */
};

static void *take_memory(size_t n, void *heap)
{
    return lli_alloc(heap, n);
}

static void give_memory(void *memory, void *heap)
{
    lli_free(heap, memory);
}

static int32_t compile(pcre2_code **out, pcre2_general_context *memory, const char *pattern, struct llminf_error *err)
{
    int code = PCRE2_ERROR_NOMEMORY;
    PCRE2_SIZE at = 0;
    pcre2_compile_context *context = pcre2_compile_context_create(memory);
    if (context)
        *out = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP, &code, &at, context);
    pcre2_compile_context_free(context);
    if (*out)
        return LLMINF_OK;
    if (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED)
        return lli_fail_memory(err, "pre-tokenizer", strlen(pattern));
    return lli_fail(err, LLMINF_E_INTERNAL, "pre-tokenizer", "PCRE2 refuses its pattern at %zu with error %d", (size_t)at,
                    code);
}

int32_t lli_split_new(struct lli_split **out, struct lli_heap *heap, const struct lli_split_rule *rules, size_t n_rules,
                      struct llminf_error *err)
{
    int32_t status = LLMINF_OK;
    *out = NULL;
    if (n_rules > LLI_MAX_RULES)
        return lli_fail(err, LLMINF_E_LIMIT, "pre-tokenizer", "%zu rules, want at most %u", n_rules, LLI_MAX_RULES);
    struct lli_split *s = lli_alloc_zero(heap, 1, sizeof *s);
    if (!s)
        return lli_fail_memory(err, "pre-tokenizer", sizeof *s);
    s->heap = heap;
    s->n = n_rules;
    s->memory = pcre2_general_context_create(take_memory, give_memory, heap);
    s->limits = s->memory ? pcre2_match_context_create(s->memory) : NULL;
    if (!s->limits) {
        status = lli_fail_memory(err, "pre-tokenizer", sizeof *s);
        goto fail;
    }
    pcre2_set_match_limit(s->limits, LLI_MAX_REGEX_STEPS);
    pcre2_set_heap_limit(s->limits, LLI_MAX_REGEX_HEAP_KIB);
    for (size_t i = 0; i < n_rules; i++) {
        s->rules[i] = rules[i];
        if (rules[i].pattern)
            status = compile(&s->codes[i], s->memory, rules[i].pattern, err);
        if (status != LLMINF_OK)
            goto fail;
    }
    *out = s;
    return LLMINF_OK;
fail:
    lli_split_free(s);
    return status;
}

void lli_split_free(struct lli_split *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < LLI_MAX_RULES; i++)
        pcre2_code_free(s->codes[i]);
    pcre2_match_context_free(s->limits);
    pcre2_general_context_free(s->memory);
    lli_free(s->heap, s);
}

void lli_pieces_init(struct lli_pieces *p, struct lli_heap *heap)
{
    lli_buffer_init(&p->list, heap);
    lli_buffer_init(&p->previous, heap);
    lli_buffer_init(&p->written, heap);
    lli_buffer_init(&p->rewritten, heap);
    p->text = (struct lli_text){"", 0};
    p->match = NULL;
}

void lli_pieces_finish(struct lli_pieces *p)
{
    lli_buffer_finish(&p->list);
    lli_buffer_finish(&p->previous);
    lli_buffer_finish(&p->written);
    lli_buffer_finish(&p->rewritten);
    pcre2_match_data_free(p->match);
    p->match = NULL;
}

static int32_t fail_memory(const struct lli_pieces *p, struct llminf_error *err)
{
    return lli_fail_memory(err, "text", p->list.len + p->text.len);
}

static void swap_buffers(struct lli_buffer *a, struct lli_buffer *b)
{
    struct lli_buffer old = *a;
    *a = *b;
    *b = old;
}

static int append_piece(struct lli_pieces *p, size_t at, size_t end)
{
    struct lli_piece piece = {(uint32_t)at, (uint32_t)end};
    return at < end ? lli_buffer_append(&p->list, &piece, sizeof piece) : 0;
}

/* ---- cutting */

/* One piece on its way through one rule. A part of it is a match or lies between two. */
struct cutter {
    struct lli_pieces *p;
    enum lli_cut cut;
    int any, was_match; /* there was a part before, and it was a match */
    size_t waiting;     /* WITH_NEXT: where the match begins that waits for what comes; SIZE_MAX: none */
};

/* The last piece is made longer. */
static int extend(struct lli_pieces *p, size_t end)
{
    struct lli_piece piece;
    memcpy(&piece, p->list.bytes + p->list.len - sizeof piece, sizeof piece);
    p->list.len -= sizeof piece;
    return append_piece(p, piece.at, end);
}

static int put_waiting(struct cutter *c, size_t end)
{
    size_t at = c->waiting;
    c->waiting = SIZE_MAX;
    return at == SIZE_MAX ? 0 : append_piece(c->p, at, end);
}

static int put_part(struct cutter *c, size_t at, size_t end, int is_match)
{
    int any = c->any, was_match = c->was_match;
    c->any = 1;
    c->was_match = is_match;
    switch (c->cut) {
    case LLI_CUT_AWAY:
        return is_match ? 0 : append_piece(c->p, at, end);
    case LLI_CUT_WITH_PREVIOUS:
        return is_match && any && !was_match ? extend(c->p, end) : append_piece(c->p, at, end);
    case LLI_CUT_WITH_NEXT:
        if (is_match) {
            int failed = put_waiting(c, at);
            c->waiting = at;
            return failed;
        }
        at = c->waiting == SIZE_MAX ? at : c->waiting;
        c->waiting = SIZE_MAX;
        return append_piece(c->p, at, end);
    case LLI_CUT_TOGETHER:
        return any && is_match == was_match ? extend(c->p, end) : append_piece(c->p, at, end);
    default:
        return append_piece(c->p, at, end);
    }
}

static int32_t fail_match(const struct lli_pieces *p, int code, struct llminf_error *err)
{
    if (code == PCRE2_ERROR_NOMEMORY)
        return fail_memory(p, err);
    if (code == PCRE2_ERROR_MATCHLIMIT || code == PCRE2_ERROR_HEAPLIMIT || code == PCRE2_ERROR_DEPTHLIMIT)
        return lli_fail(err, LLMINF_E_LIMIT, "text", "the pre-tokenizer needs more than %u steps or %u KiB for a piece",
                        LLI_MAX_REGEX_STEPS, LLI_MAX_REGEX_HEAP_KIB);
    return lli_fail(err, LLMINF_E_INTERNAL, "text", "the pre-tokenizer ends with PCRE2 error %d", code);
}

/* Appends the pieces of text[from..to). No pattern matches an empty text, so each match moves on. */
static int32_t cut_piece(struct lli_pieces *p, const struct lli_split *s, size_t rule, struct lli_piece piece,
                         struct llminf_error *err)
{
    const PCRE2_SIZE *found = pcre2_get_ovector_pointer(p->match);
    struct cutter c = {p, s->rules[rule].cut, 0, 0, SIZE_MAX};
    const char *text = p->text.bytes + piece.at;
    size_t n = piece.end - piece.at, done = 0;
    int inverted = s->rules[rule].inverted;
    while (done < n) {
        int rc = pcre2_match(s->codes[rule], (PCRE2_SPTR)text, n, done, PCRE2_NO_UTF_CHECK, p->match, s->limits);
        if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
            return fail_match(p, rc, err);
        size_t start = rc < 0 ? n : found[0], end = rc < 0 ? n : found[1];
        if (start > done && put_part(&c, piece.at + done, piece.at + start, inverted))
            return fail_memory(p, err);
        if (end > start && put_part(&c, piece.at + start, piece.at + end, !inverted))
            return fail_memory(p, err);
        done = end;
    }
    return put_waiting(&c, piece.end) ? fail_memory(p, err) : LLMINF_OK;
}

/* ---- writing */

/* The text of a piece with a mark for each space. */
static int append_marked(struct lli_buffer *out, const char *text, size_t n)
{
    for (size_t at = 0; at < n;) {
        const char *space = memchr(text + at, ' ', n - at);
        size_t stop = space ? (size_t)(space - text) : n;
        if (lli_buffer_append(out, text + at, stop - at) || (space && lli_buffer_append(out, MARK, MARK_LEN)))
            return -1;
        at = space ? stop + 1 : stop;
    }
    return 0;
}

static int begins_with(const char *text, size_t n, const char *what, size_t len)
{
    return n >= len && memcmp(text, what, len) == 0;
}

static int write_piece(struct lli_buffer *out, const char *text, size_t n, enum lli_write write, int first)
{
    int wants_mark = write == LLI_WRITE_MARK_ALWAYS || (write == LLI_WRITE_MARK_FIRST && first);
    int has_space = begins_with(text, n, " ", 1);
    if (write == LLI_WRITE_SPACE)
        return (!has_space && lli_buffer_append(out, " ", 1)) || lli_buffer_append(out, text, n) ? -1 : 0;
    if (wants_mark && !has_space && !begins_with(text, n, MARK, MARK_LEN) && lli_buffer_append(out, MARK, MARK_LEN))
        return -1;
    return append_marked(out, text, n);
}

/* Each piece as the rule writes it, in place of the text. */
static int32_t write_all(struct lli_pieces *p, enum lli_write write, int first, struct llminf_error *err)
{
    struct lli_buffer *out = &p->rewritten;
    struct lli_piece *pieces = (struct lli_piece *)(void *)p->list.bytes;
    out->len = 0;
    for (size_t i = 0; i < lli_pieces_count(p); i++) {
        size_t at = out->len;
        const char *text = p->text.bytes + pieces[i].at;
        if (write_piece(out, text, pieces[i].end - pieces[i].at, write, first && pieces[i].at == 0))
            return fail_memory(p, err);
        if (out->len > LLI_MAX_TEXT_BYTES)
            return lli_fail(err, LLMINF_E_LIMIT, "text", "the pre-tokenizer makes more than %u bytes of it",
                            LLI_MAX_TEXT_BYTES);
        pieces[i] = (struct lli_piece){(uint32_t)at, (uint32_t)out->len};
    }
    swap_buffers(&p->written, &p->rewritten);
    p->text = (struct lli_text){p->written.len ? (const char *)p->written.bytes : "", p->written.len};
    return LLMINF_OK;
}

/* One rule over all pieces. */
static int32_t apply(struct lli_pieces *p, const struct lli_split *s, size_t rule, int first, struct llminf_error *err)
{
    int32_t status = LLMINF_OK;
    if (s->rules[rule].write)
        status = write_all(p, s->rules[rule].write, first, err);
    if (status != LLMINF_OK || !s->codes[rule])
        return status;
    swap_buffers(&p->list, &p->previous);
    p->list.len = 0;
    for (size_t k = 0; k < p->previous.len && status == LLMINF_OK; k += sizeof(struct lli_piece)) {
        struct lli_piece piece;
        memcpy(&piece, p->previous.bytes + k, sizeof piece);
        status = cut_piece(p, s, rule, piece, err);
    }
    return status;
}

int32_t lli_split_run(struct lli_pieces *p, const struct lli_split *s, struct lli_text text, int first,
                      struct llminf_error *err)
{
    int32_t status = LLMINF_OK;
    p->text = text;
    p->list.len = 0;
    if (!p->match && s)
        p->match = pcre2_match_data_create(1, s->memory);
    if ((s && !p->match) || append_piece(p, 0, text.len))
        return fail_memory(p, err);
    for (size_t i = 0; s && i < s->n && status == LLMINF_OK; i++)
        status = apply(p, s, i, first, err);
    return status;
}
